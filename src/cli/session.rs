//! A run from its directory to its end: what `run` and `resume` share.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Args;
use tokio::sync::{mpsc, watch};

use super::Exit;
use super::chain::{self, Continuation};
use super::executors::executors;
use super::failure::Failure;
use super::progress::Display;
use super::terminal::{print, say};
use super::ways::Ways;
use super::{audit, cache, run_dir, settings, start};
use crate::config::campaign::{Campaign, Loaded, Objective};
use crate::config::source::{self, Source};
use crate::driver::{
    Driver, ExecutionContext, InitialMolecules, PartitionUsage, RunEnd, RunObserver, TaskRun,
};
use crate::engine::{Engine, EngineConfig, Progress, stream};
use crate::exec::{Scratch, Secrets};
use crate::plan::Plan;
use crate::report::{self, RunState};
use crate::store::{FailureRow, RunInfo, Store};
use crate::task::{HostFault, StoppedBy};

/// Molecules drawn beyond the initial ones, for when those fail and for fresh starts of the
/// generator.
const RESERVE: usize = 256;
/// Molecules in the table at the end.
const SHOWN: u32 = 10;

/// What is printed.
#[derive(Args, Clone, Copy, Debug)]
pub struct Output {
    /// Print the outcome as one JSON object
    #[arg(long)]
    pub json: bool,
    /// No progress
    #[arg(long)]
    pub quiet: bool,
}

/// What `resume` may be told of the run that it goes on with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    /// That settings were changed on purpose.
    pub accept_changes: bool,
    /// The walltime of the job of `moldflow submit` in which this is done.
    pub job: Option<Duration>,
}

/// Runs or resumes what is in `dir`, whose lock is held by `_lock`, and says what came of it.
pub async fn work(
    dir: &Path,
    _lock: File,
    loaded: &Loaded,
    plan: &Plan,
    output: Output,
    ways: Ways,
    told: Told,
) -> Result<Exit, Failure> {
    // First, so that Ctrl-C is heard while molecules are drawn or a journal is replayed.
    let interrupts = interrupts()?;
    start_log(dir)?;
    let mut display = Display::new(output.quiet, dir);
    audit::verify_if_small(dir, loaded, plan).await?;
    let mut store = open_store(dir, &loaded.campaign).await?;
    store.hold([dir.join(run_dir::LOCK)])?;
    let begun = settings::begun(dir, &mut store, &loaded.campaign, told.accept_changes).await?;
    let source = match store.facts().await? {
        0 => Some(source(loaded)?),
        _ => None,
    };
    let reading = source.as_ref().and_then(|source| source.reading());
    if let Some(reading) = reading {
        store.keep_names(&reading.names).await?;
    }
    display.set_names(store.names().await?);
    let info = store.run_info().await?;
    let (reports, received) = mpsc::unbounded_channel();
    let executable = super::own_executable()?;
    let submit = loaded.site.submit.as_ref().zip(told.job);
    let executors = executors(&loaded.site, &executable, &info.name, &reports, ways)?;
    let mut say = |line: &str| {
        tracing::warn!("{line}");
        display.say(line);
    };
    let cache = cache::open(loaded, plan, &info.name, &mut say).await;
    let context = ExecutionContext {
        run: info.name,
        run_dir: dir.to_owned(),
        stages: plan.stages_by_name(),
        scratch: Scratch::new(loaded.site.scratch.clone(), dir.to_owned()),
        executors,
        time: submit.map(|(submit, walltime)| chain::time_left(submit, walltime)),
    };
    let config = EngineConfig {
        stop: begun.stop.clone(),
        ..EngineConfig::new(&loaded.campaign, plan)
    };
    let (seed, initial) = (config.seed, config.initial_count);
    let wall_time = loaded.campaign.stop.wall_time.map(Duration::from);
    let mut driver = Driver::new(
        Engine::new(config),
        store,
        context,
        received,
        TaskRun { executable },
        wall_time,
    )
    .await?;
    if driver.is_ended() && begun.changed.is_some() {
        let message = format!(
            "the run in `{}` has ended: its settings cannot change any more",
            dir.display()
        );
        return Err(Failure::with_hint(
            message,
            "put the old ones back, or begin a new run",
        ));
    }
    driver.change(begun.changed.clone());
    let host = start::host_environment();
    let given = loaded.site.partitions.values();
    let given = given.flat_map(|partition| partition.environment.clone());
    let driver = driver.with_secrets(Secrets::among(host.variables.into_iter().chain(given)));
    let driver = match cache {
        Some(cache) => driver.with_cache(cache),
        None => driver,
    };
    let drawn = match source.as_deref().filter(|_| driver.is_fresh()) {
        Some(source) => draw(source, seed, initial)?,
        None => InitialMolecules::default(),
    };
    display.say(&format!("run directory {}", dir.display()));
    if let Some(reading) = reading {
        display.say(&format!("{}: {reading}", reading.file));
    }
    if submit.is_some() && driver.is_ended() {
        display.say("the run had ended before this job began: there is nothing left to do");
    }
    let continuation = match submit {
        Some((submit, _)) if !driver.is_ended() => {
            let begun = Continuation::begin(dir, submit, driver.progress().ended);
            Some(begun.map_err(|e| Failure::new(format!("could not read the list of jobs: {e}")))?)
        }
        _ => None,
    };
    let mut watched = Watched {
        display,
        continuation,
    };
    let (ending, mut store) = driver.run(drawn, interrupts, &mut watched).await?;
    watched.display.finish();
    if begun.changed.is_some() {
        begun.keep(&mut store).await?;
    }
    report::write_records(&mut store, dir).await?;
    super::report::leave(&mut store, dir, loaded, plan).await?;
    // Last: the next job must not begin while this engine is at work.
    let next = watched.continuation.and_then(|it| it.end(ending));
    let ended = conclude(dir, &mut store, &loaded.campaign, ending, next, output).await?;
    store.close().await?;
    Ok(ended)
}

/// Those who watch a run: the terminal, and the job that is to go on.
struct Watched {
    display: Display,
    continuation: Option<Continuation>,
}

impl RunObserver for Watched {
    fn report_progress(&mut self, progress: &Progress, usage: &[PartitionUsage]) {
        self.display.report_progress(progress, usage);
        if let Some(continuation) = &mut self.continuation {
            continuation.told(progress.ended);
        }
    }

    fn draining(&mut self, why: RunEnd) {
        self.display.draining(why);
    }

    fn halted(&mut self, fault: HostFault) {
        self.display.halted(fault);
    }

    fn left_behind(&mut self, what: &str) {
        self.display.left_behind(what);
    }
}

/// The source of molecules, as it was judged when the campaign was checked.
fn source(loaded: &Loaded) -> Result<Arc<Source>, Failure> {
    match &loaded.source {
        Some(source) => Ok(Arc::clone(source)),
        // The database is there, but a crash kept the draw out of it.
        None => Ok(Arc::new(source::open(&loaded.campaign, Path::new("."))?)),
    }
}

/// Draws the initial molecules and some more.
fn draw(source: &Source, seed: u64, count: usize) -> Result<InitialMolecules, Failure> {
    let mut initial = source.draw(stream(seed, "draw", 0), count + RESERVE, &|_| true);
    if initial.len() < count {
        let message = format!(
            "the source has only {} molecules of the search space, and {count} are to be drawn",
            initial.len()
        );
        return Err(Failure::with_hint(
            message,
            "lower the count of the initial stage, or widen the search space",
        ));
    }
    let reserve = initial.split_off(count);
    Ok(InitialMolecules { initial, reserve })
}

/// The database of the run, made if this is its beginning.
async fn open_store(dir: &Path, campaign: &Campaign) -> Result<Store, Failure> {
    let info = RunInfo {
        // Hash keys are random.
        name: format!("{:016x}", RandomState::new().build_hasher().finish()),
        campaign: campaign.name.clone(),
        created: jiff::Timestamp::now().as_millisecond(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let mut store = Store::create(dir, &info).await?;
    let home = fs::metadata(dir)
        .map_err(|e| Failure::io(&format!("could not look at `{}`", dir.display()), &e))?;
    // By its number, not by its path: a run directory may be moved while its tasks run.
    if store.settle(&home.ino().to_string(), &info.name).await? {
        tracing::info!(
            "this directory is a copy of the one that the run was in: its tasks get another name"
        );
    }
    Ok(store)
}

/// What the engine does from now on goes to `runtime.log`.
fn start_log(dir: &Path) -> Result<(), Failure> {
    let path = dir.join(run_dir::LOG);
    let log = OpenOptions::new().create(true).append(true).open(&path);
    let log = log.map_err(|e| Failure::io(&format!("could not open `{}`", path.display()), &e))?;
    let subscriber = tracing_subscriber::fmt()
        .with_writer(Mutex::new(log))
        .with_ansi(false)
        // They would be printed to a terminal that may be gone.
        .log_internal_errors(false)
        .with_target(false);
    // A second call, in one process, keeps the first log.
    let _ = tracing::subscriber::set_global_default(subscriber.finish());
    Ok(())
}

/// Counts Ctrl-C, SIGTERM and SIGHUP.
fn interrupts() -> Result<watch::Receiver<u32>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = |e: std::io::Error| Failure::io("could not listen for signals", &e);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    // Under `nohup` the run is to outlive its terminal.
    let mut hangup = match is_ignored(libc::SIGHUP) {
        true => None,
        false => Some(signal(SignalKind::hangup()).map_err(failed)?),
    };
    let hung_up = async move || match &mut hangup {
        Some(hangup) => hangup.recv().await,
        None => std::future::pending().await,
    };
    let (sender, receiver) = watch::channel(0);
    tokio::spawn(async move {
        let mut hung_up = hung_up;
        for count in 1.. {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {}, _ = hung_up() => {} }
            let _ = sender.send(count);
        }
    });
    Ok(receiver)
}

/// Whether this process was started with a signal ignored.
fn is_ignored(signal: i32) -> bool {
    // SAFETY: all zeros is a valid `sigaction`, and without a new one the call only writes the
    // present one.
    let (answer, present) = unsafe {
        let mut present: libc::sigaction = std::mem::zeroed();
        let answer = libc::sigaction(signal, std::ptr::null(), &mut present);
        (answer, present)
    };
    answer == 0 && present.sa_sigaction == libc::SIG_IGN
}

/// Prints the end of a run.
async fn conclude(
    dir: &Path,
    store: &mut Store,
    campaign: &Campaign,
    ending: RunEnd,
    next: Option<String>,
    output: Output,
) -> Result<Exit, Failure> {
    let summary = store.summary().await?;
    if output.json {
        let state = RunState::of(&summary, false);
        print(&format!("{:#}\n", report::final_json(dir, &summary, state)))?;
    } else {
        let best = store.best(SHOWN).await?;
        if !best.is_empty() {
            let per_atom = campaign.objective == Objective::AtomizationEnergyPerAtom;
            print(&format!("{}\n", report::best_table(&best, per_atom)))?;
        }
    }
    let counts = &summary.counts;
    let done = format!(
        "{} evaluations ({} failed{}), {} batches",
        counts.evaluations,
        counts.failures,
        report::kinds(": ", &summary.failures_by_kind),
        counts.batches
    );
    let next = next.unwrap_or_else(|| format!("`moldflow resume {}` goes on", dir.display()));
    let ended = match ending {
        RunEnd::Interrupted => {
            say(&format!("interrupted after {done}; {next}"));
            return Ok(Exit::Interrupted);
        }
        RunEnd::NodesLost => {
            say(&format!(
                "a partition has lost all its nodes, after {done}; {next}"
            ));
            return Ok(Exit::Interrupted);
        }
        // As it should be: Cobalt lets a job that failed hold back those that wait for it.
        RunEnd::JobOver => {
            say(&format!(
                "the time of this job is over, after {done}; {next}"
            ));
            return Ok(Exit::Finished);
        }
        RunEnd::Stopped(stopped_by) => stopped_by,
    };
    if !output.quiet || !ended.is_success() {
        say(&format!("{done}: {}", ended.sentence()));
    }
    if ended.is_success() && counts.evaluations > counts.failures {
        return Ok(Exit::Finished);
    }
    if let Some(failure) = store.last_failure().await? {
        let FailureRow {
            task,
            stage,
            attempt,
            kind,
            message,
            ..
        } = failure;
        let name = failure
            .name
            .map_or_else(String::new, |name| format!(" ({name})"));
        let of = failure
            .smiles
            .map_or_else(String::new, |s| format!(" of {s}{name}"));
        say(&format!(
            "the last failure, task {task}{of} in stage `{stage}` ({kind}), kept in tasks/{task}/{attempt}:\n{message}"
        ));
    }
    if ended == StoppedBy::References {
        say(&format!(
            "hint: `moldflow resume {}` computes the missing free atoms again",
            dir.display()
        ));
    }
    Ok(Exit::NothingComputed)
}
