//! Functions in Python of a campaign: loaded once before a run begins, so that a misspelt name or a
//! missing package costs no molecule.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
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
    let unmade = |source| {
        let interpreter = function.interpreter.clone();
        vec![(
            "interpreter",
            CallError::Start {
                interpreter,
                source,
            },
        )]
    };
    let folder = match new_folder("load") {
        Ok(folder) => folder,
        Err(error) => return unmade(error),
    };
    let faults = match interpreters.begin(&folder) {
        Err(error) => unmade(error),
        Ok(()) => {
            let loaded = method.kind.calls().into_iter().map(|(key, call)| {
                let loaded = interpreters.load(function, call, LONGEST_IMPORT);
                loaded.err().map(|error| (key, error))
            });
            loaded.flatten().collect()
        }
    };
    drop(interpreters);
    let _ = fs::remove_dir_all(folder);
    faults
}

/// Makes a temporary folder for this process alone; `purpose` is part of its name.
///
/// # Errors
///
/// Fails if it cannot be made.
pub fn new_folder(purpose: &str) -> io::Result<PathBuf> {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    let mut number = 0;
    loop {
        let name = format!("moldflow-{purpose}-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        match builder.create(&folder) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && number < 100 => number += 1,
            made => return made.map(|()| folder),
        }
    }
}
