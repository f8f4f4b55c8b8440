//! Checks of memory, GPUs and constraints of partitions, and of `options` that would override them.

use super::diagnostic::{Diagnostic, Diagnostics};
use super::site::{ExecutorConfig, Memory, PartitionConfig, Site};
use super::tree::TreeNode;
use crate::scheduler::SchedulerKind;
use crate::scheduler::options::{self, OwnRequests, Refusal};

/// Collects the errors of a well-formed profile.
pub fn check(site: &Site, tree: &TreeNode, diagnostics: &mut Diagnostics) {
    for (name, partition) in &site.partitions {
        let mut report = |path: &[&str], message: String, hint: &str| {
            let path = [&["partitions", name], path].concat();
            let place = tree.find(&path).clone();
            diagnostics.push(Diagnostic::new(message).at(place).hint(hint));
        };
        fits_node(site, name, partition, &mut report);
        can_be_asked_for(name, partition, &mut report);
        options_fit(name, partition, &mut report);
    }
    slots_fit_host(site, tree, diagnostics);
    let Some(submit) = &site.submit else { return };
    let mut report = |path: &[&str], message: String, hint: &str| {
        let path = [&["submit"], path].concat();
        let place = tree.find(&path).clone();
        diagnostics.push(Diagnostic::new(message).at(place).hint(hint));
    };
    let own = OwnRequests {
        queue: submit.queue.is_some(),
        account: submit.account.is_some(),
        memory: submit.memory_per_node.is_some(),
        gpus: submit.gpus(site) > 0,
        constraint: submit.constraint.is_some(),
        in_blocks: false,
    };
    let given = submit.constraint.as_deref();
    judge_words(
        "submit",
        submit.system,
        &submit.options,
        &own,
        given,
        &mut report,
    );
    if let (Memory::Bytes(bytes), Some(asked)) = (site.node.memory, submit.memory_per_node)
        && asked.bytes() > bytes
    {
        let message = format!(
            "`submit` asks for {asked} of a node that has {}",
            site.node.memory
        );
        report(
            &["memory_per_node"],
            message,
            "lower it, or correct `node.memory`",
        );
    }
    let keys = [
        ("memory_per_node", submit.memory_per_node.is_some()),
        (
            "gpus_per_node",
            submit.gpus_per_node.is_some_and(|gpus| gpus > 0),
        ),
    ];
    refused_keys(submit.system, keys, &mut report);
}

/// Refuses keys for memory and GPUs that are given and that the scheduler has no options for.
fn refused_keys(
    scheduler: SchedulerKind,
    [(memory, has_memory), (gpus, has_gpus)]: [(&str, bool); 2],
    report: &mut impl FnMut(&[&str], String, &str),
) {
    let keys = [
        (memory, has_memory, scheduler.no_memory),
        (gpus, has_gpus, scheduler.no_gpus),
    ];
    for (key, is_given, why_not) in keys {
        if let (true, Some(hint)) = (is_given, why_not) {
            let message = format!("{} does not support `{key}`", scheduler.info.name);
            report(&[key], message, hint);
        }
    }
}

/// Variable that lists the GPUs that a program may use.
const VISIBLE: &str = "CUDA_VISIBLE_DEVICES";

/// Checks that tasks fit into a node of an allocation.
fn fits_node(
    site: &Site,
    name: &str,
    partition: &PartitionConfig,
    report: &mut impl FnMut(&[&str], String, &str),
) {
    let node = &site.node;
    let is_here = partition.transport.is_none();
    let sharing = match &partition.executor {
        ExecutorConfig::Allocation { tasks_per_node, .. } => tasks_per_node.get(),
        // `slots_fit_host` checks the slots of this host together.
        ExecutorConfig::Local { .. } if is_here => return,
        _ => 1,
    };
    if let (Memory::Bytes(bytes), Some(each)) = (node.memory, partition.memory_per_task)
        && each.bytes().saturating_mul(sharing as u64) > bytes
    {
        let message = format!(
            "{sharing} tasks of `{name}` with {each} each share a node that has {}",
            node.memory
        );
        let hint = "lower it or `tasks_per_node`, or correct `node.memory`";
        report(&["memory_per_task"], message, hint);
    }
    let in_blocks = partition.executor.blocks().is_some();
    // A scheduler knows its nodes; the profile need not say how many GPUs they have.
    let is_known = node.gpus > 0 || in_blocks || partition.executor.batch().is_none();
    let wanted = partition.gpus_per_task.saturating_mul(sharing);
    if wanted > node.gpus && is_known {
        let message = format!(
            "`{name}` asks for {wanted} GPUs of a node that has {} (`node.gpus`)",
            node.gpus
        );
        report(
            &["gpus_per_task"],
            message,
            "lower it, or correct `node.gpus`",
        );
    }
}

/// Checks that the executor of a partition can request its resources.
fn can_be_asked_for(
    name: &str,
    partition: &PartitionConfig,
    report: &mut impl FnMut(&[&str], String, &str),
) {
    let executor = partition.executor.name();
    match &partition.executor {
        ExecutorConfig::Local { .. } | ExecutorConfig::Allocation { .. } => {
            if partition.constraint.is_some() {
                let message = format!(
                    "`{name}` cannot have a `constraint`: the executor `{executor}` does not choose nodes"
                );
                let hint = "remove it; a constraint on the jobs of `moldflow submit` belongs under `submit`";
                report(&["constraint"], message, hint);
            }
        }
        ExecutorConfig::Batch(jobs) => {
            let keys = [
                ("memory_per_task", partition.memory_per_task.is_some()),
                ("gpus_per_task", partition.gpus_per_task > 0),
            ];
            refused_keys(jobs.scheduler, keys, report);
        }
    }
    if partition.gpus_per_task > 0 && partition.environment.contains_key(VISIBLE) {
        let message = format!("`{name}` sets {VISIBLE}, which `gpus_per_task` sets as well");
        report(&["environment", VISIBLE], message, "remove one of the two");
    }
    let several = match &partition.executor {
        ExecutorConfig::Local { slots, .. } if partition.transport.is_some() => {
            !matches!(slots, super::site::Slots::Count(count) if count.get() == 1)
        }
        _ => false,
    };
    if several && partition.gpus_per_task > 0 {
        let message = format!(
            "the slots of `{name}` are on another host, whose GPUs moldflow cannot divide among them"
        );
        let hint = "write `slots: 1`, or a partition for each GPU with `environment: {CUDA_VISIBLE_DEVICES: \"0\"}`";
        report(&["gpus_per_task"], message, hint);
    }
}

fn options_fit(
    name: &str,
    partition: &PartitionConfig,
    report: &mut impl FnMut(&[&str], String, &str),
) {
    let ExecutorConfig::Batch(jobs) = &partition.executor else {
        return;
    };
    let (scheduler, batch) = (jobs.scheduler, &jobs.batch);
    let in_blocks = jobs.blocks.is_some();
    let own = OwnRequests {
        in_blocks,
        ..OwnRequests::new(
            &batch.into(),
            partition.memory_per_task.is_some(),
            partition.gpus_per_task > 0,
            partition.constraint.is_some(),
        )
    };
    let given = partition.constraint.as_deref();
    judge_words(name, scheduler, &batch.options, &own, given, report);
}

/// Checks `options` and `constraint`, which become directives of the job script.
fn judge_words(
    name: &str,
    scheduler: SchedulerKind,
    given: &[String],
    own: &OwnRequests,
    constraint: Option<&str>,
    report: &mut impl FnMut(&[&str], String, &str),
) {
    for (index, option) in given.iter().enumerate() {
        if let Some(Refusal { why, hint }) = options::refusal(scheduler, option, own) {
            let message = format!("the option `{}` of `{name}` {why}", option.escape_default());
            report(&["options", &index.to_string()], message, hint);
        }
    }
    if let Some(constraint) = constraint
        && let Some(Refusal { why, hint }) = options::constraint(scheduler, constraint)
    {
        let shown = constraint.escape_default();
        report(
            &["constraint"],
            format!("the constraint `{shown}` of `{name}` {why}"),
            hint,
        );
    }
}

/// Checks that this host has GPUs and memory for the slots of all its partitions.
fn slots_fit_host(site: &Site, tree: &TreeNode, diagnostics: &mut Diagnostics) {
    let (mut gpus, mut memory) = (0_usize, 0_u64);
    for (name, partition) in &site.partitions {
        if !matches!(partition.executor, ExecutorConfig::Local { .. })
            || partition.transport.is_some()
        {
            continue;
        }
        let slots = partition.slot_count(&site.node).unwrap_or(1);
        let mut report = |key: &str, message: String, hint: &str| {
            let place = tree.find(&["partitions", name, key]).clone();
            diagnostics.push(Diagnostic::new(message).at(place).hint(hint));
        };
        gpus = gpus.saturating_add(slots.saturating_mul(partition.gpus_per_task));
        if partition.gpus_per_task > 0 && gpus > site.node.gpus {
            let message = format!(
                "the {slots} slots of `{name}` and of the partitions before it need {gpus} GPUs of a node that has {} (`node.gpus`)",
                site.node.gpus
            );
            report(
                "gpus_per_task",
                message,
                "lower it or `slots`, or correct `node.gpus`",
            );
        }
        let each = partition.memory_per_task.map_or(0, |each| each.bytes());
        memory = memory.saturating_add(each.saturating_mul(slots as u64));
        if let Memory::Bytes(bytes) = site.node.memory
            && each > 0
            && memory > bytes
        {
            let message = format!(
                "the {slots} slots of `{name}` and of the partitions before it need {} of a node that has {}",
                Memory::Bytes(memory),
                site.node.memory
            );
            report(
                "memory_per_task",
                message,
                "lower it or `slots`, or correct `node.memory`",
            );
        }
    }
}
