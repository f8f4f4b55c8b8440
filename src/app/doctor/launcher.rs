//! Probe of the MPI launcher: starts two ranks of `hostname` by the template of the profile.

use std::fs;
use std::num::NonZeroUsize;

use super::batch::job;
use super::{Finding, Host, Verdict};
use crate::config::site::{ExecutorConfig, Memory, PartitionConfig, Site};
use crate::exec::probe::{ProbeHost, ProbeOutcome};
use crate::exec::render;
use crate::task::Shape;

const SUBJECT: &str = "launcher";
/// Command of the ranks.
const HELLO: &str = "hostname";

/// Checks that the launcher starts MPI programs on this host.
pub fn check(site: &Site, host: &Host, tell: &mut dyn FnMut(Finding)) {
    let Some(template) = &site.mpiexec_command else {
        return tell(Finding::ok(
            SUBJECT,
            "none: MPI programs are not started on this site",
        ));
    };
    // Outside a job `srun` asks for one and waits, `aprun` refuses.
    let here = |partition: &PartitionConfig| {
        partition.transport.is_none()
            && (job().is_some() || matches!(partition.executor, ExecutorConfig::Local { .. }))
    };
    let partitions = &site.partitions;
    if !partitions.values().all(here) {
        let program = template.split_whitespace().next().unwrap_or_default();
        return tell(Finding::warning(
            SUBJECT,
            format!("`{program}` was not tried: it starts programs inside a batch job only"),
            "start an interactive job, and run `moldflow sites check` in it",
        ));
    }
    // Which of them runs MPI programs is a campaign's business: one is enough.
    let mut last = None;
    for partition in partitions.values() {
        let finding = hello(site, host, partition, template);
        let right = finding.verdict == Verdict::Ok;
        last = Some(finding);
        if right {
            break;
        }
    }
    last.into_iter().for_each(tell);
}

/// Starts two ranks on this host.
fn hello(site: &Site, host: &Host, partition: &PartitionConfig, template: &str) -> Finding {
    let hostfile = std::env::temp_dir().join(format!("moldflow-hosts-{}", std::process::id()));
    if let Err(error) = fs::write(&hostfile, format!("{}\n", host.name)) {
        let message = format!("could not write `{}`: {error}", hostfile.display());
        return Finding::failed(
            SUBJECT,
            message,
            "free or name a temporary folder in TMPDIR",
        );
    }
    let two = NonZeroUsize::new(2).unwrap_or(NonZeroUsize::MIN);
    let shape = Shape {
        hosts: vec![host.name.clone()],
        // Only a job has one.
        hostfile: job().map(|_| hostfile.clone()),
        memory: match site.node.memory {
            Memory::Bytes(bytes) => Some(bytes >> 20),
            Memory::Auto => None,
        },
        ..Shape::new(NonZeroUsize::MIN, two, NonZeroUsize::MIN)
    };
    let setup = partition.setup.as_deref().unwrap_or(&site.setup);
    let rendered = render(template, &shape);
    let ran = rendered.map(|mut argv| {
        argv.push(HELLO.to_owned());
        let words: Vec<&str> = argv.iter().map(String::as_str).collect();
        (
            words.join(" "),
            ProbeHost::Local.run(&words, setup, &partition.environment, ""),
        )
    });
    let _ = fs::remove_file(&hostfile);
    let (command, outcome) = match ran {
        Ok(ran) => ran,
        Err(error) => {
            return Finding::failed(SUBJECT, error.to_string(), "correct `mpiexec_command`");
        }
    };
    match &outcome {
        ProbeOutcome::Missing => {
            let program = command.split_whitespace().next().unwrap_or_default();
            Finding::failed(
                SUBJECT,
                format!("there is no `{program}`"),
                "install MPI (Debian: apt-get install openmpi-bin), load it in `setup`, or correct `mpiexec_command`",
            )
        }
        ProbeOutcome::Ended {
            success: true,
            stdout,
            ..
        } => {
            // Some launchers say more, such as the resources that a job used.
            let name = stdout.lines().next().unwrap_or_default();
            match stdout.lines().filter(|line| *line == name).count() {
                2 => Finding::ok(SUBJECT, format!("two ranks answer: {command}")),
                count => Finding::failed(
                    SUBJECT,
                    format!("two ranks were to answer, {count} did: {command}"),
                    "correct `mpiexec_command`: `{{total_ranks}}` is the number of ranks",
                ),
            }
        }
        trouble => Finding::failed(
            SUBJECT,
            format!("two ranks do not start: {}", trouble.failure()),
            format!("try it by hand: {command}"),
        ),
    }
}
