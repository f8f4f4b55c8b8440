//! How a failed command says why: each fault with its line, a caret and a hint.

use std::fmt::Write;
use std::io::{IsTerminal, Write as _};
use std::path::Path;
use std::process::ExitCode;

use crate::engine::DriverError;
use crate::exec;
use crate::report::ReportError;

use crate::spec::fault::{Fault, Faults, Place};
use crate::store::StoreError;

/// Why a command could not do what it was asked: exit status 1.
pub(crate) struct Failure {
    faults: Faults,
    /// Whether the disk has no room: then everything goes on once it has.
    is_full: bool,
}

/// Exit status of a run that stopped because the disk is full.
const NO_ROOM: u8 = 4;

impl Failure {
    /// A failure that is in no file.
    pub fn new(message: impl Into<String>) -> Self {
        Fault::new(message).into()
    }

    /// The same with a way out.
    pub fn with_hint(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Fault::new(message).hint(Some(hint.into())).into()
    }

    /// A failure for want of room on the disk.
    pub fn no_room(error: &dyn std::error::Error) -> Self {
        let hint = "make room, then `moldflow resume RUN_DIR` goes on: what was computed is kept";
        Self {
            is_full: true,
            ..Self::with_hint(causes(error), hint)
        }
    }

    /// The same before there is a run that could go on.
    pub fn no_room_for_a_run(message: String) -> Self {
        Self {
            is_full: true,
            ..Self::with_hint(message, "make room, and start it again")
        }
    }

    /// A failure with its causes, which may be that the disk is full.
    pub fn of_io(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut all = std::iter::successors(Some(error), |e| e.source());
        if all.any(|e| e.downcast_ref().is_some_and(exec::is_full)) {
            return Self::no_room(error);
        }
        Self::new(causes(error))
    }

    /// Prints it to stderr; the exit status of the process.
    pub fn report(&self) -> ExitCode {
        let stderr = std::io::stderr();
        let colours = stderr.is_terminal() && std::env::var_os("NO_COLOR").is_none();
        // That stderr cannot be written to, as on a full disk, is no reason to panic.
        let _ = write!(std::io::stderr(), "{}", rendered(&self.faults, colours));
        ExitCode::from(if self.is_full { NO_ROOM } else { 1 })
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let dir = error
            .path()
            .parent()
            .unwrap_or(Path::new("RUN_DIR"))
            .display();
        let hint = match &error {
            _ if error.is_full() => return Self::no_room(&error),
            StoreError::Older { .. } => {
                format!("`moldflow resume {dir}` brings it to the present schema")
            }
            StoreError::Newer { .. } => {
                "use the version of moldflow that made the run, or a later one".to_owned()
            }
            _ if error.is_damage() => format!(
                "`moldflow check --repair {dir}` makes it anew from its journal, and keeps the damaged files"
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
            DriverError::NoRoom { .. } => Self::no_room(&error),
            DriverError::State { .. } => {
                let hint = "`moldflow check --repair RUN_DIR` goes on without it: the next batch begins with a new agent";
                Self::with_hint(causes(&error), hint)
            }
            DriverError::Files { .. } | DriverError::Journal { .. } => Self::of_io(&error),
        }
    }
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::Store(error) => error.into(),
            ReportError::Write { .. } | ReportError::Template(_) => Self::of_io(&error),
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
        Self {
            faults,
            is_full: false,
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Faults::from(fault).into()
    }
}

/// Faults shown in full; of the others only the number.
const SHOWN: usize = 20;

fn rendered(faults: &Faults, colours: bool) -> String {
    let mut text = String::new();
    for fault in faults.0.iter().take(SHOWN) {
        render(fault, colours, &mut text);
    }
    let count = faults.0.len();
    if count > SHOWN {
        let _ = writeln!(text, "... and {} more", count - SHOWN);
    }
    if count > 1 {
        let _ = writeln!(text, "{count} faults");
    }
    text
}

fn render(fault: &Fault, colours: bool, text: &mut String) {
    let paint = |code: &str, words: &str| match colours {
        true => format!("\x1b[{code}m{words}\x1b[0m"),
        false => words.to_owned(),
    };
    let _ = writeln!(
        text,
        "{}: {}",
        paint("1;31", "error"),
        paint("1", &visible(&fault.message))
    );
    if let Some(place) = &fault.place {
        snippet(place, paint, text);
    }
    if let Some(hint) = &fault.hint {
        let _ = writeln!(text, "  {}: {}", paint("1;36", "hint"), visible(hint));
    }
    text.push('\n');
}

/// Columns of a line that are shown; a longer one is cut around the fault.
const WIDTH: usize = 100;

fn snippet(place: &Place, paint: impl Fn(&str, &str) -> String, text: &mut String) {
    let Place { line, column, .. } = place;
    let name = &place.text.name;
    // An option of the command line has no lines to count.
    let position = match name.starts_with("--") {
        true => name.clone(),
        false => format!("{name}:{line}:{column}"),
    };
    let _ = writeln!(text, "  {} {position}", paint("1;34", "-->"));
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
    let bar = paint("1;34", "|");
    let _ = writeln!(text, " {gutter} {bar}");
    let _ = writeln!(
        text,
        " {} {bar} {}",
        paint("1;34", &number),
        shown.trim_end()
    );
    let _ = writeln!(text, " {gutter} {bar} {indent}{}", paint("1;31", &carets));
}

/// A text without what would steer a terminal.
pub(crate) fn visible(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\n' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}
