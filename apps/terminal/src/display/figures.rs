//! Numbers and times as people read them.

/// `12,345`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1,234`, and `0.4` where it is less than ten.
pub fn rate(per_second: f64) -> String {
    if !per_second.is_finite() || per_second <= 0.0 {
        "0".to_owned()
    } else if per_second < 9.95 {
        format!("{per_second:.1}")
    } else {
        // Rates are far below 2^53.
        count(per_second.round() as u64)
    }
}

/// `0.4 s`, `12 s`, `3 min 05 s`, `2 h 07 min`.
pub fn duration(millis: u64) -> String {
    let seconds = (millis + 500) / 1000;
    if millis < 9_950 {
        format!("{:.1} s", millis as f64 / 1000.0)
    } else if seconds < 60 {
        format!("{seconds} s")
    } else if seconds < 3600 {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    } else {
        format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!([0, 12, 123, 1234, 1_234_567].map(count), ["0", "12", "123", "1,234", "1,234,567"]);
        assert_eq!(
            [0.0, f64::NAN, 0.44, 9.94, 9.96, 1234.5].map(rate),
            ["0", "0", "0.4", "9.9", "10", "1,235"]
        );
        assert_eq!(
            [0, 440, 9_949, 9_951, 59_499, 59_500, 185_000, 7_620_000].map(duration),
            ["0.0 s", "0.4 s", "9.9 s", "10 s", "59 s", "1 min 00 s", "3 min 05 s", "2 h 07 min"]
        );
    }
}
