//! Programs that a campaign needs on this host.

use std::path::Path;

use super::start::host_environment;
use crate::config::campaign::{LoadedCampaign, Overrides};
use crate::config::fault::{Fault, Faults};
use crate::config::site::Site;
use crate::exec::{LauncherError, doctor};
use crate::plan::{self, Plan, PlannedMethod};

/// Reads a campaign and checks it, including the programs that it needs.
///
/// # Errors
///
/// Fails with every fault of the campaign and its site, or with every program that is missing.
pub fn checked(path: &Path, overrides: &Overrides) -> Result<(LoadedCampaign, Plan), Faults> {
    programs(plan::load(path, overrides, &host_environment())?)
}

/// Returns the campaign and its plan if the programs that they need are installed.
///
/// # Errors
///
/// Fails with every program that is missing.
pub fn programs((loaded, plan): (LoadedCampaign, Plan)) -> Result<(LoadedCampaign, Plan), Faults> {
    let mut faults = Faults::default();
    for method in plan.methods.values() {
        let Some(engine) = method.qc_engine() else {
            continue;
        };
        // What another machine has is the business of `moldflow sites check`.
        if !method.partition.runs_on_this_host() {
            continue;
        }
        let place = loaded.place(&["methods", &method.name, "engine"]);
        let needed = engine.simulator().requirement();
        if let Some(missing) = needed.filter(|needed| doctor::on_path(&needed.program).is_none()) {
            let message = format!(
                "the engine `{}` needs the program `{}`, which is not installed",
                engine.name(),
                missing.program
            );
            faults.push(
                Fault::new(message)
                    .at(place.clone())
                    .hint(Some(missing.install.to_owned())),
            );
        }
        if let Some(message) = missing_launcher(&loaded.site, method) {
            let hint = "install an MPI (Debian: `apt install openmpi-bin`), or give the site \
                profile another `mpiexec_command`";
            faults.push(Fault::new(message).at(place).hint(Some(hint.into())));
        }
    }
    faults.or((loaded, plan))
}

/// Returns the fault of the launcher of an MPI program, as far as this host can tell.
fn missing_launcher(site: &Site, method: &PlannedMethod) -> Option<String> {
    match method.launch.as_ref()?.argv() {
        Ok(argv)
            if argv
                .first()
                .is_some_and(|program| doctor::on_path(program).is_some()) =>
        {
            None
        }
        Ok(argv) => Some(format!(
            "the site `{}` starts MPI programs with `{}`, which is not installed",
            site.name,
            argv.join(" ")
        )),
        // A batch system tells its hosts only when it starts a task.
        Err(LauncherError::NotTold(_)) => None,
        Err(error) => Some(format!("site `{}`: {error}", site.name)),
    }
}
