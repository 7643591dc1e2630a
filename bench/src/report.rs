//! The medians as a table.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use destination_postgres::Projection;

use crate::meter::Cost;
use crate::methods::{CONNECTIONS, Method};
use crate::objects::Shape;
use crate::plot;
use crate::writing::{Case, Costs, Pass};

/// Figures of one case.
#[derive(Debug, Clone, Copy)]
struct Figures {
    rows_per_second: f64,
    client_seconds_per_million: f64,
    server_seconds_per_million: f64,
    wal_per_row: f64,
    disk_per_row: f64,
}

/// The one in the middle.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

impl Figures {
    fn of(costs: &[Cost], rows: usize) -> Figures {
        let of = |figure: fn(&Cost) -> f64| median(costs.iter().map(figure));
        let rows = rows as f64;
        let million = rows / 1e6;
        Figures {
            rows_per_second: rows / of(|cost| cost.wall.as_secs_f64()),
            client_seconds_per_million: of(|cost| cost.client) / million,
            server_seconds_per_million: of(|cost| cost.server) / million,
            wal_per_row: of(|cost| cost.wal as f64) / rows,
            disk_per_row: of(|cost| cost.disk as f64) / rows,
        }
    }
}

/// A first load beside two others of the same run: as a share of `COPY` into the same table on as many connections, and as a
/// multiple of upstream's statement.
fn ratios(text: &mut String, shapes: &[(Shape, usize)], costs: &Costs) -> Result<()> {
    text.push_str("\n**First load, ours by another of the same run** — medians of the ratios\n\n");
    text.push_str("| | connections | generated : `COPY` | view : `COPY` | generated : upstream | same again : first load |\n");
    text.push_str("|---|---|---|---|---|---|\n");
    for (shape, _) in shapes {
        for connections in CONNECTIONS {
            let of = |pass, method| {
                let case = Case { table: shape.table, pass, method };
                costs.iter().find(|(known, _)| *known == case).map(|(_, costs)| &**costs)
            };
            let ours = |projection| Method::Ours { projection, connections };
            let copy = |into| of(Pass::First, Method::Copy { into, connections });
            let first = of(Pass::First, ours(Projection::Generated));
            let speedups = [
                speedup(first, copy(Projection::Generated)),
                speedup(of(Pass::First, ours(Projection::View)), copy(Projection::View)),
                speedup(first, of(Pass::First, Method::Upstream)),
                speedup(of(Pass::Unchanged, ours(Projection::Generated)), first),
            ];
            writeln!(text, "| {} | {connections} | {} |", shape.table, speedups.join(" | "))?;
        }
    }
    Ok(())
}

/// How much faster the one was than the other, run by run, and the median of that.
fn speedup(one: Option<&[Cost]>, other: Option<&[Cost]>) -> String {
    let (Some(one), Some(other)) = (one, other) else { return "–".to_owned() };
    let seconds = |cost: &Cost| cost.wall.as_secs_f64();
    let ratios = one.iter().zip(other).map(|(one, other)| seconds(other) / seconds(one));
    format!("{:.2}", median(ratios))
}

/// Prints the tables; or publishes them, and the first loads as a plot.
pub(crate) fn write(shapes: &[(Shape, usize)], costs: &Costs, publish: bool) -> Result<()> {
    let mut text = String::new();
    ratios(&mut text, shapes, costs)?;
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
