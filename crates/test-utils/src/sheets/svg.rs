//! Pictures of sheets.

use std::fmt::Write;

use super::a1::letters;
use super::model::{Cell, Sheet, Spreadsheet};

const ROW: usize = 22;
const COLUMN: usize = 150;
const MARGIN: usize = 40;
/// Characters of the picture's font that fit into a column.
const CHARACTERS: usize = 21;

/// Draws the first rows and columns of a tab, with the names of the tabs below, as SVG.
pub fn picture(spreadsheet: &Spreadsheet, title: &str, rows: usize, columns: usize) -> String {
    let empty = Sheet::default();
    let sheet = spreadsheet.sheet(title).unwrap_or(&empty);
    let (width, height) = (MARGIN + columns * COLUMN, (rows + 2) * ROW + 8);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" font-family=\"Arial, sans-serif\" font-size=\"12\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    for column in 0..columns {
        let x = MARGIN + column * COLUMN;
        rectangle(&mut out, x, 0, COLUMN, "#f3f3f3");
        text(&mut out, x + COLUMN / 2, 0, "middle", "#555555", false, &letters(column));
    }
    for row in 0..rows {
        let y = (row + 1) * ROW;
        rectangle(&mut out, 0, y, MARGIN, "#f3f3f3");
        text(&mut out, MARGIN / 2, y, "middle", "#555555", false, &(row + 1).to_string());
        for column in 0..columns {
            let x = MARGIN + column * COLUMN;
            let fill = if row < sheet.frozen_rows { "#e8f0fe" } else { "#ffffff" };
            rectangle(&mut out, x, y, COLUMN, fill);
            let cell = sheet.cell(row, column);
            let shown = short(&cell.shown());
            match cell {
                Cell::Number(_) => text(&mut out, x + COLUMN - 5, y, "end", "#202124", false, &shown),
                _ => text(&mut out, x + 5, y, "start", "#202124", row < sheet.frozen_rows, &shown),
            }
        }
    }
    let y = (rows + 1) * ROW + 4;
    let mut x = MARGIN;
    for tab in spreadsheet.sheets.iter().filter(|tab| !tab.hidden) {
        let long = tab.title.chars().count() * 7 + 20;
        let fill = if tab.title == title { "#d2e3fc" } else { "#f3f3f3" };
        rectangle(&mut out, x, y, long, fill);
        text(&mut out, x + 10, y, "start", "#202124", tab.title == title, &tab.title);
        x += long;
    }
    out.push_str("</svg>\n");
    out
}

fn rectangle(out: &mut String, x: usize, y: usize, width: usize, fill: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{ROW}\" fill=\"{fill}\" stroke=\"#e0e0e0\"/>"
    );
}

fn text(out: &mut String, x: usize, y: usize, anchor: &str, fill: &str, bold: bool, words: &str) {
    if words.is_empty() {
        return;
    }
    let weight = if bold { " font-weight=\"bold\"" } else { "" };
    let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let y = y + 15;
    let _ = writeln!(
        out,
        "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" fill=\"{fill}\"{weight}>{words}</text>"
    );
}

fn short(words: &str) -> String {
    let mut shown: String = words.chars().take(CHARACTERS).collect();
    if shown.len() < words.len() {
        shown.pop();
        shown.push('…');
    }
    shown
}
