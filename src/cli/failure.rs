//! How a failed command says why: each fault with its line, a caret and a hint.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use super::Exit;
use super::terminal::Painted;
use crate::config::fault::{Fault, Faults, Place};
use crate::driver::DriverError;
use crate::report::ReportError;
use crate::store::StoreError;
use crate::task::HostFault;

/// Why a command could not do what it was asked: exit status 1, or one that names a fault of the host.
pub(crate) struct Failure {
    faults: Faults,
    /// The fault of the host behind it: then everything can resume once the host is well.
    host: Option<HostFault>,
}

impl Failure {
    /// A failure that is in no file.
    pub fn new(message: impl Into<String>) -> Self {
        Fault::new(message).into()
    }

    /// The same with a way out.
    pub fn with_hint(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Fault::new(message).hint(Some(hint.into())).into()
    }

    /// A failure of the host in the run in `dir`, which can be resumed.
    pub fn of_host(fault: HostFault, dir: &Path, error: &dyn std::error::Error) -> Self {
        let hint = format!(
            "{}, then `moldflow resume {}` continues: what was computed is kept",
            fault.remedy(),
            dir.display()
        );
        Self {
            host: Some(fault),
            ..Self::with_hint(causes(error), hint)
        }
    }

    /// What could not be done and why, which may be a fault of the host. Before there is a run that could be resumed.
    pub fn io(what: &str, error: &io::Error) -> Self {
        let message = format!("{what}: {error}");
        match HostFault::of(error) {
            Some(fault) => Self {
                host: Some(fault),
                ..Self::with_hint(message, format!("{}, and try again", fault.remedy()))
            },
            None => Self::new(message),
        }
    }

    /// A failure with its causes, of which one may be a fault of the host.
    pub fn of(error: &(dyn std::error::Error + 'static)) -> Self {
        match HostFault::of(error) {
            Some(fault) => Self::of_host(fault, Path::new("RUN_DIR"), error),
            None => Self::new(causes(error)),
        }
    }

    /// Prints it to stderr; the exit status of the process.
    pub fn report(&self) -> ExitCode {
        rendered(&self.faults).print();
        Exit::from(self.host).into()
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let dir = error.path().parent().unwrap_or(Path::new("RUN_DIR"));
        let hint = match &error {
            _ if let Some(fault) = error.host_fault() => return Self::of_host(fault, dir, &error),
            StoreError::Gone { .. } => {
                "what was committed before is lost with it; a copy of the run directory can be resumed".to_owned()
            }
            StoreError::Older { .. } => {
                format!(
                    "`moldflow resume {}` brings it to the present schema",
                    dir.display()
                )
            }
            StoreError::Newer { .. } => {
                "use the version of moldflow that made the run, or a later one".to_owned()
            }
            _ if error.is_damage() => format!(
                "`moldflow check --repair {}` rebuilds it from its journal, and keeps the damaged files",
                dir.display()
            ),
            _ => return Self::new(causes(&error)),
        };
        Self::with_hint(causes(&error), hint)
    }
}

impl From<DriverError> for Failure {
    fn from(error: DriverError) -> Self {
        match error {
            DriverError::Store(error) => error.into(),
            DriverError::Host {
                ref path, fault, ..
            } => Self::of_host(fault, path, &error),
            DriverError::State { .. } => {
                let hint = "`moldflow check --repair RUN_DIR` goes on without it: the next batch begins with a new agent";
                Self::with_hint(causes(&error), hint)
            }
            DriverError::Files { .. } | DriverError::Read { .. } | DriverError::Journal { .. } => {
                Self::of(&error)
            }
        }
    }
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::Store(error) => error.into(),
            ReportError::Write { .. } | ReportError::Template(_) => Self::of(&error),
        }
    }
}

/// An error and its causes in one line.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let below = std::iter::successors(error.source(), |e| e.source());
    below.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        Self { faults, host: None }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Faults::from(fault).into()
    }
}

/// Faults shown in full; of the others only the number.
const SHOWN: usize = 20;

fn rendered(faults: &Faults) -> Painted {
    let mut text = Painted::new();
    for fault in faults.0.iter().take(SHOWN) {
        render(fault, &mut text);
    }
    let count = faults.0.len();
    if count > SHOWN {
        text.add(&format!("... and {} more\n", count - SHOWN));
    }
    if count > 1 {
        text.add(&format!("{count} faults\n"));
    }
    text
}

fn render(fault: &Fault, text: &mut Painted) {
    text.paint("1;31", "error").add(": ");
    text.paint("1", &fault.message).add("\n");
    if let Some(place) = &fault.place {
        snippet(place, text);
    }
    if let Some(hint) = &fault.hint {
        text.add("  ").paint("1;36", "hint");
        text.add(&format!(": {hint}\n"));
    }
    text.add("\n");
}

/// Columns of a line that are shown; a longer one is cut around the fault.
const WIDTH: usize = 100;

fn snippet(place: &Place, text: &mut Painted) {
    let Place { line, column, .. } = place;
    let name = &place.text.name;
    // An option of the command line has no lines to count.
    let position = match name.starts_with("--") {
        true => name.clone(),
        false => format!("{name}:{line}:{column}"),
    };
    let number = line.to_string();
    let gutter = " ".repeat(number.len());
    let chars: Vec<char> = place.line_text().chars().collect();
    let start = (column - 1).saturating_sub(WIDTH / 2);
    let start = if chars.len() <= WIDTH {
        0
    } else {
        start.min(chars.len() - WIDTH)
    };
    // A tab is shown as one blank, so that the caret stands under its letter.
    let shown: String = chars
        .iter()
        .skip(start)
        .take(WIDTH)
        .map(|c| if c.is_control() { ' ' } else { *c })
        .collect();
    let indent = " ".repeat(column - 1 - start);
    let carets = "^".repeat(place.length.min(WIDTH - indent.len().min(WIDTH - 1)));
    text.add("  ").paint("1;34", "-->");
    text.add(&format!(" {position}\n {gutter} "));
    text.paint("1;34", "|").add("\n ");
    text.paint("1;34", &number).add(" ").paint("1;34", "|");
    text.add(&format!(" {}\n {gutter} ", shown.trim_end()));
    text.paint("1;34", "|").add(&format!(" {indent}"));
    text.paint("1;31", &carets).add("\n");
}
