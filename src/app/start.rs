//! Launchers and batch scripts by which the tasks of a campaign start on its site.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::allocation;
use super::error::{CommandError, causes};
use super::job_chain;
use crate::config::campaign::{Loaded, MethodKind};
use crate::config::site::{Executor, Partition, Site, Submit, Transport};
use crate::exec::batch::{Script, Terms};
use crate::exec::gpus::{VISIBLE, of_slots};
use crate::host::name::host_name;
use crate::plan::{Plan, Planned};
use crate::simulate::Ranks;
use crate::task::{Launch, Shape};

/// Directory of an attempt where there is no run yet.
const DIRECTORY: &str = "RUN_DIR/tasks/ID/ATTEMPT";

/// Commands that start the tasks of a stage.
#[derive(Clone, Debug, serde::Serialize)]
pub struct StageCommands {
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
    pub script: Option<BatchScript>,
}

/// Script of a job, and the command that submits it.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct BatchScript {
    pub submit: &'static str,
    pub text: String,
}

/// Returns the commands that start the tasks of each stage, by its name.
///
/// # Errors
///
/// Fails if a launcher or a batch script cannot be rendered.
pub fn stage_commands(
    loaded: &Loaded,
    plan: &Plan,
) -> Result<BTreeMap<String, StageCommands>, CommandError> {
    let stages = plan.stages().into_iter();
    stages
        .map(|stage| Ok((stage.stage.clone(), commands(loaded, stage)?)))
        .collect()
}

/// Returns the variables of `environment` that the profile passes on to tasks.
pub fn passed(
    site: &Site,
    environment: impl Iterator<Item = (String, String)>,
) -> Vec<(String, String)> {
    let allowed = |name: &str| {
        site.pass_environment
            .iter()
            .any(|word| match word.strip_suffix('*') {
                Some(prefix) => name.starts_with(prefix),
                None => name == word,
            })
    };
    environment.filter(|(name, _)| allowed(name)).collect()
}

/// Variables of the tasks of a method on a partition.
pub fn environment(kind: &MethodKind, partition: &Partition) -> Vec<(String, String)> {
    // Each process of an MPI program inherits them.
    let cores = ranks(kind).map_or(partition.cores_per_task, |ranks| ranks.cores_per_rank);
    let threads =
        ["OMP_NUM_THREADS", "RAYON_NUM_THREADS"].map(|name| (name.to_owned(), cores.to_string()));
    let given = partition.environment.clone();
    // The only slot of another host; on this host the executor sets them.
    let is_elsewhere =
        partition.transport.is_some() && matches!(partition.executor, Executor::Local { .. });
    let gpus = of_slots(1, partition.gpus_per_task, 0, None).unwrap_or_default();
    let gpus = gpus
        .into_iter()
        .filter(|set| is_elsewhere && !set.is_empty())
        .map(|set| (VISIBLE.to_owned(), set));
    // A later one of the same name counts.
    let all: BTreeMap<String, String> = threads.into_iter().chain(gpus).chain(given).collect();
    all.into_iter().collect()
}

fn ranks(kind: &MethodKind) -> Option<Ranks> {
    match kind {
        MethodKind::Simulate { engine, .. } => engine.simulator().ranks(),
        MethodKind::Train { .. } | MethodKind::Generate { .. } | MethodKind::Screen { .. } => None,
    }
}

/// Returns the launcher of the MPI program of a method on a partition; none if the method has no
/// MPI program.
pub fn launch(kind: &MethodKind, site: &Site, partition: &Partition) -> Option<Launch> {
    let ranks = ranks(kind)?;
    let local =
        matches!(partition.executor, Executor::Local { .. }) && partition.transport.is_none();
    let shape = Shape {
        hosts: if local { vec![host_name()] } else { Vec::new() },
        memory: site.node.memory_mib(),
        memory_per_task: partition.memory_per_task.map(|memory| memory.mebibytes()),
        gpus_per_task: partition.gpus_per_task,
        ..Shape::new(ranks.nodes, ranks.ranks_per_node, ranks.cores_per_rank)
    };
    Some(Launch {
        template: site.mpiexec_command.clone()?,
        shape,
    })
}

/// Returns the script of the jobs that run the run in `dir`. `environment` holds further variables
/// of tasks; `commands` is the folder of the scheduler's commands, which is appended to PATH.
///
/// # Errors
///
/// Fails if a value of the profile cannot stand in a script.
pub fn job_script(
    site: &Site,
    submit: &Submit,
    dir: &Path,
    executable: &Path,
    environment: &[(String, String)],
    commands: Option<&Path>,
) -> Result<String, CommandError> {
    let terms = Terms::of_campaign(site, submit);
    let text = |path: &Path| path.display().to_string();
    let argv = [
        text(executable),
        "resume".into(),
        text(dir),
        "--job".into(),
        submit.walltime.to_string().replace(' ', ""),
    ];
    let name = job_chain::job_name(dir, 1);
    let commands = commands.map(text);
    let script = Script {
        token: None,
        path: commands.as_deref(),
        ..terms.script(
            &name,
            None,
            Duration::MAX,
            environment,
            dir.to_owned(),
            &argv,
        )
    };
    script.render().map_err(|error| {
        let hint = format!("correct `submit` in the site profile `{}`", site.name);
        CommandError::with_hint(causes(&error), hint)
    })
}

fn commands(loaded: &Loaded, stage: &Planned) -> Result<StageCommands, CommandError> {
    let site = &loaded.site;
    let partition = &site.partitions[&stage.partition];
    let failed = |error: &dyn std::error::Error| {
        let message = format!(
            "the tasks of stage `{}` cannot be started: {}",
            stage.stage,
            causes(error)
        );
        CommandError::with_hint(message, format!("correct the site profile `{}`", site.name))
    };
    let kind = &loaded.campaign.methods[&stage.method].kind;
    let launch = launch(kind, site, partition);
    let shape = launch.as_ref().map(|launch| launch.shape.clone());
    let argv_of = |mut launch: Launch| {
        let nodes = launch.shape.nodes.get();
        launch.shape.hosts = (1..=nodes).map(|number| format!("HOST{number}")).collect();
        launch.shape.hostfile = Some("HOSTFILE".into());
        launch.argv()
    };
    let allocated = matches!(partition.executor, Executor::Allocation { .. });
    let on_node = (allocated && launch.is_none()).then(|| allocation::on_node(site, partition));
    let on_node = on_node.flatten().map(argv_of);
    let launcher = launch.map(argv_of);
    let argv = ["moldflow", "task", "exec", "job.json"].map(str::to_owned);
    let environment = environment(kind, partition);
    let in_blocks = matches!(
        &partition.executor,
        Executor::Slurm {
            blocks: Some(_),
            ..
        }
    );
    let terms = Terms::of(site, partition).filter(|_| !in_blocks);
    let timeout = loaded.campaign.methods[&stage.method].timeout.into();
    let (host, dir) = match &partition.transport {
        Some(Transport::Ssh(place)) => {
            let dir = place.work_dir.join("attempts/TOKEN");
            (Some(place.host.clone()), dir)
        }
        None => (None, PathBuf::from(DIRECTORY)),
    };
    let script = terms.map(|terms| {
        let dir = dir.clone();
        let script = terms.script("TOKEN", shape.as_ref(), timeout, &environment, dir, &argv);
        let submit = terms.system.submit();
        script.render().map(|text| BatchScript { submit, text })
    });
    Ok(StageCommands {
        host,
        dir,
        launcher: launcher.transpose().map_err(|error| failed(&error))?,
        on_node: on_node.transpose().map_err(|error| failed(&error))?,
        script: script.transpose().map_err(|error| failed(&error))?,
    })
}
