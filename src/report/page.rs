//! Report page `report.html`: a run on one page without other files and network, and readable without
//! scripts.

use std::collections::BTreeMap;

use handlebars::{Handlebars, handlebars_helper, html_escape};
use serde::Serialize;

use super::charts::{self, ChartData, ChartPartition, ChartSection};
use super::cost::{CostEntry, cost};
use super::json::RunState;
use super::molecules::{DRAWN, MoleculeEntry, headings, prediction_headings};
use super::places::{self, PartitionEntry, StageEntry};
use super::script::{self, SCRIPT};
use super::verdict::verdict;
use super::{ReportError, timestamp};
use crate::config::site::Site;
use crate::store::{
    CandidateRow, EngineRow, FailureRow, NamedCount, ObjectiveInfo, RunCounts, Store, Summary,
};
use crate::task::StoppedBy;

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
#[derive(Clone)]
pub struct PageContext {
    /// State of the run.
    pub state: RunState,
    /// Level of theory.
    pub level_of_theory: String,
    /// Conditions that the molecules of the result must meet, as the campaign writes them.
    pub constraints: Vec<String>,
    /// Site profile of the run.
    pub site: Site,
    /// The partition of each method.
    pub partitions: BTreeMap<String, String>,
    /// Cores of a task of each method.
    pub cores: BTreeMap<String, usize>,
    /// Value of the objective at which the run ends.
    pub target: Option<f64>,
    /// How the run was begun, and how it is repeated.
    pub origin: RunOrigin,
    /// Present time, milliseconds since the Unix epoch.
    pub at: i64,
}

/// Settings with which a run was begun.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RunOrigin {
    /// Last part of the path of the run directory.
    pub directory: String,
    /// Seed of the random streams.
    pub seed: u64,
    /// True if one seed gives the same molecules again: `--schedule batch`.
    pub is_repeatable: bool,
    /// Campaign as resolved, YAML.
    pub campaign: String,
    /// Site profile as resolved, YAML, without secrets.
    pub site: String,
}

/// Returns the page of a run, HTML. SMILES and messages are not trusted: the template escapes all
/// texts, the charts escape theirs, and the page allows no script but its own.
///
/// # Errors
///
/// Fails if the database cannot be read.
pub async fn page(store: &mut Store, context: &PageContext) -> Result<String, ReportError> {
    let summary = store.summary().await?;
    let objectives = summary.run.objectives.clone();
    let highest = summary
        .run
        .only_objective()
        .map(|objective| objective.highest);
    let best = match highest {
        Some(highest) => store.best(BEST, highest).await?,
        None => summary.front.clone(),
    };
    let found = store.search_counts(highest == Some(true)).await?;
    let candidates = store.candidates().await?;
    let evaluated = charts::evaluated(&candidates);
    let (stages, times) = (store.stages().await?, store.time_by_method().await?);
    let found_and_target = (&found, context.target);
    let cost = cost(
        &times,
        &context.cores,
        &objectives,
        &evaluated,
        found_and_target,
    );
    let charts = draw(store, context, &objectives, &candidates).await?;
    let (folded, charts) = charts.into_iter().partition(ChartSection::is_folded);
    let best = entries(store, &best, &objectives).await?;
    let filled = PageData {
        policy: script::policy(),
        script: SCRIPT,
        verdict: verdict(&summary, context.state, &found),
        state: context.state.word(),
        why: why(context.state, summary.stopped_by.as_deref()),
        written: timestamp(context.at),
        begun: timestamp(summary.run.created),
        objective: sought(&objectives),
        constraints: &context.constraints,
        headings: headings(&objectives),
        predicted: prediction_headings(&objectives),
        is_front: objectives.len() > 1,
        hypervolume: summary.hypervolume.map(|volume| format!("{volume:.6}")),
        level: &context.level_of_theory,
        site: &context.site.name,
        retries: store.retries().await?,
        kinds: kinds(&summary),
        is_named: best.iter().any(MoleculeEntry::is_named),
        drawn: best.len().min(DRAWN),
        viewed: best
            .iter()
            .find_map(|entry| Some(entry.view()?.svg.clone())),
        best,
        charts,
        folded,
        cost,
        failures: failures(store.last_failed_attempts(FAILURES).await?),
        places: places::places(&context.site, &stages, &context.partitions),
        stages: places::stages(&stages, &context.partitions),
        engines: store.engines().await?,
        origin: &context.origin,
        version: env!("CARGO_PKG_VERSION"),
        counts: PageCounts::from(&summary.counts),
        campaign: &summary.run.campaign,
        begun_by: &summary.run.version,
    };
    let mut handlebars = Handlebars::new();
    handlebars.set_strict_mode(true);
    handlebars_helper!(coded: |text: str| with_code(text));
    handlebars.register_helper("coded", Box::new(coded));
    let text = handlebars.render_template(TEMPLATE, &filled);
    text.map_err(|error| ReportError::Template(Box::new(error)))
}

/// Text of a person as HTML: what it has between backticks is code.
fn with_code(text: &str) -> String {
    let parts = text.split('`').map(html_escape).enumerate();
    let parts = parts.map(|(n, part)| match n % 2 {
        0 => part,
        _ => format!("<code>{part}</code>"),
    });
    parts.collect()
}

/// Draws the charts of a run.
async fn draw(
    store: &mut Store,
    context: &PageContext,
    objectives: &[ObjectiveInfo],
    candidates: &[CandidateRow],
) -> Result<Vec<ChartSection>, ReportError> {
    Ok(charts::sections(&ChartData {
        objectives,
        candidates,
        evaluated: charts::evaluated(candidates),
        batches: &store.batches().await?,
        spans: &store.attempt_spans().await?,
        pauses: &store.pauses().await?,
        partitions: &partitions(context),
        has_ended: context.state == RunState::Finished,
        at: context.at,
    }))
}

/// Returns the best molecules as entries, with the geometries of those that are drawn.
async fn entries(
    store: &mut Store,
    best: &[CandidateRow],
    objectives: &[ObjectiveInfo],
) -> Result<Vec<MoleculeEntry>, ReportError> {
    let mut entries = Vec::new();
    for (place, row) in (1..).zip(best) {
        let xyz = match place <= DRAWN {
            true => store.geometry(row.batch, row.rank).await?,
            false => None,
        };
        entries.push(MoleculeEntry::new(place, row, xyz.as_deref(), objectives));
    }
    Ok(entries)
}

/// Returns the partitions of the site with the methods that run in them.
fn partitions(context: &PageContext) -> Vec<ChartPartition> {
    let partitions = context.site.partitions.iter();
    let partition = partitions.map(|(name, partition)| {
        let methods = context.partitions.iter();
        let methods = methods.filter(|(_, of)| *of == name);
        ChartPartition {
            name: name.clone(),
            slots: partition.slot_count(&context.site.node),
            methods: methods.map(|(method, _)| method.clone()).collect(),
        }
    });
    partition.collect()
}

/// Data of the template `report.html.hbs`.
#[derive(Serialize)]
struct PageData<'a> {
    /// Content security policy: what the page may load and run.
    policy: String,
    script: &'static str,
    campaign: &'a str,
    verdict: String,
    state: &'a str,
    why: String,
    written: String,
    begun: String,
    objective: String,
    constraints: &'a [String],
    /// Names of the objectives with their units, and `kcal/mol` behind one in hartree.
    headings: Vec<String>,
    /// Headings of the predictions.
    predicted: Vec<String>,
    /// True if the run has several objectives, and `best` is their front.
    is_front: bool,
    hypervolume: Option<String>,
    level: &'a str,
    site: &'a str,
    counts: PageCounts,
    retries: i64,
    kinds: Vec<KindEntry>,
    /// True if any molecule of `best` has a name.
    is_named: bool,
    /// Number of the molecules of `best` that are drawn.
    drawn: usize,
    /// Picture of the first geometry.
    viewed: Option<String>,
    best: Vec<MoleculeEntry>,
    charts: Vec<ChartSection>,
    /// Charts that are shown on demand.
    folded: Vec<ChartSection>,
    cost: CostEntry,
    failures: Vec<FailureEntry>,
    places: Vec<PartitionEntry>,
    stages: Vec<StageEntry>,
    engines: Vec<EngineRow>,
    origin: &'a RunOrigin,
    begun_by: &'a str,
    version: &'a str,
}

/// Failures of a kind.
#[derive(Serialize)]
struct KindEntry {
    kind: String,
    attempts: i64,
    molecules: i64,
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

/// Returns the kinds of failures, with failed attempts and molecules that failed for good.
fn kinds(summary: &Summary) -> Vec<KindEntry> {
    let count_of = |counts: &[NamedCount], kind: &str| {
        let of = counts.iter().find(|count| count.name == kind);
        of.map_or(0, |count| count.count)
    };
    let attempts = summary.failed_attempts_by_kind.iter();
    let kind = attempts.map(|attempts| KindEntry {
        kind: attempts.name.clone(),
        attempts: attempts.count,
        molecules: count_of(&summary.failures_by_kind, &attempts.name),
    });
    kind.collect()
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

/// The objectives in words: `lowest gap, eV`.
fn sought(objectives: &[ObjectiveInfo]) -> String {
    let objectives = objectives.iter().map(|objective| {
        let unit = match objective.unit.as_str() {
            "" => String::new(),
            unit => format!(", {unit}"),
        };
        format!("{} {}{unit}", objective.superlative(), objective.label)
    });
    objectives.collect::<Vec<_>>().join("; ")
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
