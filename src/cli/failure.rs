//! How a failed command says why: each fault with its line, a caret and a hint.

use std::fmt::Write;
use std::io::IsTerminal;
use std::process::ExitCode;

use crate::spec::fault::{Fault, Faults, Place};

/// Why a command could not do what it was asked: exit status 1.
pub(crate) struct Failure {
    faults: Faults,
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

    /// Prints it to stderr; the exit status of the process.
    pub fn report(&self) -> ExitCode {
        let stderr = std::io::stderr();
        let colours = stderr.is_terminal() && std::env::var_os("NO_COLOR").is_none();
        eprint!("{}", rendered(&self.faults, colours));
        ExitCode::from(1)
    }
}

/// A failure below the command line is shown with its causes.
macro_rules! with_causes {
    ($($error:ty),*) => { $(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::new(causes(&error))
            }
        }
    )* };
}
with_causes!(
    crate::store::StoreError,
    crate::engine::DriverError,
    crate::report::ReportError
);

/// An error and its causes in one line.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let below = std::iter::successors(error.source(), |e| e.source());
    below.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        Self { faults }
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
