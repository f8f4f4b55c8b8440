//! Command lines of blocks and steps: the options of a block's job, and the `srun` of a task in it.

use std::path::Path;

use super::block_executor::BlockParams;
use crate::exec::process::CLIENT;
use crate::exec::{Job, job_wrapper};
use crate::scheduler::slurm::minutes;

/// Options of the job that holds a block.
pub fn block_options(params: &BlockParams) -> Vec<String> {
    let (batch, resources) = (&params.terms.batch, &params.terms.resources);
    let tasks = params.tasks_per_node;
    let mut options = vec![
        format!("--time={}", minutes(params.policy.walltime)),
        format!("--nodes={}", params.nodes),
        format!("--cpus-per-task={}", params.terms.cores_per_task),
        format!("--ntasks-per-node={tasks}"),
    ];
    let memory = resources.memory.map(|each| each * tasks as u64);
    options.extend(memory.map(|memory| format!("--mem={memory}M")));
    options.extend(gres(resources.gpus * tasks));
    let constraint = resources.constraint.iter();
    options.extend(constraint.map(|constraint| format!("--constraint={constraint}")));
    let queue = batch.queue.iter();
    options.extend(queue.map(|queue| format!("--partition={queue}")));
    let account = batch.account.iter();
    options.extend(account.map(|account| format!("--account={account}")));
    options.extend(batch.options.iter().cloned());
    options.push("--output=/dev/null".into());
    options.push("--wrap=exec sleep infinity".into());
    options
}

/// Words of the `srun` that runs the script of a task named `name` in the block with job id `id`.
/// `dir`: directory of the attempt.
pub fn srun(params: &BlockParams, name: &str, id: &str, dir: &Path) -> Vec<String> {
    let nodes = params.nodes_per_task;
    let resources = &params.terms.resources;
    let mut argv: Vec<String> = [
        "srun",
        "--exact",
        "--ntasks-per-node=1",
        "--quiet",
        "--input=none",
        "--mpi=none",
        // Its processes on other nodes only hold those: they end with the first.
        "--wait=1",
    ]
    .map(str::to_owned)
    .into();
    argv.extend([
        format!("--nodes={nodes}"),
        format!("--ntasks={nodes}"),
        format!("--jobid={id}"),
        format!("--cpus-per-task={}", params.terms.cores_per_task),
        // Without a number of its own each step would take all memory of the block; 0 shares it.
        format!("--mem={}M", resources.memory.unwrap_or(0)),
        format!("--job-name={name}"),
        format!("--chdir={}", dir.display()),
        // Steps that the task's launcher starts share the resources of this one.
        "--export=ALL,SLURM_OVERLAP=1".into(),
    ]);
    argv.extend(gres(resources.gpus));
    argv.push("/bin/sh".into());
    argv.push(job_wrapper::script_of(dir).display().to_string());
    argv
}

/// GPUs of each node, as Slurm's options name them.
fn gres(gpus: usize) -> Option<String> {
    (gpus > 0).then(|| format!("--gres=gpu:{gpus}"))
}

/// Script of a step: the task runs on the first of its nodes, and its launcher reaches the others.
pub fn script(params: &BlockParams, argv: &[String]) -> String {
    let mut lines = vec![format!("unset {CLIENT}")];
    let hold = "[ \"$SLURM_PROCID\" = 0 ] || exec sleep infinity".to_owned();
    lines.extend((params.nodes_per_task > 1).then_some(hold));
    lines.extend(params.terms.setup.iter().cloned());
    job_wrapper::script(&lines, argv)
}

/// Job of the client of a task's step.
pub fn client_job(job: &Job, argv: Vec<String>) -> Job {
    Job {
        argv,
        env: Vec::new(),
        files: Vec::new(),
        links: Vec::new(),
        limits: job.limits.of_client(),
        shape: None,
        worker: None,
        ..job.clone()
    }
}
