//! Commands that start the tasks of each stage: launcher, and batch script.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::error::{CommandError, Topic, causes};
use crate::config::campaign::LoadedCampaign;
use crate::config::site::{ExecutorConfig, TransportConfig};
use crate::plan::{Plan, PlannedMethod, launch_on_node};
use crate::scheduler::TaskJob;
use crate::task::Launch;

/// Directory of an attempt where there is no run yet.
const DIRECTORY: &str = "RUN_DIR/tasks/ID/ATTEMPT";

/// Commands that start the tasks of a method.
#[derive(Clone, Debug, serde::Serialize)]
pub struct MethodCommands {
    /// Remote host of the tasks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Directory of an attempt.
    #[serde(skip)]
    pub dir: PathBuf,
    /// Command line in front of an MPI program.
    pub launcher: Option<Vec<String>>,
    /// Command line in front of the task itself, in an allocation.
    pub on_node: Option<Vec<String>>,
    /// Batch script of a task; none if the tasks are no jobs.
    pub script: Option<BatchScript>,
}

/// Script of a job, and the command that submits it.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct BatchScript {
    /// Submit command of the scheduler.
    pub submit: &'static str,
    /// Content of the script.
    pub text: String,
}

/// Returns the commands that start the tasks of each method, by its name.
///
/// # Errors
///
/// Fails if a launcher or a batch script cannot be rendered.
pub fn method_commands(
    loaded: &LoadedCampaign,
    plan: &Plan,
) -> Result<BTreeMap<String, MethodCommands>, CommandError> {
    let methods = plan.methods.iter();
    methods
        .map(|(name, method)| Ok((name.clone(), commands(loaded, method)?)))
        .collect()
}

fn commands(
    loaded: &LoadedCampaign,
    method: &PlannedMethod,
) -> Result<MethodCommands, CommandError> {
    let site = &loaded.site;
    let partition = &method.partition;
    let failed = |error: &dyn std::error::Error| {
        let message = format!(
            "the tasks of method `{}` cannot be started: {}",
            method.name,
            causes(error)
        );
        CommandError::with_hint(message, format!("correct the site profile `{}`", site.name))
            .about(Topic::Site)
    };
    let launch = method.launch.clone();
    let shape = launch.as_ref().map(|launch| launch.shape.clone());
    let argv_of = |mut launch: Launch| {
        let nodes = launch.shape.nodes.get();
        launch.shape.hosts = (1..=nodes).map(|number| format!("HOST{number}")).collect();
        launch.shape.hostfile = Some("HOSTFILE".into());
        launch.argv()
    };
    let allocated = matches!(partition.executor, ExecutorConfig::Allocation { .. });
    let on_node = (allocated && launch.is_none()).then(|| launch_on_node(site, partition));
    let on_node = on_node.flatten().map(argv_of);
    let launcher = launch.map(argv_of);
    let argv = ["moldflow", "task", "exec", "job.json"].map(str::to_owned);
    let environment = &method.environment.defined;
    let in_blocks = partition.executor.blocks().is_some();
    let params = partition.submission_params(site).filter(|_| !in_blocks);
    let (host, dir) = match &partition.transport {
        Some(TransportConfig::Ssh(place)) => {
            let dir = place.work_dir.join("attempts/TOKEN");
            (Some(place.host.clone()), dir)
        }
        None => (None, PathBuf::from(DIRECTORY)),
    };
    let script = params.map(|params| {
        let script = params.job_script(&TaskJob {
            token: "TOKEN",
            shape: shape.as_ref(),
            limits: method.limits,
            environment,
            dir: dir.clone(),
            argv: &argv,
        });
        let submit = params.scheduler.dialect().submit;
        script.render().map(|text| BatchScript { submit, text })
    });
    Ok(MethodCommands {
        host,
        dir,
        launcher: launcher.transpose().map_err(|error| failed(&error))?,
        on_node: on_node.transpose().map_err(|error| failed(&error))?,
        script: script.transpose().map_err(|error| failed(&error))?,
    })
}
