//! The medians as a table.

use std::fmt::Write as _;

use anyhow::{Context, Result};

use crate::meter::Cost;
use crate::objects::Shape;
use crate::plot;
use crate::writing::{Costs, Pass};

/// Figures of one case.
#[derive(Debug, Clone, Copy)]
struct Figures {
    rows_per_second: f64,
    client_seconds_per_million: f64,
    server_seconds_per_million: f64,
    wal_per_row: f64,
    disk_per_row: f64,
}

fn median(costs: &[Cost], of: impl Fn(&Cost) -> f64) -> f64 {
    let mut values: Vec<f64> = costs.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

impl Figures {
    fn of(costs: &[Cost], rows: usize) -> Figures {
        let rows = rows as f64;
        let million = rows / 1e6;
        Figures {
            rows_per_second: rows / median(costs, |cost| cost.wall.as_secs_f64()),
            client_seconds_per_million: median(costs, |cost| cost.client) / million,
            server_seconds_per_million: median(costs, |cost| cost.server) / million,
            wal_per_row: median(costs, |cost| cost.wal as f64) / rows,
            disk_per_row: median(costs, |cost| cost.disk as f64) / rows,
        }
    }
}

/// Prints the tables; or publishes them, and the first loads as a plot.
pub(crate) fn write(shapes: &[(Shape, usize)], costs: &Costs, publish: bool) -> Result<()> {
    let mut text = String::new();
    for (shape, bytes) in shapes {
        for pass in Pass::ALL {
            table(&mut text, shape, *bytes, pass, costs)?;
        }
    }
    if publish {
        let panels: Vec<plot::Panel> = shapes.iter().map(|shape| panel(shape, costs)).collect();
        std::fs::write(e2e::repository().join("bench/writing.svg"), plot::svg(&panels))?;
    }
    self::publish("writing", &text, publish)
}

/// Prints the text, or puts it into bench/README.md.
#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
pub(crate) fn publish(name: &str, text: &str, publish: bool) -> Result<()> {
    if publish {
        let readme = e2e::repository().join("bench/README.md");
        let whole = std::fs::read_to_string(&readme)?;
        std::fs::write(&readme, between(&whole, name, text)?)?;
    } else {
        println!("{text}");
    }
    Ok(())
}

fn table(text: &mut String, shape: &Shape, bytes: usize, pass: Pass, costs: &Costs) -> Result<()> {
    let cases = costs.iter().filter(|(case, _)| case.table == shape.table && case.pass == pass);
    writeln!(text, "\n**{}, {}** — {} rows of {bytes} bytes\n", shape.table, pass.name(), shape.rows)?;
    text.push_str("| | rows/s | client CPU s/million | server CPU s/million | WAL B/row | disk B/row |\n");
    text.push_str("|---|---|---|---|---|---|\n");
    for (case, costs) in cases {
        let figures = Figures::of(costs, shape.rows);
        writeln!(
            text,
            "| {} | {:.0} | {:.1} | {:.1} | {:.0} | {:.0} |",
            case.method,
            figures.rows_per_second,
            figures.client_seconds_per_million,
            figures.server_seconds_per_million,
            figures.wal_per_row,
            figures.disk_per_row
        )?;
    }
    Ok(())
}

/// The first load of a table, as bars.
fn panel((shape, bytes): &(Shape, usize), costs: &Costs) -> plot::Panel {
    let cases = costs.iter().filter(|(case, _)| case.table == shape.table && case.pass == Pass::First);
    let bars =
        cases.map(|(case, costs)| (case.method.to_string(), Figures::of(costs, shape.rows).rows_per_second));
    plot::Panel {
        title: format!("{}, {bytes} bytes: rows per second, first load", shape.table),
        bars: bars.collect(),
    }
}

/// The text with what is between the marks of `name` replaced.
fn between(whole: &str, name: &str, text: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- {name}: begin -->"), format!("<!-- {name}: end -->"));
    let (before, rest) = whole.split_once(&begin).with_context(|| format!("no `{begin}`"))?;
    let (_, after) = rest.split_once(&end).with_context(|| format!("no `{end}`"))?;
    Ok(format!("{before}{begin}\n{text}\n{end}{after}"))
}
