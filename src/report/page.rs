//! Report page `report.html`: a run on one page without other files, scripts and network.

use std::collections::BTreeMap;

use handlebars::Handlebars;
use serde::Serialize;

use super::figures::{self, PredictedValue};
use super::json::RunState;
use super::places::{self, PartitionEntry, StageEntry};
use super::{ReportError, timestamp};
use crate::chem::units::hartree_to_kcal_per_mol;
use crate::config::site::Site;
use crate::store::{CandidateRow, EngineRow, FailureRow, NamedCount, RunCounts, Store, Summary};
use crate::task::{Prediction, StoppedBy};

/// Name of the page in a run directory.
pub const FILE: &str = "report.html";

const TEMPLATE: &str = include_str!("../../templates/report.html.hbs");
/// Number of best molecules shown.
const BEST: u32 = 20;
/// Number of last failures shown.
const FAILURES: u32 = 10;
/// Most lines of a message.
const LINES: usize = 4;
/// Most characters of a line.
const LINE: usize = 240;

/// Data of the page that are not in the database of the run.
pub struct PageContext<'a> {
    /// State of the run.
    pub state: RunState,
    /// Level of theory.
    pub level_of_theory: String,
    /// Site profile of the run.
    pub site: &'a Site,
    /// The partition of each method.
    pub partitions: BTreeMap<String, String>,
    /// Present time, milliseconds since the Unix epoch.
    pub at: i64,
}

/// Returns the page of a run, HTML. SMILES and messages are not trusted: the template escapes all
/// texts, and the charts escape theirs.
///
/// # Errors
///
/// Fails if the database cannot be read.
pub async fn page(store: &mut Store, context: &PageContext<'_>) -> Result<String, ReportError> {
    let Summary {
        run,
        stopped_by,
        counts,
        failures_by_kind,
        failed_attempts_by_kind,
        ..
    } = store.summary().await?;
    let candidates = store.candidates().await?;
    let evaluated = figures::evaluated(&candidates);
    let predictions = figures::predictions(&candidates);
    let stages = store.stages().await?;
    let objective = &run.objective;
    let best = store.best(BEST, objective.highest).await?;
    let unit = objective.unit.as_str();
    let in_hartree = unit == "hartree";
    let extreme = if objective.highest {
        "highest"
    } else {
        "lowest"
    };
    let filled = PageData {
        campaign: &run.campaign,
        state: context.state.word(),
        why: why(context.state, stopped_by.as_deref()),
        written: timestamp(context.at),
        begun: timestamp(run.created),
        objective: format!("{extreme} {}", objective.label),
        heading: objective.heading(),
        unit,
        level: &context.level_of_theory,
        site: &context.site.name,
        retries: store.retries().await?,
        failures_by_kind,
        failed_attempts_by_kind,
        in_hartree,
        is_named: best.iter().any(|row| row.name.is_some()),
        best: (1..).zip(&best).map(molecule).collect(),
        progress: (!evaluated.is_empty()).then(|| figures::progress(&evaluated, objective)),
        foresight: (!predictions.is_empty()).then(|| PredictionQuality::new(&predictions, unit)),
        batches: figures::batches(&evaluated, &store.batches().await?),
        failures: failures(store.last_failed_attempts(FAILURES).await?),
        places: places::places(context.site, &stages, &context.partitions),
        stages: places::stages(&stages, &context.partitions),
        engines: store.engines().await?,
        begun_by: &run.version,
        version: env!("CARGO_PKG_VERSION"),
        counts: PageCounts::from(&counts),
    };
    let mut handlebars = Handlebars::new();
    handlebars.set_strict_mode(true);
    let text = handlebars.render_template(TEMPLATE, &filled);
    text.map_err(|error| ReportError::Template(Box::new(error)))
}

/// Data of the template `report.html.hbs`.
#[derive(Serialize)]
struct PageData<'a> {
    campaign: &'a str,
    state: &'a str,
    why: String,
    written: String,
    begun: String,
    objective: String,
    /// Name of the objective with its unit.
    heading: String,
    unit: &'a str,
    level: &'a str,
    site: &'a str,
    counts: PageCounts,
    retries: i64,
    failures_by_kind: Vec<NamedCount>,
    failed_attempts_by_kind: Vec<NamedCount>,
    /// True if values are also shown in kcal/mol.
    in_hartree: bool,
    /// True if any molecule of `best` has a name.
    is_named: bool,
    best: Vec<MoleculeEntry>,
    progress: Option<String>,
    foresight: Option<PredictionQuality>,
    batches: Vec<String>,
    failures: Vec<FailureEntry>,
    places: Vec<PartitionEntry>,
    stages: Vec<StageEntry>,
    engines: Vec<EngineRow>,
    begun_by: &'a str,
    version: &'a str,
}

#[derive(Serialize)]
struct PageCounts {
    evaluations: i64,
    failures: i64,
    cached: i64,
    batches: i64,
    queued: i64,
    in_flight: i64,
}

impl From<&RunCounts> for PageCounts {
    fn from(counts: &RunCounts) -> Self {
        Self {
            evaluations: counts.evaluations,
            failures: counts.failures,
            cached: counts.cached,
            batches: counts.batches,
            queued: counts.queued,
            in_flight: counts.in_flight,
        }
    }
}

#[derive(Serialize)]
struct MoleculeEntry {
    place: usize,
    smiles: String,
    name: String,
    value: String,
    kcal_mol: String,
    batch: String,
    rank: i64,
    predicted: String,
}

#[derive(Serialize)]
struct PredictionQuality {
    svg: String,
    count: usize,
    /// Mean of |predicted - computed|, hartree.
    error: String,
    error_kcal_mol: String,
    /// Candidates whose error is within one predicted standard deviation.
    within: usize,
}

impl PredictionQuality {
    fn new(predictions: &[PredictedValue], unit: &str) -> Self {
        let errors = predictions.iter().map(PredictedValue::error);
        let error = errors.sum::<f64>() / predictions.len() as f64;
        let is_within = |p: &&PredictedValue| p.error() <= p.prediction.std;
        Self {
            svg: figures::foresight(predictions, unit),
            count: predictions.len(),
            error: format!("{error:.6}"),
            error_kcal_mol: format!("{:.2}", hartree_to_kcal_per_mol(error)),
            within: predictions.iter().filter(is_within).count(),
        }
    }
}

#[derive(Serialize)]
struct FailureEntry {
    molecule: String,
    name: String,
    task: i64,
    attempt: i64,
    stage: String,
    kind: String,
    at: String,
    message: String,
}

fn why(state: RunState, stopped_by: Option<&str>) -> String {
    match (state, stopped_by) {
        (RunState::Running, _) => "an engine is at work".into(),
        (RunState::Interrupted, _) => {
            "no engine is at work; `moldflow resume` continues the run".into()
        }
        (RunState::Finished, Some(word)) => StoppedBy::of_word(word)
            .map_or_else(|| word.to_owned(), |reason| reason.sentence().to_owned()),
        (RunState::Finished, None) => String::new(),
    }
}

fn molecule((place, row): (usize, &CandidateRow)) -> MoleculeEntry {
    let number = |value: Option<f64>, decimals| {
        value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
    };
    MoleculeEntry {
        place,
        smiles: row.smiles.clone(),
        name: row.name.clone().unwrap_or_default(),
        value: number(row.objective, 6),
        kcal_mol: number(row.objective.map(hartree_to_kcal_per_mol), 2),
        batch: match row.batch {
            0 => "source".into(),
            batch => batch.to_string(),
        },
        rank: row.rank,
        predicted: match row.prediction() {
            Some(Prediction { mean, std }) => format!("{mean:.6} ± {std:.6}"),
            None => "-".into(),
        },
    }
}

fn failures(rows: Vec<FailureRow>) -> Vec<FailureEntry> {
    let failed = |row: FailureRow| FailureEntry {
        molecule: row.smiles.unwrap_or_else(|| "-".into()),
        name: row.name.unwrap_or_default(),
        task: row.task,
        attempt: row.attempt,
        stage: row.stage,
        kind: row.kind,
        at: timestamp(row.at),
        message: beginning(&row.message),
    };
    rows.into_iter().map(failed).collect()
}

/// Returns the first lines of a message, with control characters replaced.
fn beginning(message: &str) -> String {
    let line = |line: &str| -> String {
        let letters = line.chars().take(LINE);
        letters
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect()
    };
    let mut lines: Vec<String> = message.lines().take(LINES).map(line).collect();
    if message.lines().nth(LINES).is_some() {
        lines.push("...".into());
    }
    lines.join("\n")
}
