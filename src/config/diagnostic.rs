//! Errors in input files for the user: message, place and hint.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use strsim::normalized_damerau_levenshtein;

/// A text that diagnostics point into: a file, or an argument of the command line.
#[derive(Debug, PartialEq, Eq)]
pub struct Text {
    /// The path as the user gave it, or `--set`.
    pub name: String,
    /// Content.
    pub text: String,
}

impl Text {
    /// Reads a file under the name that the user gave it. Removes a byte order mark; lines end in
    /// `\n` or `\r\n`.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, is too large, or is not UTF-8.
    pub fn read(path: &Path) -> Result<Arc<Self>, Diagnostic> {
        let name = path.display().to_string();
        let bytes = read_file(path).map_err(|(why, hint)| {
            Diagnostic::new(format!("could not read `{name}`: {why}")).hint_if(hint)
        })?;
        let bytes = match bytes.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) => rest.to_vec(),
            None => bytes,
        };
        let wide = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
        if wide {
            let message = "the file is in UTF-16, which moldflow does not read";
            return Err(not_text(name, &bytes, 0, message, "UTF-16"));
        }
        // Text in two or four bytes a letter has one in every Latin letter.
        if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
            let encoding = if at % 2 == 0 { "UTF-16BE" } else { "UTF-16LE" };
            let message = "a zero byte cannot be part of a text";
            return Err(not_text(name, &bytes, at, message, encoding));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Arc::new(Self {
                name,
                text: with_newlines(text),
            })),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let message = format!("the byte {:#04x} is not valid UTF-8", error.as_bytes()[at]);
                Err(not_text(name, error.as_bytes(), at, &message, "LATIN1"))
            }
        }
    }

    /// Returns the place of the file as a whole: its first character.
    pub fn whole(self: &Arc<Self>) -> Place {
        Place {
            text: Arc::clone(self),
            line: 1,
            column: 1,
            length: 1,
        }
    }
}

/// Size in bytes of the largest file that is read.
const LARGEST: u64 = 4 << 30;

/// Content of a file; on failure, the reason and a hint.
fn read_file(path: &Path) -> Result<Vec<u8>, (String, Option<String>)> {
    let failed = |error: io::Error| {
        let hint = match error.kind() {
            io::ErrorKind::PermissionDenied => {
                Some("`ls -l` shows who may read it, `chmod` changes that".to_owned())
            }
            io::ErrorKind::NotFound => {
                like(path).map(|near| format!("did you mean `{}`?", near.display()))
            }
            _ => None,
        };
        (error.to_string(), hint)
    };
    // Before it is opened: opening a pipe waits for a writer.
    let about = std::fs::metadata(path).map_err(failed)?;
    let (why, hint) = match about.file_type() {
        kind if kind.is_file() && about.len() > LARGEST => (
            format!("it is {} GiB long", about.len() >> 30),
            "use a smaller file",
        ),
        kind if kind.is_file() => return std::fs::read(path).map_err(failed),
        kind if kind.is_dir() => ("it is a folder".to_owned(), "name a file in it"),
        _ => (
            "it is a pipe, a socket or a device".to_owned(),
            "save its content in a file, and name that file",
        ),
    };
    Err((why, Some(hint.to_owned())))
}

/// Share of the letters of a file name that must be right for it to be offered.
const LIKE: f64 = 0.8;

/// Path of the file or folder whose name is most like that of a missing one, in the same folder.
fn like(missing: &Path) -> Option<PathBuf> {
    let name = missing.file_name()?.to_str()?;
    let folder = missing.parent()?;
    let listed = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let likeness = |known: &str| {
        let stem = || Path::new(known).file_stem()?.to_str();
        let without_extension = missing.extension().is_none().then(stem).flatten();
        normalized_damerau_levenshtein(name, without_extension.unwrap_or(known))
    };
    let entries = std::fs::read_dir(listed).ok()?.flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let names = names.map(|known| (likeness(&known), known));
    let near = names.filter(|(likeness, _)| *likeness > LIKE);
    let (_, near) = near.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)))?;
    Some(folder.join(near))
}

/// Diagnostic at the byte `at` of a file whose encoding may be `encoding`.
fn not_text(name: String, bytes: &[u8], at: usize, message: &str, encoding: &str) -> Diagnostic {
    let before = String::from_utf8_lossy(&bytes[..at]);
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .map_or(0, |line| line.chars().count())
        + 1;
    let text = Arc::new(Text {
        name,
        text: String::from_utf8_lossy(bytes).into_owned(),
    });
    let place = Place {
        text,
        line,
        column,
        length: 1,
    };
    let hint = format!(
        "save the file as UTF-8: `iconv -f {encoding} -t UTF-8 OLD > NEW`, if {encoding} is its encoding"
    );
    Diagnostic::new(message).at(place).hint(hint)
}

/// Text with `\r` alone as line ends (old Macs) converted to `\n`.
fn with_newlines(text: String) -> String {
    match text.contains('\n') || !text.contains('\r') {
        true => text,
        false => text.replace('\r', "\n"),
    }
}

/// A stretch of one line of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Text that the place is in.
    pub text: Arc<Text>,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// In characters, at least 1.
    pub length: usize,
}

impl Place {
    /// Returns the line of the place, without its end.
    pub fn line_text(&self) -> &str {
        self.text.text.lines().nth(self.line - 1).unwrap_or("")
    }

    /// Returns the text at the place.
    pub fn written(&self) -> String {
        let line = self.line_text().chars().skip(self.column - 1);
        line.take(self.length).collect()
    }
}

/// One error in an input file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// One sentence without a full stop.
    pub message: String,
    /// Place in a text; none if the text could not be read.
    pub place: Option<Place>,
    /// Advice to the user, as `message`; none if there is none.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// Returns a diagnostic without place and hint.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            place: None,
            hint: None,
        }
    }

    /// Sets the place, if there is one.
    pub fn at(mut self, place: impl Into<Option<Place>>) -> Self {
        self.place = place.into();
        self
    }

    /// Adds a hint.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        self.hint_if(Some(hint.into()))
    }

    /// Adds a hint, if there is one.
    pub fn hint_if(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if let Some(Place {
            text, line, column, ..
        }) = &self.place
        {
            write!(f, "{}:{line}:{column}: ", text.name)?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

/// All errors of the input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// Returns true if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Appends all of `other`.
    pub fn extend(&mut self, other: Diagnostics) {
        self.0.extend(other.0);
    }

    /// Gives those without a place `place`, where their file is named.
    pub fn named_at(mut self, place: &Place) -> Self {
        for diagnostic in self
            .0
            .iter_mut()
            .filter(|diagnostic| diagnostic.place.is_none())
        {
            diagnostic.place = Some(place.clone());
            let hint = || "a path in a campaign is relative to the campaign's folder".to_owned();
            diagnostic.hint.get_or_insert_with(hint);
        }
        self
    }

    /// Returns `value` if there are none.
    ///
    /// # Errors
    ///
    /// Fails with the diagnostics, in the order of their lines and without duplicates.
    pub fn or<T>(mut self, value: T) -> Result<T, Self> {
        if self.is_empty() {
            return Ok(value);
        }
        self.0.sort_by_key(|diagnostic| {
            let place = diagnostic.place.as_ref();
            place.map(|place| (place.text.name.clone(), place.line, place.column))
        });
        self.0.dedup();
        Err(self)
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(Diagnostic::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Diagnostics {}

/// Known word nearest to `word`, if one is near enough for `did you mean ...?`.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    known
        .into_iter()
        .map(|known| (strsim::jaro_winkler(&word, &known.to_lowercase()), known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

/// Hint for an unknown word: the nearest known word, or all of them.
pub fn hint_for<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<String> {
    match nearest(word, known.clone()) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None => {
            let known: Vec<String> = known.into_iter().map(|word| format!("`{word}`")).collect();
            (!known.is_empty()).then(|| format!("known here: {}", known.join(", ")))
        }
    }
}
