//! Batch script of the jobs in which `moldflow submit` runs a campaign.

use std::path::Path;
use std::time::Duration;

use super::error::{CommandError, Topic, causes};
use super::job_chain;
use crate::config::site::{Site, Submit};
use crate::scheduler::{Script, TaskJob};
use crate::task::Limits;

/// Returns the script of the jobs that run the run in `dir`. `environment` holds further variables
/// of tasks; `commands` is the folder of the scheduler's commands, which is appended to PATH.
///
/// # Errors
///
/// Fails if a value of the profile is not allowed in a script.
pub fn job_script(
    site: &Site,
    submit: &Submit,
    dir: &Path,
    executable: &Path,
    environment: &[(String, String)],
    commands: Option<&Path>,
) -> Result<String, CommandError> {
    let params = submit.params(site);
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
        ..params.job_script(&TaskJob {
            token: &name,
            shape: None,
            limits: Limits::new(Duration::MAX),
            environment,
            dir: dir.to_owned(),
            argv: &argv,
        })
    };
    script.render().map_err(|error| {
        let hint = format!("correct `submit` in the site profile `{}`", site.name);
        CommandError::with_hint(causes(&error), hint).about(Topic::Site)
    })
}
