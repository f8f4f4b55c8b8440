//! Writing to stdout and stderr. Names in files and messages of programs must not steer the
//! terminal, and a terminal that is gone must not end a run.

use std::io::{self, ErrorKind, IsTerminal, Write};

use rustix::termios::tcgetwinsize;

use crate::app::error::CommandError;

/// Prints to stdout; a reader that has gone away is no failure.
pub(crate) fn print(text: &str) -> Result<(), CommandError> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(visible(text).as_bytes());
    match written.and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(CommandError::new(format!(
            "could not write the output: {error}"
        ))),
        _ => Ok(()),
    }
}

/// Prints a line to stderr, if anybody can read it.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{}", visible(line));
}

/// Returns the width of the terminal that stdout is, in columns; None where it is none.
pub(crate) fn width() -> Option<u16> {
    let stdout = io::stdout();
    let size = stdout.is_terminal().then(|| tcgetwinsize(&stdout).ok())?;
    size.map(|size| size.ws_col).filter(|columns| *columns > 0)
}

/// Returns true if the terminal cannot move its cursor.
pub(crate) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb")
}

/// Returns true unless `NO_COLOR` is set; an empty value counts as none, as no-color.org has it.
pub(crate) fn wants_colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Text for stderr in which words may be coloured.
pub(crate) struct StyledText {
    text: String,
    has_colours: bool,
}

impl StyledText {
    /// Empty; in colours where stderr is a terminal that wants them.
    pub fn new() -> Self {
        Self {
            text: String::new(),
            has_colours: io::stderr().is_terminal() && wants_colours(),
        }
    }

    /// Adds words as they are.
    pub fn add(&mut self, words: &str) -> &mut Self {
        self.text.push_str(&visible(words));
        self
    }

    /// Adds words in the colours of an escape code, `1;31`.
    pub fn paint(&mut self, code: &str, words: &str) -> &mut Self {
        let words = visible(words);
        self.text.push_str(&match self.has_colours {
            true => format!("\x1b[{code}m{words}\x1b[0m"),
            false => words,
        });
        self
    }

    /// Prints it to stderr, if anybody can read it.
    pub fn print(&self) {
        let _ = io::stderr().write_all(self.text.as_bytes());
    }
}

/// Removes from a text what steers a terminal: control characters but for line ends and tabs, and
/// those that override the direction of writing.
pub(crate) fn visible(text: &str) -> String {
    let is_steering = |c: char| {
        c.is_control() && !matches!(c, '\n' | '\t')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let shown = |c| if is_steering(c) { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_character_passes() {
        let all: String = (0..0xa0).filter_map(char::from_u32).collect();
        let shown = visible(&all);
        assert_eq!(shown.chars().count(), 0xa0);
        assert!(
            shown
                .chars()
                .all(|c| !c.is_control() || c == '\n' || c == '\t')
        );
        assert_eq!(visible("Ä\u{202e}=C=O"), "Ä\u{fffd}=C=O");
    }
}
