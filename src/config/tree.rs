//! YAML as a tree in which every key and every value knows its line and column.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Error, MessageFormatter, NonFiniteFloatPolicy, Spanned};

use super::diagnostic::{Diagnostic, Diagnostics, Place, Text};

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct TreeNode {
    /// The value.
    pub value: Value,
    /// Its place; of a block, that of its key.
    pub place: Place,
}

/// A YAML value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing, or `null`.
    Null,
    Bool(bool),
    Integer(i128),
    Number(f64),
    Text(String),
    List(Vec<TreeNode>),
    /// Entries in the order of the file, without duplicate keys.
    Map(Vec<(Key, TreeNode)>),
    /// Reference that could not be replaced. It has been reported, and is not checked again.
    Unknown,
}

/// A key of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// Text of the key.
    pub name: String,
    /// Its place.
    pub place: Place,
}

impl TreeNode {
    /// Returns the value under a key of a map.
    pub fn get(&self, name: &str) -> Option<&TreeNode> {
        self.entry(name).map(|(_, node)| node)
    }

    /// Returns an entry of a map; none for any other value.
    pub fn entry(&self, name: &str) -> Option<(&Key, &TreeNode)> {
        let pair = self.entries().iter().find(|(key, _)| key.name == name);
        pair.map(|(key, node)| (key, node))
    }

    /// Returns the entries of a map; empty for any other value.
    pub fn entries(&self) -> &[(Key, TreeNode)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Returns the place of a value by its path, with list entries by their index; that of its
    /// nearest parent if there is no such value.
    pub fn find(&self, path: &[&str]) -> &Place {
        let [name, rest @ ..] = path else {
            return &self.place;
        };
        if let Value::List(nodes) = &self.value {
            let node = name.parse().ok().and_then(|index: usize| nodes.get(index));
            return node.map_or(&self.place, |node| node.find(rest));
        }
        match self.entry(name) {
            // A block belongs to its key: that is the line to look at.
            Some((key, node))
                if !node.is_scalar() && rest.first().is_none_or(|next| !node.has(next)) =>
            {
                &key.place
            }
            Some((_, node)) => node.find(rest),
            None => &self.place,
        }
    }

    fn has(&self, name: &str) -> bool {
        match &self.value {
            Value::List(nodes) => name.parse().is_ok_and(|index: usize| index < nodes.len()),
            _ => self.get(name).is_some(),
        }
    }

    /// Returns true if a reference inside could not be replaced.
    pub fn is_incomplete(&self) -> bool {
        match &self.value {
            Value::Unknown => true,
            Value::List(nodes) => nodes.iter().any(TreeNode::is_incomplete),
            Value::Map(entries) => entries.iter().any(|(_, node)| node.is_incomplete()),
            _ => false,
        }
    }

    /// Returns true if the value is neither a list nor a map.
    pub fn is_scalar(&self) -> bool {
        !matches!(self.value, Value::List(_) | Value::Map(_))
    }

    /// Returns the tree as JSON; a number that is not finite becomes null.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null | Value::Unknown => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Integer(value) => match (u64::try_from(*value), i64::try_from(*value)) {
                (Ok(value), _) => value.into(),
                (_, Ok(value)) => value.into(),
                _ => (*value as f64).into(),
            },
            Value::Number(value) => (*value).into(),
            Value::Text(value) => value.as_str().into(),
            Value::List(nodes) => nodes.iter().map(TreeNode::to_json).collect(),
            Value::Map(entries) => {
                let pairs = entries
                    .iter()
                    .map(|(key, node)| (key.name.clone(), node.to_json()));
                serde_json::Value::Object(pairs.collect())
            }
        }
    }
}

/// Parses a text; none after a syntax error. Duplicate keys and unquoted `{{name}}` are reported
/// too, but do not prevent a tree.
pub fn parse(text: &Arc<Text>, diagnostics: &mut Diagnostics) -> Option<TreeNode> {
    let whole = text.whole();
    let options = serde_saphyr::options! {
        // They are found here, so that all of them are, with their places.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        // They are refused where a number is expected, with a place.
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        // Comments count against a small budget when they are kept.
        // Nitrogen is not `no`.
        strict_booleans: true,
        // Each level takes kilobytes of stack, and that of a thread must not overflow.
        budget: serde_saphyr::budget! { max_depth: 40 },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 10_000 },
    };
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(&text.text, options) {
        _ if is_blank(&text.text) => {
            let hint = "start from a shipped file, such as `campaigns/quickstart.yml`";
            diagnostics.push(Diagnostic::new("the file is empty").at(whole).hint(hint));
            None
        }
        Ok(raw) => Some(node(raw, text, diagnostics)),
        Err(error) => {
            diagnostics.push(syntax_error(&error, whole));
            None
        }
    }
}

fn is_blank(text: &str) -> bool {
    let blank = |line: &str| line.is_empty() || line.starts_with('#') || line == "---";
    text.lines().all(|line| blank(line.trim()))
}

fn syntax_error(error: &Error, whole: Place) -> Diagnostic {
    let error = error.without_snippet();
    let message = serde_saphyr::UserMessageFormatter
        .format_message(error)
        .into_owned();
    let (message, hint) = match error {
        Error::MultipleDocuments { .. } => (
            "a second document begins here".to_owned(),
            "one file holds one document: remove the `---` line",
        ),
        Error::UnknownAnchor { .. } => (
            "this alias refers to nothing".to_owned(),
            "`*name` repeats what was marked with `&name` further up",
        ),
        _ if message.contains("too complex") || message.contains("recursion limit") => (
            "the file has too many aliases or too many levels".to_owned(),
            "a campaign or site profile needs few levels and no aliases: write it out",
        ),
        _ if message.contains("tab") => (format!("not YAML: {message}"), "indent with spaces"),
        _ => (
            format!("not YAML: {message}"),
            "look at the indentation, brackets and quotes of this line and of the one before",
        ),
    };
    let place = match error.location() {
        Some(location) if location.line() > 0 => placed(&whole.text, location, None),
        _ => whole,
    };
    Diagnostic::new(message).at(place).hint(hint)
}

fn placed(text: &Arc<Text>, location: serde_saphyr::Location, scalar: Option<&Raw>) -> Place {
    let (line, column) = (
        location.line().max(1) as usize,
        location.column().max(1) as usize,
    );
    let rest = text
        .text
        .lines()
        .nth(line - 1)
        .unwrap_or("")
        .chars()
        .skip(column - 1);
    let length = match scalar {
        Some(Raw::List(_) | Raw::Map(_)) | None => 1,
        Some(_) => (location.span().len() as usize).min(rest.count()).max(1),
    };
    Place {
        text: Arc::clone(text),
        line,
        column,
        length,
    }
}

fn node(raw: Spanned<Raw>, text: &Arc<Text>, diagnostics: &mut Diagnostics) -> TreeNode {
    let place = placed(text, raw.referenced, Some(&raw.value));
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Bool(value) => Value::Bool(value),
        Raw::Integer(value) => Value::Integer(value),
        Raw::Number(value) => Value::Number(value),
        Raw::Text(value) => Value::Text(value),
        Raw::List(values) => Value::List(
            values
                .into_iter()
                .map(|raw| node(raw, text, diagnostics))
                .collect(),
        ),
        Raw::Map(pairs) => match bare_reference(&pairs) {
            Some(name) => {
                diagnostics.push(
                    Diagnostic::new(format!("`{{{{{name}}}}}` needs quotes: YAML reads a bare brace as the start of a map"))
                        .at(place.clone())
                        .hint(format!("write \"{{{{{name}}}}}\"")),
                );
                Value::Text(format!("{{{{{name}}}}}"))
            }
            None => Value::Map(entries(pairs, text, diagnostics)),
        },
    };
    TreeNode { value, place }
}

/// The name in an unquoted `{{name}}`, which YAML takes for a map with a map as its only key.
fn bare_reference(pairs: &[(Spanned<Raw>, Spanned<Raw>)]) -> Option<&str> {
    let [(key, _)] = pairs else { return None };
    let Raw::Map(inner) = &key.value else {
        return None;
    };
    match inner.as_slice() {
        [(name, _)] => match &name.value {
            Raw::Text(name) => Some(name),
            _ => None,
        },
        _ => None,
    }
}

fn entries(
    pairs: Vec<(Spanned<Raw>, Spanned<Raw>)>,
    text: &Arc<Text>,
    diagnostics: &mut Diagnostics,
) -> Vec<(Key, TreeNode)> {
    let mut entries: Vec<(Key, TreeNode)> = Vec::new();
    for (key, value) in pairs {
        let place = placed(text, key.referenced, Some(&key.value));
        let mut value = node(value, text, diagnostics);
        if !value.is_scalar() && value.place.line > place.line {
            value.place = place.clone();
        }
        let Some(name) = key.value.spelling() else {
            diagnostics.push(Diagnostic::new("a key must be a word").at(place));
            continue;
        };
        match entries.iter().find(|(first, _)| first.name == name) {
            Some((first, _)) => {
                let message = format!(
                    "the key `{name}` is used twice, first in line {}",
                    first.place.line
                );
                diagnostics.push(
                    Diagnostic::new(message)
                        .at(place)
                        .hint("remove or rename one of the two"),
                );
            }
            None => entries.push((Key { name, place }, value)),
        }
    }
    entries
}

/// YAML as the parser returns it.
enum Raw {
    Null,
    Bool(bool),
    Integer(i128),
    Number(f64),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl Raw {
    fn spelling(self) -> Option<String> {
        match self {
            Self::Bool(value) => Some(value.to_string()),
            Self::Integer(value) => Some(value.to_string()),
            Self::Number(value) => Some(value.to_string()),
            Self::Text(value) => Some(value),
            Self::Null | Self::List(_) | Self::Map(_) => None,
        }
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Integer(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = access.next_element()? {
            values.push(value);
        }
        Ok(Raw::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = access.next_entry()? {
            pairs.push(pair);
        }
        Ok(Raw::Map(pairs))
    }
}
