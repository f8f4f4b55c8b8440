//! Steps of a run from its locked directory to its outcome, for `run` and `resume`.
//!
//! Each step takes the state that the step before it returned: `LockedRun` -> `VerifiedRun` ->
//! `PreparedRun` -> `FinishedRun` -> `RunOutcome`. So no task starts before the run directory is
//! verified, and dependency jobs are settled only after the files of the run are written.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::error::{CommandError, Topic, causes};
use super::executors::executors;
use super::host::{host_environment, own_executable};
use super::inheritance::{self, Inheritance, InheritedMolecules};
use super::job_chain::{self, CurrentJob};
use super::log::start_log;
use super::notify::Notifier;
use super::observer::{RunMonitor, SessionObserver};
use super::outcome::RunOutcome;
use super::page_writer::{self, PageWriter};
use super::remote_hosts::RemoteHosts;
use super::run_store::open_store;
use super::settings_changes::{self, SettingsChanges};
use super::{
    audit, cache, changed_campaign, functions, report_page, requirements, run_dir, signals,
};
use crate::config::campaign::LoadedCampaign;
use crate::config::draw::StageDraw;
use crate::config::site;
use crate::config::site::Submit;
use crate::config::source::{self, Source};
use crate::driver::{
    Driver, ExecutionContext, InheritedResults, InitialMolecules, RunEnd, TaskRun,
};
use crate::engine::{Engine, stream};
use crate::exec::{Scratch, Secrets};
use crate::plan::Plan;
use crate::report::{self, RunState};
use crate::store::Store;

/// Choices of the user for a run that is resumed; the default for a new one.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunOptions {
    /// Accepts settings that were changed in the run directory.
    pub accept_changes: bool,
    /// Walltime of the job of `moldflow submit` in which this process runs.
    pub job_walltime: Option<Duration>,
}

/// Run directory that this process has locked, with its campaign, site and plan.
pub struct LockedRun {
    dir: PathBuf,
    /// Lock of the directory.
    _lock: File,
    loaded: LoadedCampaign,
    plan: Plan,
    /// Text of the campaign with the values of `--set`; none without such values.
    changed_campaign: Option<String>,
}

impl LockedRun {
    /// Makes and locks the directory of a new run: `dir`, or a new folder in `runs_dir`. With
    /// `inheritance` it begins with the results of an earlier run.
    ///
    /// # Errors
    ///
    /// Fails if `dir` holds a run already or cannot be written.
    pub async fn create(
        loaded: LoadedCampaign,
        plan: Plan,
        dir: Option<PathBuf>,
        runs_dir: &Path,
        inheritance: Option<&Inheritance>,
    ) -> Result<Self, CommandError> {
        let (dir, lock) = run_dir::reserve(&loaded, dir, runs_dir)?;
        if let Some(inheritance) = inheritance {
            inheritance.save(&dir).await?;
        }
        run_dir::describe(&loaded, &dir)?;
        Ok(Self {
            dir,
            _lock: lock,
            loaded,
            plan,
            changed_campaign: None,
        })
    }

    /// Locks and reads the directory of an existing run, with values of `--set`, `KEY=VALUE`.
    /// `notify` receives one line for each file that was restored.
    ///
    /// # Errors
    ///
    /// Fails if `dir` is not a run directory, if another process has locked it, if its campaign, its
    /// site or a value is wrong, or if a program that the campaign needs is missing.
    pub async fn open(
        dir: &Path,
        set: &[String],
        notify: &mut dyn FnMut(&str),
    ) -> Result<Self, CommandError> {
        let dir = run_dir::existing(dir)?;
        run_dir::refuse_first_version(&dir).await?;
        let lock = run_dir::lock(&dir)?;
        changed_campaign::settle_campaign(&dir).await?;
        changed_campaign::refuse_params(&dir, set)?;
        let loaded = run_dir::load_with(&dir, set, notify).await?;
        let (loaded, plan) = requirements::programs(loaded)?;
        functions::load(&loaded, &plan)
            .map_err(|faults| CommandError::from(faults).about(Topic::Python))?;
        let changed_campaign = match set {
            [] => None,
            set => {
                let text = run_dir::campaign_text(&dir)?;
                Some(settings_changes::with_values_set(
                    &text,
                    set,
                    &loaded.campaign,
                )?)
            }
        };
        Ok(Self {
            dir,
            _lock: lock,
            loaded,
            plan,
            changed_campaign,
        })
    }

    /// Path of the run directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Resolved site profile of the run.
    pub fn site(&self) -> &site::Site {
        &self.loaded.site
    }

    /// Executes the run until it ends or stops, and returns its outcome.
    ///
    /// # Errors
    ///
    /// Fails if the run directory is damaged, if its settings were changed and the changes are not
    /// accepted, if an executor cannot start, or if the host refuses something on which the run
    /// depends.
    pub async fn execute(
        self,
        hosts: RemoteHosts,
        options: RunOptions,
        observer: &mut dyn SessionObserver,
    ) -> Result<RunOutcome, CommandError> {
        // First, so that Ctrl-C is heard while molecules are drawn or a journal is replayed.
        let interrupts = signals::interrupts()?;
        let verified = self.verify(options.accept_changes).await?;
        let prepared = verified
            .prepare(hosts, options.job_walltime, observer)
            .await?;
        let finished = prepared.drive(interrupts, observer).await?;
        finished.conclude().await
    }

    /// Opens the log and the database, and compares both journal and settings with what was written
    /// before.
    async fn verify(self, accept_changes: bool) -> Result<VerifiedRun, CommandError> {
        let Self {
            dir,
            loaded,
            plan,
            changed_campaign,
            ..
        } = &self;
        start_log(dir)?;
        audit::verify_if_small(dir, plan).await?;
        let mut store = open_store(dir, &loaded.campaign, plan).await?;
        store.hold([dir.join(run_dir::LOCK)])?;
        let campaign = &loaded.campaign;
        let set = changed_campaign.clone();
        let settings =
            SettingsChanges::find(dir, &mut store, campaign, accept_changes, set).await?;
        Ok(VerifiedRun {
            run: self,
            store,
            settings,
        })
    }
}

/// Run whose directory is undamaged and whose settings may be used.
struct VerifiedRun {
    run: LockedRun,
    store: Store,
    settings: SettingsChanges,
}

impl VerifiedRun {
    /// Starts the executors, replays the journal and draws the molecules of a new run.
    async fn prepare(
        mut self,
        hosts: RemoteHosts,
        job_walltime: Option<Duration>,
        observer: &mut dyn SessionObserver,
    ) -> Result<PreparedRun, CommandError> {
        let source = match self.store.facts().await? {
            0 => Some(source(&self.run.loaded)?),
            _ => None,
        };
        let reading = source.as_ref().and_then(|source| source.reading());
        if let Some(reading) = reading {
            self.store.keep_names(&reading.names).await?;
        }
        let inherited = match source {
            Some(_) => InheritedMolecules::of(&self.run.dir)?,
            None => None,
        };
        if let Some(inherited) = &inherited {
            self.store.keep_names(&inherited.names).await?;
        }
        observer.set_names(self.store.names().await?);
        let submit = self.run.loaded.site.submit.clone();
        let job = submit.zip(job_walltime);
        let Self {
            run,
            store,
            settings,
        } = self;
        let driver = driver(&run, store, &settings, hosts, job.as_ref(), observer).await?;
        let drawn = match source.as_deref().filter(|_| driver.is_fresh()) {
            Some(source) => draw(source, &run, inherited.as_ref())?,
            None => InitialMolecules::default(),
        };
        observer.notice(&format!("run directory {}", run.dir.display()));
        if let Some(reading) = reading {
            observer.notice(&format!("{}: {reading}", reading.file));
        }
        if job.is_some() && driver.is_ended() {
            observer.notice("the run ended before this job started: nothing is left to do");
        }
        Ok(PreparedRun {
            run,
            driver,
            drawn,
            submit: job.map(|(submit, _)| submit),
        })
    }
}

/// Run that is ready to start or to resume its tasks.
struct PreparedRun {
    run: LockedRun,
    driver: Driver<TaskRun>,
    drawn: InitialMolecules,
    /// Settings of the job in which this process runs; none outside of one.
    submit: Option<Submit>,
}

impl PreparedRun {
    /// Runs tasks until the run ends or stops.
    async fn drive(
        self,
        interrupts: watch::Receiver<u32>,
        observer: &mut dyn SessionObserver,
    ) -> Result<FinishedRun, CommandError> {
        let Self {
            run,
            mut driver,
            drawn,
            submit,
        } = self;
        let job = match submit.filter(|_| !driver.is_ended()) {
            Some(submit) => {
                let job = CurrentJob::begin(&run.dir, &submit, driver.progress().ended);
                let failed = |e| CommandError::new(format!("could not read the list of jobs: {e}"));
                Some(job.map_err(failed)?)
            }
            None => None,
        };
        let context =
            report_page::page_context(&run.dir, &run.loaded, &run.plan, RunState::Running);
        let page = PageWriter::begin(&run.dir, context, page_writer::EVERY);
        let campaign = &run.loaded.campaign;
        // A run that had ended before is no news.
        let settings = campaign.notify.as_ref().filter(|_| !driver.is_ended());
        let notifier = settings.and_then(|settings| {
            Notifier::start(settings, &campaign.name, &run.dir, secrets(&run))
        });
        let mut monitor = RunMonitor {
            observer,
            job,
            notifier,
            page,
        };
        if let Some(text) = &run.changed_campaign {
            changed_campaign::write_new_campaign(&run.dir, text)?;
        }
        driver.begin(drawn).await?;
        changed_campaign::settle_campaign(&run.dir).await?;
        let (ending, store) = driver.work(interrupts, &mut monitor).await?;
        monitor.observer.finish();
        Ok(FinishedRun {
            job: monitor.job,
            notifier: monitor.notifier,
            run,
            store,
            ending,
        })
    }
}

/// Run whose tasks this process no longer drives.
struct FinishedRun {
    run: LockedRun,
    store: Store,
    ending: RunEnd,
    job: Option<CurrentJob>,
    notifier: Option<Notifier>,
}

impl FinishedRun {
    /// Writes the record files and the report page, then settles the dependency jobs.
    async fn conclude(self) -> Result<RunOutcome, CommandError> {
        let Self {
            run,
            mut store,
            ending,
            job,
            notifier,
        } = self;
        report::write_records(&mut store, &run.dir).await?;
        let state = RunState::of(&store.summary().await?, false);
        let context = report_page::page_context(&run.dir, &run.loaded, &run.plan, state);
        report_page::write(&mut store, &run.dir, &context).await?;
        // Last: the next job must not begin while this process works on the run.
        let next = job.and_then(|job| job.end(ending));
        let outcome = RunOutcome::read(&run.dir, &run.plan, &mut store, ending, next).await?;
        store.close().await?;
        if let Some(notifier) = notifier {
            notifier.end(&outcome);
        }
        Ok(outcome)
    }
}

/// Starts the executors of a run and makes its driver, which replays the journal.
async fn driver(
    run: &LockedRun,
    mut store: Store,
    settings: &SettingsChanges,
    hosts: RemoteHosts,
    job: Option<&(Submit, Duration)>,
    observer: &mut dyn SessionObserver,
) -> Result<Driver<TaskRun>, CommandError> {
    let LockedRun {
        dir, loaded, plan, ..
    } = run;
    let info = store.run_info().await?;
    let (reports, received) = mpsc::unbounded_channel();
    let executable = own_executable()?;
    let executors = executors(&loaded.site, &executable, &info.name, &reports, hosts)?;
    let mut notify = |line: &str| {
        tracing::warn!("{line}");
        observer.notice(line);
    };
    let cache = cache::open(loaded, plan, &info.name, &mut notify).await;
    let context = ExecutionContext {
        run: info.name,
        run_dir: dir.clone(),
        methods: plan.methods.clone(),
        scratch: Scratch::new(loaded.site.scratch.clone(), dir.clone()),
        executors,
        time: job.map(|(submit, walltime)| job_chain::time_left(submit, *walltime)),
    };
    let plan = settings.initial.applied_to(plan);
    let (engine, program) = (Engine::new(plan), TaskRun { executable });
    let mut driver = Driver::new(engine, store, context, received, program).await?;
    settings.refuse_without_effect(dir, run.changed_campaign.is_some(), &driver)?;
    driver.change(settings.change.clone());
    let inherited = InheritedResults::open(&dir.join(inheritance::RESULTS)).await;
    let inherited = inherited.map_err(|e| CommandError::new(causes(&e)))?;
    let driver = driver.with_inherited(inherited);
    let driver = driver.with_secrets(secrets(run));
    Ok(match cache {
        Some(cache) => driver.with_cache(cache),
        None => driver,
    })
}

/// Returns the secrets in the environment of this process and of the tasks of a run.
fn secrets(run: &LockedRun) -> Secrets {
    let given = run.loaded.site.partitions.values();
    let given = given.flat_map(|partition| partition.environment.clone());
    Secrets::among(host_environment().variables.into_iter().chain(given))
}

/// Returns the source of molecules that was read when the campaign was checked, or else reads it.
fn source(loaded: &LoadedCampaign) -> Result<Arc<Source>, CommandError> {
    match &loaded.source {
        Some(source) => Ok(Arc::clone(source)),
        // The database is there, but a crash kept the draw out of it.
        None => Ok(Arc::new(source::open(&loaded.campaign, Path::new("."))?)),
    }
}

/// Draws the molecules of the stages that take them from the source, and some more.
/// Those of an earlier run are not drawn: their objective is known, or they failed.
fn draw(
    source: &Source,
    run: &LockedRun,
    inherited: Option<&InheritedMolecules>,
) -> Result<InitialMolecules, CommandError> {
    let known = inherited
        .map(InheritedMolecules::molecules)
        .unwrap_or_default();
    let failed = inherited
        .map(InheritedMolecules::quarantined)
        .unwrap_or_default();
    let seed = stream(run.loaded.campaign.seed, "draw", 0);
    let drawn = source.draw_for(seed, run.plan.draws(), &known, &failed);
    // There may be few left of a pool that an earlier run has computed.
    if drawn.found < drawn.asked && known.is_empty() {
        let StageDraw { found, asked, .. } = drawn;
        let message = format!(
            "the source has only {found} molecules of the search space, but {asked} are to be drawn"
        );
        return Err(CommandError::with_hint(
            message,
            "lower the numbers of `molecules: {random: N}`, or widen the search space",
        )
        .about(Topic::SearchSpace));
    }
    Ok(InitialMolecules {
        stages: drawn.stages,
        reserve: drawn.reserve,
        pool: run.plan.needs_pool().then(|| source.all()),
        inherited: inherited.map(InheritedMolecules::fact),
    })
}
