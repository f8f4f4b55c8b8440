//! `moldflow sites check`: examines the machine of a profile.

use clap::Args;
use serde_json::json;

use super::failure::Failure;
use super::sites::{is_here, profile};
use super::{Exit, print};
use crate::exec::doctor::{self, Engine, Finding, Host, Verdict};
use crate::host::name::host_name;
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
        name: host_name(),
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
    // Settings without a default do not matter here.
    let engines = [
        json!({"engine": "xtb"}),
        json!({"engine": "nwchem"}),
        json!({"engine": "qcengine", "settings": {"program": "psi4", "method": "hf"}}),
    ];
    let engines = engines
        .into_iter()
        .filter_map(|engine| serde_json::from_value(engine).ok());
    let engine = |engine: simulate::Engine| {
        let needed = engine.simulator().requirement()?;
        let arguments = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Some(Engine {
            name: engine.name().to_owned(),
            program: needed.program,
            version_args: needed.version_args.map(arguments),
            install: needed.install.to_owned(),
        })
    };
    engines.filter_map(engine).collect()
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
