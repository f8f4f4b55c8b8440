//! Programs that a campaign needs on this host.

use std::path::Path;

use super::host::host_environment;
use crate::config::campaign::{LoadedCampaign, Overrides};
use crate::config::diagnostic::{Diagnostic, Diagnostics};
use crate::config::site::Site;
use crate::exec::{LauncherError, on_path};
use crate::plan::{self, Plan, PlannedMethod};

/// Reads a campaign and checks it, including the programs that it needs and that of `notify`.
///
/// # Errors
///
/// Fails with all errors of the campaign and its site, or with all programs that are missing.
pub fn checked(path: &Path, overrides: &Overrides) -> Result<(LoadedCampaign, Plan), Diagnostics> {
    let (loaded, plan) = plan::load(path, overrides, &host_environment())?;
    let mut missing = missing_programs(&loaded, &plan);
    if let Some(notifier) = missing_notifier(&loaded) {
        missing.push(notifier);
    }
    missing.or((loaded, plan))
}

/// Returns the fault of a command of `notify` whose program is not installed. A run that is resumed,
/// perhaps on another host, does without it.
fn missing_notifier(loaded: &LoadedCampaign) -> Option<Diagnostic> {
    let program = loaded.campaign.notify.as_ref()?.command.first()?;
    if on_path(program).is_some() {
        return None;
    }
    let place = loaded.place(&["notify", "command", "0"]);
    let message = format!(
        "the program `{}` of `notify` is not installed, or may not be executed",
        place.written()
    );
    let hint = "install it, or name it by its path; `./NAME` is beside the campaign, and `chmod +x` \
                lets it be executed";
    Some(Diagnostic::new(message).at(place).hint(hint))
}

/// Returns the campaign and its plan if the programs that they need are installed.
///
/// # Errors
///
/// Fails with every program that is missing.
pub fn programs(
    (loaded, plan): (LoadedCampaign, Plan),
) -> Result<(LoadedCampaign, Plan), Diagnostics> {
    missing_programs(&loaded, &plan).or((loaded, plan))
}

/// Returns the programs of engines and launchers that are not installed.
fn missing_programs(loaded: &LoadedCampaign, plan: &Plan) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    for method in plan.methods.values() {
        let Some(engine) = method.qc_engine() else {
            continue;
        };
        // Other machines are examined by `moldflow sites check`.
        if !method.partition.runs_on_this_host() {
            continue;
        }
        let place = loaded.place(&["methods", &method.name, "engine"]);
        let needed = engine.simulator().requirement();
        if let Some(missing) = needed.filter(|needed| on_path(&needed.program).is_none()) {
            let message = format!(
                "the engine `{}` needs the program `{}`, which is not installed",
                engine.name(),
                missing.program
            );
            diagnostics.push(
                Diagnostic::new(message)
                    .at(place.clone())
                    .hint(missing.install),
            );
        }
        if let Some(message) = missing_launcher(&loaded.site, method) {
            let hint = "install an MPI (Debian: `apt install openmpi-bin`), or give the site \
                profile another `mpiexec_command`";
            diagnostics.push(Diagnostic::new(message).at(place).hint(hint));
        }
    }
    diagnostics
}

/// Returns the fault of the launcher of an MPI program, as far as this host can tell.
fn missing_launcher(site: &Site, method: &PlannedMethod) -> Option<String> {
    match method.launch.as_ref()?.argv() {
        Ok(argv)
            if argv
                .first()
                .is_some_and(|program| on_path(program).is_some()) =>
        {
            None
        }
        Ok(argv) => Some(format!(
            "the site `{}` starts MPI programs with `{}`, which is not installed",
            site.name,
            argv.join(" ")
        )),
        // The hosts are known only when the scheduler starts a task.
        Err(LauncherError::NotTold(_)) => None,
        Err(error) => Some(format!("site `{}`: {error}", site.name)),
    }
}
