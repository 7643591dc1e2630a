//! Ranges in A1 notation. Rows are counted from 1, as in a sheet; columns from 0.

/// The letters of a column: `A`, `Z`, `AA`.
pub fn letters(mut column: usize) -> String {
    let mut out = Vec::new();
    loop {
        out.push(b'A' + u8::try_from(column % 26).unwrap_or_default());
        if column < 26 {
            break;
        }
        column = column / 26 - 1;
    }
    out.reverse();
    out.into_iter().map(char::from).collect()
}

/// A title as it stands before the `!`.
pub fn quoted(title: &str) -> String {
    format!("'{}'", title.replace('\'', "''"))
}

/// The first `columns` cells of the rows `first` to `last`, both included.
pub fn rows(title: &str, first: usize, last: usize, columns: usize) -> String {
    format!("{}!A{first}:{}{last}", quoted(title), letters(columns.saturating_sub(1)))
}

/// A column from row 2 on.
pub fn column(title: &str, column: usize) -> String {
    let letters = letters(column);
    format!("{}!{letters}2:{letters}", quoted(title))
}

/// The first row.
pub fn header(title: &str) -> String {
    format!("{}!1:1", quoted(title))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_letters() {
        for (column, expected) in
            [(0, "A"), (25, "Z"), (26, "AA"), (51, "AZ"), (52, "BA"), (701, "ZZ"), (702, "AAA")]
        {
            assert_eq!(letters(column), expected);
        }
    }

    #[test]
    fn ranges_name_their_tab() {
        assert_eq!(rows("o'clock", 2, 4, 3), "'o''clock'!A2:C4");
        assert_eq!(column("a!b", 27), "'a!b'!AB2:AB");
        assert_eq!(header("x"), "'x'!1:1");
    }
}
