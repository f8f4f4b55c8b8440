//! `moldflow sites check`: whether a machine is as its profile says, and what to do where it is
//! not.

mod batch;
mod host;
mod launcher;
mod probe;
mod ssh;

pub use host::on_path;

use serde::Serialize;

use crate::config::site::{ExecutorConfig, Site};
use probe::ProbeHost;

/// Result of a probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub verdict: Verdict,
    /// Subject of the probe: `scratch`, `launcher`, `partition qc`.
    pub subject: String,
    pub message: String,
    /// Advice to the user.
    pub advice: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Ok,
    Warning,
    Failed,
}

impl Finding {
    fn ok(subject: &str, message: impl Into<String>) -> Self {
        Self::new(Verdict::Ok, subject, message, None)
    }

    fn warning(subject: &str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(Verdict::Warning, subject, message, Some(advice.into()))
    }

    fn failed(subject: &str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(Verdict::Failed, subject, message, Some(advice.into()))
    }

    fn new(
        verdict: Verdict,
        subject: &str,
        message: impl Into<String>,
        advice: Option<String>,
    ) -> Self {
        Self {
            verdict,
            subject: subject.to_owned(),
            message: message.into(),
            advice,
        }
    }
}

/// This host, as the caller sees it.
#[derive(Clone, Debug)]
pub struct Host {
    pub name: String,
    /// True if the profile recognises it.
    pub recognised: bool,
}

/// An engine and the program that it needs.
#[derive(Clone, Debug)]
pub struct ProgramRequirement {
    pub name: String,
    pub program: String,
    /// Arguments that make the program print its version and end; none if there are no such.
    pub version_args: Option<Vec<String>>,
    pub install: String,
}

/// Examines a site from this host, and tells each finding as it is made.
pub fn examine(
    site: &Site,
    host: &Host,
    engines: &[ProgramRequirement],
    tell: &mut dyn FnMut(Finding),
) {
    tell(host::recognised(site, host));
    tell(host::scratch(&site.scratch));
    host::gpus(site).into_iter().for_each(&mut *tell);
    for finding in host::limits(site) {
        tell(finding);
    }
    for (name, partition) in &site.partitions {
        let subject = format!("partition {name}");
        let place = ProbeHost::of(partition);
        if let ProbeHost::Remote(there) = place
            && !ssh::reachable(&subject, there, tell)
        {
            continue;
        }
        match &partition.executor {
            ExecutorConfig::Local { .. } => {}
            ExecutorConfig::Allocation { .. } => tell(batch::allocation(&subject)),
            ExecutorConfig::Batch(_) => {
                if let Some(params) = partition.submission_params(site) {
                    batch::scheduler(&subject, place, &params, tell);
                }
            }
        }
    }
    if let Some(submit) = &site.submit {
        batch::scheduler("submit", ProbeHost::Local, &submit.params(site), tell);
    }
    launcher::check(site, host, tell);
    for engine in engines {
        tell(host::engine(site, engine));
    }
}
