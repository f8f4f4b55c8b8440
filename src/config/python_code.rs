//! Functions of the user in Python: their paths, and their modules as they are when a campaign is
//! read.

use std::path::{Path, PathBuf};

use super::campaign::{Campaign, LoadedCampaign, MethodKind};
use super::diagnostic::{Diagnostic, Diagnostics};
use super::paths::{PathEscape, below};
use crate::design::{GenerateEngine, ScreenEngine, TrainEngine};
use crate::python::{FunctionName, PythonFunction};
use crate::simulate::QcEngine;

impl MethodKind {
    /// Function of the user in Python; None of a method that calls none.
    pub fn function(&self) -> Option<&PythonFunction> {
        match self {
            Self::Simulate {
                engine: QcEngine::Python { settings },
                ..
            } => Some(&settings.function),
            Self::Train {
                engine: TrainEngine::Python { settings },
                ..
            } => Some(&settings.function),
            Self::Generate {
                engine: GenerateEngine::Python { settings },
            } => Some(&settings.function),
            Self::Screen {
                engine: ScreenEngine::Python { settings },
            } => Some(&settings.function),
            Self::Simulate { .. }
            | Self::Train { .. }
            | Self::Generate { .. }
            | Self::Screen { .. } => None,
        }
    }

    /// Function of the user in Python, to be completed.
    pub(super) fn function_mut(&mut self) -> Option<&mut PythonFunction> {
        match self {
            Self::Simulate {
                engine: QcEngine::Python { settings },
                ..
            } => Some(&mut settings.function),
            Self::Train {
                engine: TrainEngine::Python { settings },
                ..
            } => Some(&mut settings.function),
            Self::Generate {
                engine: GenerateEngine::Python { settings },
            } => Some(&mut settings.function),
            Self::Screen {
                engine: ScreenEngine::Python { settings },
            } => Some(&mut settings.function),
            Self::Simulate { .. }
            | Self::Train { .. }
            | Self::Generate { .. }
            | Self::Screen { .. } => None,
        }
    }

    /// Names of all functions in Python that it calls, with the keys of the settings that hold
    /// them.
    pub fn calls(&self) -> Vec<(&'static str, &str)> {
        let call = self
            .function()
            .map(|function| ("call", function.call.as_str()));
        let predict = match self {
            Self::Train {
                engine: TrainEngine::Python { settings },
                ..
            } => Some(("predict", settings.predict.as_str())),
            _ => None,
        };
        call.into_iter().chain(predict).collect()
    }

    /// Returns true if what its tasks load is to be loaded once, for many of them.
    pub fn is_warm(&self) -> bool {
        self.function().is_some_and(|function| function.warm)
    }
}

/// The function of a method in Python, with the names of all that it calls and their keys.
fn function_of(
    kind: &mut MethodKind,
) -> Option<(&mut PythonFunction, Vec<(&'static str, String)>)> {
    let calls = kind.calls().into_iter();
    let calls = calls.map(|(key, call)| (key, call.to_owned())).collect();
    Some((kind.function_mut()?, calls))
}

/// Visits each path of the functions, with its place in the campaign.
pub(super) fn each_path(campaign: &mut Campaign, mut visit: impl FnMut(&mut String, &[&str])) {
    for (name, method) in &mut campaign.methods {
        let Some((function, _)) = function_of(&mut method.kind) else {
            continue;
        };
        // A name without `/` is looked for on PATH.
        if function.interpreter.contains('/') {
            let place = ["methods", name, "settings", "interpreter"];
            visit(&mut function.interpreter, &place);
        }
        for (index, folder) in function.path.iter_mut().enumerate() {
            let index = index.to_string();
            visit(folder, &["methods", name, "settings", "path", &index]);
        }
    }
}

/// Makes the paths of the functions absolute, and fills in the folder of the campaign where a
/// function names none, and the modules of functions that are not there yet.
pub(super) fn fill_in(
    campaign: &mut Campaign,
    loaded: &LoadedCampaign,
    base: &Path,
    diagnostics: &mut Diagnostics,
) {
    each_path(campaign, |path, place| {
        let absolute = match place.contains(&"interpreter") {
            true => interpreter(base, path),
            false => below(base, path.as_ref()),
        };
        match absolute {
            Ok(absolute) => *path = absolute.display().to_string(),
            Err(outside) => {
                let fault = Diagnostic::new(outside.to_string()).at(loaded.place(place));
                diagnostics.push(fault.hint(PathEscape::HINT));
            }
        }
    });
    for (name, method) in &mut campaign.methods {
        let Some((function, calls)) = function_of(&mut method.kind) else {
            continue;
        };
        if function.path.is_empty() {
            match below(base, Path::new(".")) {
                Ok(folder) => function.path.push(folder.display().to_string()),
                Err(outside) => diagnostics.push(Diagnostic::new(outside.to_string())),
            }
        }
        let mut report = |key: &str, message: String, hint: &str| {
            let place = loaded.place(&["methods", name, "settings", key]);
            diagnostics.push(Diagnostic::new(message).at(place).hint(hint));
        };
        let names: Vec<&str> = calls.iter().map(|(_, call)| call.as_str()).collect();
        if let Err(error) = function.fill_in_code(&names) {
            let hint = "install long code as a package for the interpreter: it is then not copied";
            report("call", error.to_string(), hint);
        }
        for (key, call) in &calls {
            if let Err(message) = call.parse::<FunctionName>() {
                report(key, message, PythonFunction::CALL_HINT);
            } else if let Some(message) = function.missing(call) {
                report(key, message, "define it there, or correct its name");
            }
        }
    }
}

/// Path of an interpreter. In a virtual environment it is a link, by whose own place the
/// interpreter finds the packages: only its folder is resolved.
fn interpreter(base: &Path, written: &str) -> Result<PathBuf, PathEscape> {
    let written = Path::new(written);
    match (written.parent(), written.file_name()) {
        (Some(folder), Some(name)) => Ok(below(base, folder)?.join(name)),
        _ => below(base, written),
    }
}
