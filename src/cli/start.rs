//! How the tasks of a campaign are started on its site: their launcher and their batch scripts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::chain;
use super::failure::{Failure, causes};
use crate::config::campaign::Loaded;
use crate::config::site::{Executor, Site, Submit, Transport};
use crate::exec::batch::{Script, Terms};
use crate::host::name::host_name;
use crate::plan::{HostEnvironment, Plan, PlannedStage, launch_on_node};
use crate::task::{Launch, Limits};

/// The directory of an attempt, which only a run knows.
const DIRECTORY: &str = "RUN_DIR/tasks/ID/ATTEMPT";

/// How the tasks of a stage are started.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Start {
    /// The host behind SSH that it is started on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The directory of an attempt.
    #[serde(skip)]
    pub dir: PathBuf,
    /// What goes before an MPI program.
    pub launcher: Option<Vec<String>>,
    /// What goes before the task itself, in an allocation.
    pub on_node: Option<Vec<String>>,
    pub script: Option<BatchScript>,
}

/// The script of a job, and the command that submits it.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct BatchScript {
    pub submit: &'static str,
    pub text: String,
}

/// How the tasks of each stage are started, by its name.
pub fn starts(loaded: &Loaded, plan: &Plan) -> Result<BTreeMap<String, Start>, Failure> {
    let stages = plan.stages().into_iter();
    stages
        .map(|stage| Ok((stage.stage.clone(), start(loaded, stage)?)))
        .collect()
}

/// Returns the host name and the environment variables of this process.
pub fn host_environment() -> HostEnvironment {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    HostEnvironment {
        host_name: host_name(),
        variables: variables.collect(),
    }
}

/// The script of the jobs in which the run in `dir` continues, with the variables that tasks see
/// besides the usual ones, and the folder of the commands by which its continuation is submitted,
/// which is appended to PATH.
pub fn job_script(
    site: &Site,
    submit: &Submit,
    dir: &Path,
    executable: &Path,
    environment: &[(String, String)],
    commands: Option<&Path>,
) -> Result<String, Failure> {
    let terms = Terms::of_campaign(site, submit);
    let text = |path: &Path| path.display().to_string();
    let argv = [
        text(executable),
        "resume".into(),
        text(dir),
        "--job".into(),
        submit.walltime.to_string().replace(' ', ""),
    ];
    let name = chain::job_name(dir, 1);
    let commands = commands.map(text);
    let script = Script {
        token: None,
        path: commands.as_deref(),
        ..terms.script(
            &name,
            None,
            Limits::new(Duration::MAX),
            environment,
            dir.to_owned(),
            &argv,
        )
    };
    script.render().map_err(|error| {
        let hint = format!("correct `submit` in the site profile `{}`", site.name);
        Failure::with_hint(causes(&error), hint)
    })
}

fn start(loaded: &Loaded, stage: &PlannedStage) -> Result<Start, Failure> {
    let site = &loaded.site;
    let partition = &stage.partition;
    let failed = |error: &dyn std::error::Error| {
        let message = format!(
            "the tasks of stage `{}` cannot be started: {}",
            stage.stage,
            causes(error)
        );
        Failure::with_hint(message, format!("correct the site profile `{}`", site.name))
    };
    let launch = stage.launch.clone();
    let shape = launch.as_ref().map(|launch| launch.shape.clone());
    let argv_of = |mut launch: Launch| {
        let nodes = launch.shape.nodes.get();
        launch.shape.hosts = (1..=nodes).map(|number| format!("HOST{number}")).collect();
        launch.shape.hostfile = Some("HOSTFILE".into());
        launch.argv()
    };
    let allocated = matches!(partition.executor, Executor::Allocation { .. });
    let on_node = (allocated && launch.is_none()).then(|| launch_on_node(site, partition));
    let on_node = on_node.flatten().map(argv_of);
    let launcher = launch.map(argv_of);
    let argv = ["moldflow", "task", "exec", "job.json"].map(str::to_owned);
    let environment = &stage.environment.defined;
    let in_blocks = matches!(
        &partition.executor,
        Executor::Slurm {
            blocks: Some(_),
            ..
        }
    );
    let terms = Terms::of(site, partition).filter(|_| !in_blocks);
    let (host, dir) = match &partition.transport {
        Some(Transport::Ssh(place)) => {
            let dir = place.work_dir.join("attempts/TOKEN");
            (Some(place.host.clone()), dir)
        }
        None => (None, PathBuf::from(DIRECTORY)),
    };
    let script = terms.map(|terms| {
        let dir = dir.clone();
        let script = terms.script(
            "TOKEN",
            shape.as_ref(),
            stage.limits,
            environment,
            dir,
            &argv,
        );
        let submit = terms.system.submit();
        script.render().map(|text| BatchScript { submit, text })
    });
    Ok(Start {
        host,
        dir,
        launcher: launcher.transpose().map_err(|error| failed(&error))?,
        on_node: on_node.transpose().map_err(|error| failed(&error))?,
        script: script.transpose().map_err(|error| failed(&error))?,
    })
}
