//! How the tasks of a campaign are started on its site: their launcher and their batch scripts.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use super::failure::{Failure, causes};
use crate::exec::batch::{Script, System};
use crate::exec::launcher::{self, Shape};
use crate::plan::{Plan, Planned};
use crate::spec::campaign::Loaded;
use crate::spec::site::{Memory, Partition};

/// The directory of an attempt, which only a run knows.
const DIRECTORY: &str = "RUN_DIR/tasks/ID/ATTEMPT";

/// How the tasks of a stage are started.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Start {
    /// What goes before an MPI program.
    pub launcher: Option<Vec<String>>,
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

/// Variables of every task of a partition.
pub fn environment(partition: &Partition) -> Vec<(String, String)> {
    let cores = partition.cores_per_task.to_string();
    let threads =
        ["OMP_NUM_THREADS", "RAYON_NUM_THREADS"].map(|name| (name.to_owned(), cores.clone()));
    let given = partition.environment.clone();
    // A later one of the same name counts.
    let all: BTreeMap<String, String> = threads.into_iter().chain(given).collect();
    all.into_iter().collect()
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
    let ranks: Option<(NonZeroUsize, NonZeroUsize)> = None;
    let (ranks_per_node, cores_per_rank) =
        ranks.unwrap_or((NonZeroUsize::MIN, partition.cores_per_task));
    let launcher = match (&site.mpiexec_command, ranks) {
        (Some(template), Some(_)) => {
            let nodes = partition.executor.nodes_per_task();
            let shape = Shape {
                nodes,
                ranks_per_node,
                cores_per_rank,
                hosts: (1..=nodes.get())
                    .map(|number| format!("HOST{number}"))
                    .collect(),
                hostfile: "HOSTFILE".into(),
                memory: match site.node.memory {
                    Memory::Bytes(bytes) => bytes >> 30,
                    Memory::Auto => 0,
                },
            };
            Some(launcher::render(template, &shape).map_err(|error| failed(&error))?)
        }
        _ => None,
    };
    let argv = ["moldflow", "task", "exec", "job.json"].map(str::to_owned);
    let environment = environment(partition);
    let script = System::of(&partition.executor).zip(partition.executor.batch());
    let script = script.map(|(system, batch)| {
        let script = Script {
            system,
            batch,
            name: "TOKEN",
            ranks_per_node,
            cores_per_rank,
            setup: partition.setup.as_deref().unwrap_or(&site.setup),
            environment: &environment,
            dir: PathBuf::from(DIRECTORY),
            argv: &argv,
        };
        let submit = system.submit();
        script.render().map(|text| BatchScript { submit, text })
    });
    Ok(Start {
        launcher,
        script: script.transpose().map_err(|error| failed(&error))?,
    })
}
