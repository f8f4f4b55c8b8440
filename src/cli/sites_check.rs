//! `moldflow sites check`: examines the machine of a profile.

use clap::Args;
use serde_json::json;

use super::pages::of_command;
use super::sites::profile;
use super::terminal::say;
use super::{ExitStatus, print};
use crate::app::doctor::{self, Finding, Host, ProgramRequirement, Verdict};
use crate::app::error::CommandError;
use crate::app::host::is_here;
use crate::host::name::host_name;
use crate::simulate::{self, Requirement};

#[derive(Args)]
pub(super) struct SitesCheckArguments {
    /// Name of a profile, or the path of its file
    name: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &SitesCheckArguments) -> Result<ExitStatus, CommandError> {
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
    if let Some(page) = of_command("sites").filter(|_| failed > 0) {
        say(&format!("  page: {page}"));
    }
    Ok(match failed {
        0 => ExitStatus::Finished,
        _ => ExitStatus::Refused,
    })
}

/// Returns the programs that simulation engines need, with the names of the engines.
fn engines() -> Vec<ProgramRequirement> {
    let engine = |(name, needed): (&str, Requirement)| {
        let arguments = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        ProgramRequirement {
            name: name.to_owned(),
            program: needed.program,
            version_args: needed.version_args.map(arguments),
            install: needed.install.to_owned(),
        }
    };
    simulate::programs().into_iter().map(engine).collect()
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
