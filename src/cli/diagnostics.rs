//! Rendering of a failed command on stderr: each diagnostic with its line, a caret, a hint and the page
//! of the documentation.

use std::process::ExitCode;

use super::ExitStatus;
use super::pages::{of_place, of_topic};
use super::terminal::StyledText;
use crate::app::error::CommandError;
use crate::config::diagnostic::{Diagnostic, Diagnostics, Place};

/// Prints an error to stderr and returns the exit status of the process. `page`: that of the command,
/// for an error that has no other; None if nobody reads it.
pub(super) fn report(error: &CommandError, page: Option<&str>) -> ExitCode {
    rendered(error, page).print();
    ExitStatus::from(error.host_fault()).into()
}

/// Errors shown in full; the others are counted.
const SHOWN: usize = 20;

fn rendered(error: &CommandError, page_of_command: Option<&str>) -> StyledText {
    let Diagnostics(diagnostics) = error.diagnostics();
    let mut text = StyledText::new();
    for diagnostic in diagnostics.iter().take(SHOWN) {
        let of_topic = || Some(of_topic(error.topic()?).to_owned());
        let of_place = || of_place(diagnostic.place.as_ref()?);
        let page = of_topic().or_else(of_place);
        render(
            diagnostic,
            page_of_command.map(|of_command| page.as_deref().unwrap_or(of_command)),
            &mut text,
        );
    }
    let count = diagnostics.len();
    if count > SHOWN {
        text.add(&format!("... and {} more\n", count - SHOWN));
    }
    if count > 1 {
        text.add(&format!("{count} errors\n"));
    }
    text
}

fn render(diagnostic: &Diagnostic, page: Option<&str>, text: &mut StyledText) {
    text.paint("1;31", "error").add(": ");
    text.paint("1", &diagnostic.message).add("\n");
    if let Some(place) = &diagnostic.place {
        snippet(place, text);
    }
    if let Some(hint) = &diagnostic.hint {
        text.add("  ").paint("1;36", "hint");
        text.add(&format!(": {hint}\n"));
    }
    add_page(page, text);
    text.add("\n");
}

fn add_page(page: Option<&str>, text: &mut StyledText) {
    let Some(page) = page else { return };
    text.add("  ").paint("1;36", "page");
    text.add(&format!(": {page}\n"));
}

/// Prints an error of the command line to stderr, as clap words it, with the page of the command.
pub(super) fn report_usage(error: &clap::Error, page: Option<&str>) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() {
        let mut text = StyledText::new();
        add_page(page, &mut text);
        text.print();
    }
    ExitCode::from(error.exit_code() as u8)
}

/// Columns of a line that are shown; a longer one is cut around the error.
const WIDTH: usize = 100;

fn snippet(place: &Place, text: &mut StyledText) {
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
