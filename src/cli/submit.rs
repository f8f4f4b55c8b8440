//! `moldflow submit`: runs a campaign in batch jobs, one after the other until it has ended.

use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::Args;

use super::terminal::say;
use super::{CampaignArguments, ExitStatus, print};
use crate::app::error::{CommandError, causes};
use crate::app::host::{host_environment, own_executable};
use crate::app::job_chain::{self, JobChain};
use crate::app::job_script::job_script;
use crate::app::node_shares::share;
use crate::app::{allocation, remote_hosts, requirements, run_dir};
use crate::config::campaign::LoadedCampaign;
use crate::config::duration::Duration;
use crate::config::site::Submit;
use crate::exec::on_path;
use crate::exec::transport::LocalTransport;
use crate::plan::passed_variables;
use crate::scheduler::Nodes;
use crate::store::Store;
use crate::task::StoppedBy;

#[derive(Args)]
pub(super) struct SubmitArguments {
    /// Campaign file, or a run directory to resume
    #[command(flatten)]
    pub campaign: CampaignArguments,
    /// Nodes of a job, instead of those of the site profile
    #[arg(long, value_name = "N")]
    pub nodes: Option<NonZeroUsize>,
    /// Time of a job, instead of that of the site profile
    #[arg(long, value_name = "T")]
    pub walltime: Option<Duration>,
    /// Submit this many jobs at once, each to start when the previous one has ended, for sites
    /// where jobs cannot submit jobs
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub chain: Option<u16>,
    /// Folder in which the run directory is made
    #[arg(long, value_name = "DIR", default_value = "runs", value_parser = super::path())]
    pub runs_dir: PathBuf,
    /// The run directory itself, instead of one named by the time and a hash
    #[arg(long, value_name = "DIR", conflicts_with = "runs_dir", value_parser = super::path())]
    pub run_dir: Option<PathBuf>,
    /// Print run directory and job as one JSON object
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(arguments: &SubmitArguments) -> Result<ExitStatus, CommandError> {
    run_dir::keep_private();
    let path = &arguments.campaign.campaign;
    let (dir, submit) = if path.is_dir() {
        refuse_changes(arguments)?;
        let dir = run_dir::existing(path)?;
        // Held until the script is written: no engine may be at work on it.
        let _lock = run_dir::lock(&dir)?;
        super::wait(unfinished(&dir))?;
        let (loaded, _) = super::wait(run_dir::load(&dir, &mut say))?;
        let submit = asked(arguments, &loaded)?;
        write_script(&dir, &loaded, &submit)?;
        (dir, submit)
    } else {
        let (mut loaded, _) = requirements::checked(path, &arguments.campaign.overrides())?;
        let submit = asked(arguments, &loaded)?;
        loaded.site.submit = Some(submit.clone());
        // Before anything is written.
        job_script(
            &loaded.site,
            &submit,
            Path::new("."),
            Path::new("moldflow"),
            &[],
            None,
        )?;
        let of = format!("the job of site `{}`", loaded.site.name);
        let mut here = LocalTransport::new(&own_executable()?);
        remote_hosts::check_scheduler(submit.system, &mut here, &of)?;
        let (dir, _lock) =
            run_dir::create(&loaded, arguments.run_dir.clone(), &arguments.runs_dir)?;
        write_script(&dir, &loaded, &submit)?;
        (dir, submit)
    };
    submit_first(&dir, &submit, arguments.json)
}

/// Refuses changes to the settings of a run that has started.
fn refuse_changes(arguments: &SubmitArguments) -> Result<(), CommandError> {
    let CampaignArguments {
        site,
        set,
        seed,
        schedule,
        ..
    } = &arguments.campaign;
    let same = site.is_none() && set.is_empty() && seed.is_none() && schedule.is_none();
    if same && arguments.run_dir.is_none() {
        return Ok(());
    }
    Err(CommandError::with_hint(
        "the settings of a run that has started cannot be changed",
        "with a run directory, only `--nodes`, `--walltime` and `--chain` are allowed",
    ))
}

/// Returns the job to submit: that of the profile with the changes of the command line.
fn asked(arguments: &SubmitArguments, loaded: &LoadedCampaign) -> Result<Submit, CommandError> {
    let site = &loaded.site;
    let Some(mut submit) = site.submit.clone() else {
        let message = format!(
            "the site `{}` has no block `submit`, which describes the job",
            site.name
        );
        let hint = "add one to its profile: `submit: {system: slurm, nodes: 4, walltime: 1h}`";
        return Err(CommandError::with_hint(message, hint));
    };
    let command = submit.system.program();
    if on_path(command).is_none() {
        let message = format!(
            "the jobs of site `{}` are submitted by `{command}`, which is not on PATH",
            site.name
        );
        let hint = "run this on a login node of the site";
        return Err(CommandError::with_hint(message, hint));
    }
    submit.nodes = arguments.nodes.unwrap_or(submit.nodes);
    submit.walltime = arguments.walltime.unwrap_or(submit.walltime);
    let chain = arguments
        .chain
        .and_then(|count| NonZeroUsize::new(count.into()));
    submit.chain = chain.or(submit.chain);
    let names = (1..=submit.nodes.get()).map(|number| number.to_string());
    share(site, &Nodes::Named(names.collect())).map_err(|error| allocation::unfit(&error))?;
    Ok(submit)
}

/// Checks that the run in a directory has not ended.
async fn unfinished(dir: &Path) -> Result<(), CommandError> {
    if !dir.join(crate::store::FILE).exists() {
        return Ok(());
    }
    let summary = Store::open_to_read(dir).await?.summary().await?;
    match summary.stopped_by.as_deref() {
        None => Ok(()),
        // It can be taken up again.
        Some(word) if word == StoppedBy::References.word() => Ok(()),
        Some(_) => Err(CommandError::new(format!(
            "the run in `{}` has ended",
            dir.display()
        ))),
    }
}

fn write_script(dir: &Path, loaded: &LoadedCampaign, submit: &Submit) -> Result<(), CommandError> {
    let executable = own_executable()?;
    let passed = passed_variables(&loaded.site, &host_environment().variables);
    // A job's PATH may lack the folder in which its own continuation is submitted.
    let commands = on_path(submit.system.program());
    let commands = commands.as_deref().and_then(Path::parent);
    let text = job_script(&loaded.site, submit, dir, &executable, &passed, commands)?;
    let path = dir.join(job_chain::SCRIPT);
    // Cobalt takes only what can be executed.
    fs::write(&path, text)
        .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o700)))
        .map_err(|e| CommandError::new(format!("could not write `{}`: {e}", path.display())))
}

fn submit_first(dir: &Path, submit: &Submit, json: bool) -> Result<ExitStatus, CommandError> {
    let system = submit.system;
    let file = |e| CommandError::new(format!("could not read or write the list of jobs: {e}"));
    let _lock = JobChain::lock(dir);
    let mut chain = JobChain::load(dir).map_err(file)?;
    if let Some(job) = chain.last()
        && system.has_job(&job.id, &job.name) == Some(true)
    {
        let message = format!("job {} of this run is already waiting or running", job.id);
        let hint = format!("see `moldflow status {}`", dir.display());
        return Err(CommandError::with_hint(message, hint));
    }
    let count = submit.chain.map_or(1, NonZeroUsize::get);
    chain.up_front = submit.chain.is_some();
    let mut ids: Vec<String> = Vec::new();
    for _ in 0..count {
        let after = ids.last().map(String::as_str);
        let place = chain.submit(dir, system, after).map_err(|error| {
            let again = format!("`moldflow submit {}` tries again", dir.display());
            match ids.is_empty() {
                true => CommandError::with_hint(
                    causes(&error),
                    format!("the run directory exists; {again}"),
                ),
                false => CommandError::with_hint(
                    format!(
                        "only {} of {count} jobs were submitted: {}",
                        ids.len(),
                        causes(&error)
                    ),
                    format!(
                        "the run continues in {}; once they have ended, {again}",
                        ids.join(", ")
                    ),
                ),
            }
        })?;
        ids.push(chain.jobs[place].id.clone());
        (chain.stopped, chain.trouble) = (None, None);
        chain.save(dir).map_err(file)?;
    }
    print(&if json {
        let mut object = serde_json::json!({"run_dir": dir, "job": ids[0]});
        if chain.up_front {
            object["jobs"] = serde_json::json!(ids);
        }
        format!("{object:#}\n")
    } else {
        let jobs = match ids.as_slice() {
            [id] => format!("job {id}"),
            ids => format!("jobs {}", ids.join(", ")),
        };
        format!(
            "run directory {}\n{jobs}: {} nodes for {}; `moldflow status {0}` shows its progress\n",
            dir.display(),
            submit.nodes,
            submit.walltime
        )
    })?;
    Ok(ExitStatus::Finished)
}
