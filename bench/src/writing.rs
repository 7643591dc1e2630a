//! Every method, every size of payload, every pass, several times.

use anyhow::Result;

use crate::meter::{Cost, Meter, server};
use crate::methods::{Method, Row};
use crate::objects::{Objects, Reading, SHAPES, Shape, deletion, seconds};
use crate::report;

/// What is measured.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How often; the median counts.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Only this table.
    #[arg(long)]
    table: Option<String>,
    /// Only methods with this in their name.
    #[arg(long, default_value = "")]
    method: String,
    /// Rows, in parts of the usual number.
    #[arg(long, default_value_t = 1.0)]
    share: f64,
    /// Write table and plot into bench/README.md and bench/writing.svg.
    #[arg(long)]
    publish: bool,
}

/// What is written in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pass {
    /// Into an empty table.
    First,
    /// The same rows again.
    Unchanged,
    /// The same objects as they are read an hour later.
    ReadAgain,
    /// Every object changed.
    Changed,
    /// As before, but every hundredth object is gone.
    Deletions,
}

impl Pass {
    pub(crate) const ALL: [Pass; 5] =
        [Pass::First, Pass::Unchanged, Pass::ReadAgain, Pass::Changed, Pass::Deletions];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Pass::First => "first load",
            Pass::Unchanged => "same again",
            Pass::ReadAgain => "read again, unchanged",
            Pass::Changed => "all changed",
            Pass::Deletions => "1% deleted",
        }
    }

    fn rows(self, objects: &Objects) -> Vec<Row> {
        let reading = match self {
            Pass::First | Pass::Unchanged => Reading::First,
            Pass::ReadAgain => Reading::Later,
            Pass::Changed | Pass::Deletions => Reading::Changed,
        };
        let payloads = objects.read(reading).into_iter().zip(&objects.ids).enumerate();
        let seconds = seconds(reading);
        payloads
            .map(|(at, (payload, id))| match self {
                Pass::Deletions if at % 100 == 0 => {
                    Row { id: id.clone(), payload: deletion(id), seconds, deleted: true }
                }
                _ => Row { id: id.clone(), payload, seconds, deleted: false },
            })
            .collect()
    }
}

/// One line of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) table: &'static str,
    pub(crate) pass: Pass,
    pub(crate) method: Method,
}

/// What a case cost, per run.
pub(crate) type Costs = Vec<(Case, Vec<Cost>)>;

#[expect(clippy::print_stderr, reason = "it takes minutes; somebody may watch")]
pub(crate) async fn run(options: &Options) -> Result<()> {
    let mut costs = Costs::new();
    let mut shapes = Vec::new();
    let wanted = |shape: &Shape| options.table.as_ref().is_none_or(|table| table == shape.table);
    for shape in SHAPES.into_iter().filter(wanted) {
        let rows = (shape.rows as f64 * options.share) as usize;
        let objects = Objects::of(Shape { rows, ..shape })?;
        shapes.push((objects.shape, objects.mean_bytes()));
        for run in 0..options.runs {
            for method in
                Method::all().into_iter().filter(|method| method.to_string().contains(&options.method))
            {
                eprintln!("{} run {} of {}: {method}", shape.table, run + 1, options.runs);
                one_method(method, &objects, &mut costs).await?;
            }
        }
    }
    report::write(&shapes, &costs, options.publish)
}

async fn one_method(method: Method, objects: &Objects, costs: &mut Costs) -> Result<()> {
    // A server each: what one leaves behind must not weigh on the next.
    let cluster = server();
    let url = cluster.database("bench").await;
    method.set_up(&url, objects).await?;
    let meter = Meter::of(&cluster, &url).await?;
    for pass in Pass::ALL.into_iter().filter(|pass| *pass == Pass::First || method.can_repeat()) {
        let prepared = method.prepare(&pass.rows(objects));
        let cost = meter.measure(method.write(&url, objects, &prepared)).await?;
        let case = Case { table: objects.shape.table, pass, method };
        match costs.iter_mut().find(|(known, _)| *known == case) {
            Some((_, costs)) => costs.push(cost),
            None => costs.push((case, vec![cost])),
        }
    }
    Ok(())
}
