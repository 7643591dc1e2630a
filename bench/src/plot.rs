//! Bars, as SVG.

use std::fmt::Write as _;

/// Bars that share a scale.
pub(crate) struct Panel {
    pub(crate) title: String,
    /// Name and value of each.
    pub(crate) bars: Vec<(String, f64)>,
}

const WIDTH: usize = 760;
/// Where bars begin, and how long the longest is.
const LEFT: usize = 190;
const LONGEST: f64 = 480.0;
const LINE: usize = 20;

/// The panels below each other. What is ours is darker.
pub(crate) fn svg(panels: &[Panel]) -> String {
    let lines: usize = panels.iter().map(|panel| panel.bars.len() + 3).sum();
    let height = lines * LINE;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    let mut top = LINE;
    for panel in panels {
        let most = panel.bars.iter().map(|(_, value)| *value).fold(1.0, f64::max);
        // Writing into a text cannot fail.
        let _ = writeln!(svg, "<text x=\"8\" y=\"{}\" font-weight=\"bold\">{}</text>", top + 14, panel.title);
        top += LINE + 6;
        for (name, value) in &panel.bars {
            let length = value / most * LONGEST;
            let color = if name.starts_with("ours") { "#5b4bdb" } else { "#b9b5d6" };
            let _ = writeln!(
                svg,
                "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>\
                 <rect x=\"{LEFT}\" y=\"{}\" width=\"{length:.1}\" height=\"14\" fill=\"{color}\"/>\
                 <text x=\"{:.1}\" y=\"{}\">{value:.0}</text>",
                LEFT - 8,
                top + 12,
                top + 1,
                LEFT as f64 + length + 6.0,
                top + 12
            );
            top += LINE;
        }
        top += LINE + LINE - 6;
    }
    svg.push_str("</svg>\n");
    svg
}
