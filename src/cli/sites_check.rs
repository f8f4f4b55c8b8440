//! `moldflow sites check`: examines the machine of a profile.

use clap::Args;
use serde_json::json;

use super::failure::Failure;
use super::sites::{hostname, is_here, profile};
use super::{Exit, print};
use crate::exec::doctor::{self, Engine, Finding, Host, Verdict};
use crate::simulate;

#[derive(Args)]
pub(super) struct Arguments {
    /// Name of a profile, or the path of its file
    name: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let (site, origin) = profile(&arguments.name)?;
    let host = Host {
        name: hostname(),
        recognised: is_here(&site),
    };
    let mut findings: Vec<Finding> = Vec::new();
    if !arguments.json {
        print(&format!("site {} ({origin})\n", site.name))?;
    }
    doctor::examine(&site, &host, &engines(), &mut |finding| {
        if !arguments.json {
            // Told as it is found: some probes wait.
            let _ = print(&line(&finding));
        }
        findings.push(finding);
    });
    let count = |verdict| {
        findings
            .iter()
            .filter(|found| found.verdict == verdict)
            .count()
    };
    let (failed, warnings) = (count(Verdict::Failed), count(Verdict::Warning));
    print(&match arguments.json {
        true => {
            let whole =
                json!({"site": site.name, "from": origin.to_string(), "findings": findings});
            format!("{whole:#}\n")
        }
        false => format!("{failed} failed, {warnings} warnings\n"),
    })?;
    Ok(match failed {
        0 => Exit::Finished,
        _ => Exit::Refused,
    })
}

/// What the engines need.
fn engines() -> Vec<Engine> {
    let engine = |name: &&str| {
        let needed = simulate::simulator(name)?.requirement()?;
        let arguments = needed.version_args.iter().map(|word| (*word).to_owned());
        Some(Engine {
            name: (*name).to_owned(),
            program: needed.program.to_owned(),
            version_args: Some(arguments.collect()),
            install: needed.install.to_owned(),
        })
    };
    simulate::names().iter().filter_map(engine).collect()
}

fn line(finding: &Finding) -> String {
    let verdict = match finding.verdict {
        Verdict::Ok => "ok",
        Verdict::Warning => "warning",
        Verdict::Failed => "failed",
    };
    let advice = finding.advice.as_ref();
    let advice = advice.map_or_else(String::new, |advice| format!("{:9}-> {advice}\n", ""));
    let Finding {
        subject, message, ..
    } = finding;
    format!("{verdict:<9}{subject}: {message}\n{advice}")
}
