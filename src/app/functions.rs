//! Functions in Python of a campaign: loaded once before a run begins, so that a misspelt name or a
//! missing package costs no molecule.

use std::path::Path;
use std::time::Duration;

use super::interpreters::Interpreters;
use crate::config::campaign::LoadedCampaign;
use crate::config::diagnostic::{Diagnostic, Diagnostics};
use crate::exec::ProcessEnvironment;
use crate::plan::{Plan, PlannedMethod};
use crate::python::CallError;

/// Longest time in which a module may be imported.
const LONGEST_IMPORT: Duration = Duration::from_secs(120);

/// Loads the functions of all methods that run on this host, in interpreters of their own with the
/// environment of tasks. This runs the modules of the user.
///
/// # Errors
///
/// Fails with every function that cannot be loaded.
pub fn load(loaded: &LoadedCampaign, plan: &Plan) -> Result<(), Diagnostics> {
    let mut diagnostics = Diagnostics::default();
    for method in plan.methods.values() {
        // Other machines have other interpreters.
        if !method.partition.runs_on_this_host() {
            continue;
        }
        for (key, error) in faults(method) {
            let place = loaded.place(&["methods", &method.name, "settings", key]);
            let interpreter = method.kind.function().map(|f| f.interpreter.as_str());
            let interpreter = interpreter.unwrap_or_default();
            let hint = match &error {
                CallError::Start { .. } => {
                    "name an interpreter that is there: `interpreter: ./venv/bin/python`".to_owned()
                }
                _ => format!(
                    "correct the module or `path`, or install what it imports: `{interpreter} -m pip install ...`"
                ),
            };
            let message = super::error::causes(&error);
            diagnostics.push(Diagnostic::new(message).at(place).hint(hint));
        }
    }
    diagnostics.or(())
}

/// The functions of a method that cannot be loaded, with the keys of its settings that name them.
fn faults(method: &PlannedMethod) -> Vec<(&'static str, CallError)> {
    let Some(function) = method.kind.function() else {
        return Vec::new();
    };
    let inherited = ProcessEnvironment::inherited();
    let env = inherited.pairs().iter().cloned();
    let env = env.chain(method.environment.variables()).collect();
    let interpreters = Interpreters::with_environment(env);
    let scratch = std::env::temp_dir().join(format!("moldflow-load-{}", std::process::id()));
    let in_folder = |folder: &Path| {
        let mut faults = Vec::new();
        let made = std::fs::create_dir_all(folder).and_then(|()| interpreters.begin(folder));
        if let Err(source) = made {
            let interpreter = function.interpreter.clone();
            faults.push((
                "interpreter",
                CallError::Start {
                    interpreter,
                    source,
                },
            ));
            return faults;
        }
        for (key, call) in method.kind.calls() {
            let loaded = interpreters.load(function, call, LONGEST_IMPORT);
            faults.extend(loaded.err().map(|error| (key, error)));
        }
        faults
    };
    let faults = in_folder(&scratch);
    drop(interpreters);
    let _ = std::fs::remove_dir_all(scratch);
    faults
}
