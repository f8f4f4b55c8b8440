//! Lines and columns of the cells of a table.

/// Position in a table that moves forward. The reader's own positions include the blank lines
/// before a row.
pub struct Cursor<'a> {
    text: &'a str,
    at: usize,
    /// Line of the row, counted from 1.
    pub line: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor at the byte `at`.
    pub fn new(text: &'a str, at: usize) -> Self {
        let line = text[..at].matches('\n').count() + 1;
        Self { text, at, line }
    }

    /// Moves to the first letter of the row that is read from the byte `at` on.
    pub fn move_to(&mut self, at: usize) {
        let rest = &self.text.as_bytes()[at..];
        let row = at
            + rest
                .iter()
                .take_while(|b| matches!(**b, b'\r' | b'\n'))
                .count();
        let passed = &self.text.as_bytes()[self.at..row];
        self.line += passed.iter().filter(|b| **b == b'\n').count();
        self.at = row;
    }

    /// Line and column of the cell `index` of the row; true if every quote up to the end of the row
    /// is closed.
    pub fn cell(&self, index: usize, delimiter: char) -> (usize, usize, bool) {
        let (mut line, mut column) = (self.line, 1);
        let (mut cell, mut found) = (0, None);
        let (mut in_quotes, mut is_start) = (false, true);
        let mut letters = self.text[self.at..].chars().peekable();
        while let Some(letter) = letters.next() {
            let leads = letter == ' ' || letter == '"' && is_start;
            if cell == index && found.is_none() && !leads {
                found = Some((line, column));
            }
            match letter {
                '"' if is_start => in_quotes = true,
                '"' if in_quotes && letters.next_if_eq(&'"').is_some() => column += 1,
                '"' => in_quotes = false,
                '\n' | '\r' if !in_quotes => break,
                _ => {}
            }
            is_start = letter == delimiter && !in_quotes;
            cell += usize::from(is_start);
            if letter == '\n' {
                (line, column) = (line + 1, 1);
            } else {
                column += 1;
            }
        }
        let (line, column) = found.unwrap_or((self.line, 1));
        (line, column, !in_quotes)
    }
}
