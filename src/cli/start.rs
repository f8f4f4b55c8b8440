//! How the tasks of a campaign are started on its site: their launcher and their batch scripts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::allocation;
use super::chain;
use super::failure::{Failure, causes};
use super::sites::hostname;
use crate::config::campaign::{Loaded, MethodKind};
use crate::config::site::{Executor, Memory, Partition, Site, Submit, Transport};
use crate::exec::gpus::{VISIBLE, of_slots};
use crate::plan::{Plan, Planned};
use crate::scheduler::{Script, TaskJob};
use crate::simulate::Ranks;
use crate::task::{Launch, Shape};

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

/// What tasks see of `environment` because the profile says so.
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

/// How the MPI program of a method is started on a partition of a site.
pub fn launch(kind: &MethodKind, site: &Site, partition: &Partition) -> Option<Launch> {
    let ranks = ranks(kind)?;
    let local =
        matches!(partition.executor, Executor::Local { .. }) && partition.transport.is_none();
    let shape = Shape {
        hosts: if local { vec![hostname()] } else { Vec::new() },
        memory: memory(site),
        memory_per_task: partition.memory_per_task.map(|memory| memory.mebibytes()),
        gpus_per_task: partition.gpus_per_task,
        ..Shape::new(ranks.nodes, ranks.ranks_per_node, ranks.cores_per_rank)
    };
    Some(Launch {
        template: site.mpiexec_command.clone()?,
        shape,
    })
}

/// Memory of a node in MiB, where it is given.
pub fn memory(site: &Site) -> Option<u64> {
    match site.node.memory {
        Memory::Bytes(bytes) => Some(bytes >> 20),
        Memory::Auto => None,
    }
}

/// The script of the jobs in which the run in `dir` continues, with the variables that tasks see besides the usual ones, and
/// the folder of the commands by which its continuation is submitted, which is appended to PATH.
pub fn job_script(
    site: &Site,
    submit: &Submit,
    dir: &Path,
    executable: &Path,
    environment: &[(String, String)],
    commands: Option<&Path>,
) -> Result<String, Failure> {
    let params = submit.params(site);
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
        ..params.script(&TaskJob {
            token: &name,
            shape: None,
            timeout: Duration::MAX,
            environment,
            dir: dir.to_owned(),
            argv: &argv,
        })
    };
    script.render().map_err(|error| {
        let hint = format!("correct `submit` in the site profile `{}`", site.name);
        Failure::with_hint(causes(&error), hint)
    })
}

fn start(loaded: &Loaded, stage: &Planned) -> Result<Start, Failure> {
    let site = &loaded.site;
    let partition = &site.partitions[&stage.partition];
    let failed = |error: &dyn std::error::Error| {
        let message = format!(
            "the tasks of stage `{}` cannot be started: {}",
            stage.stage,
            causes(error)
        );
        Failure::with_hint(message, format!("correct the site profile `{}`", site.name))
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
    let in_blocks = partition.executor.blocks().is_some();
    let params = partition.submission_params(site).filter(|_| !in_blocks);
    let timeout = loaded.campaign.methods[&stage.method].timeout.into();
    let (host, dir) = match &partition.transport {
        Some(Transport::Ssh(place)) => {
            let dir = place.work_dir.join("attempts/TOKEN");
            (Some(place.host.clone()), dir)
        }
        None => (None, PathBuf::from(DIRECTORY)),
    };
    let script = params.map(|params| {
        let script = params.script(&TaskJob {
            token: "TOKEN",
            shape: shape.as_ref(),
            timeout,
            environment: &environment,
            dir: dir.clone(),
            argv: &argv,
        });
        let submit = params.scheduler.dialect().submit;
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
