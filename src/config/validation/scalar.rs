//! Checks of single values: their type, and the bounds and forms of words, numbers and texts.

use serde_json::Value as Json;

use super::{error, named};
use crate::config::diagnostic::{Diagnostic, nearest};
use crate::config::duration::{self, Duration};
use crate::config::keywords::plain;
use crate::config::site::{AMOUNT_FORMAT, Amount, MEMORY_FORMAT, Memory};
use crate::config::tree::{TreeNode, Value};
use crate::simulate::{UNIT_FORMAT, WORD_FORMAT, Words, unit_error};

/// Checks that a value is one of these words.
pub(super) fn check_word(words: &[&str], node: &TreeNode, path: &str) -> Option<Diagnostic> {
    let Value::Text(word) = &node.value else {
        let kinds = [format!("one of {}", list(words))];
        return Some(wrong_type(&kinds, node, path));
    };
    if words.contains(&word.as_str()) {
        return None;
    }
    let hint = match nearest(word, words.iter().copied()) {
        _ if words.len() == 1 => format!("write {}", list(words)),
        Some(near) => format!("did you mean `{near}`? It is one of {}", list(words)),
        None => format!("it is one of {}", list(words)),
    };
    let message = format!("{} cannot be `{word}`", named(path));
    Some(error(node, message).hint(hint))
}

/// Checks that a number lies within the bounds of its schema.
pub(super) fn check_number(schema: &Json, node: &TreeNode, path: &str) -> Option<Diagnostic> {
    let (value, spelling) = match &node.value {
        Value::Integer(value) => (*value as f64, value.to_string()),
        Value::Number(value) => (*value, value.to_string()),
        _ => return None,
    };
    let (min, max) = (&schema["minimum"], &schema["maximum"]);
    let low = min.as_f64().is_some_and(|min| value < min);
    let high = max.as_f64().is_some_and(|max| value > max);
    let name = named(path);
    let message = match (low, high, value.is_finite()) {
        (_, _, false) => format!("{name} is `{spelling}`, but must be a finite number"),
        (true, _, _) => format!("{name} is {spelling}, but must be at least {}", plain(min)),
        (_, true, _) => format!("{name} is {spelling}, but must be at most {}", plain(max)),
        _ => return None,
    };
    let bounds = match (min.as_f64(), max.as_f64()) {
        // The largest number of a type is not worth a hint.
        (Some(_), Some(largest)) if largest < 1e9 => {
            Some(format!("it lies between {} and {}", plain(min), plain(max)))
        }
        _ => None,
    };
    Some(error(node, message).hint_if(from_param(node).or(bounds)))
}

/// Checks that a text is not empty and has the format of its schema.
pub(super) fn check_text(
    schema: &Json,
    text: &str,
    node: &TreeNode,
    path: &str,
) -> impl Iterator<Item = Diagnostic> {
    let min_length = schema["minLength"].as_u64().unwrap_or(0);
    let empty = text.trim().is_empty() && min_length > 0;
    let empty = empty.then(|| error(node, format!("{} is empty", named(path))));
    empty
        .into_iter()
        .chain(check_format(schema, text, node, path))
}

fn check_format(schema: &Json, text: &str, node: &TreeNode, path: &str) -> Option<Diagnostic> {
    let (parsed, example) = match schema["format"].as_str()? {
        WORD_FORMAT => (
            Words::try_from(text.to_owned())
                .map(drop)
                .map_err(|error| error.to_string()),
            "names look like `b3lyp` or `6-31G*`",
        ),
        duration::FORMAT => (
            text.parse::<Duration>().map(drop),
            "durations look like `90s`, `1h 30m`, `2d`, `24:00:00` or `1-00:00:00`",
        ),
        AMOUNT_FORMAT => (
            text.parse::<Amount>().map(drop),
            "amounts look like `4 GiB` or `512 MiB`",
        ),
        MEMORY_FORMAT => (
            text.parse::<Memory>().map(drop),
            "amounts look like `192 GiB` or `auto`",
        ),
        UNIT_FORMAT => {
            // Its message quotes the text itself.
            let message = format!("{}: {}", named(path), unit_error(text)?);
            return Some(error(node, message).hint_if(from_param(node)));
        }
        _ => return None,
    };
    let why = parsed.err()?;
    Some(error(node, format!("{}: `{text}` {why}", named(path))).hint(example))
}

/// Error for a value that is none of these kinds.
pub(super) fn wrong_type(kinds: &[String], node: &TreeNode, path: &str) -> Diagnostic {
    let mut kinds = kinds.to_vec();
    kinds.dedup();
    let found = match &node.value {
        Value::Null | Value::Unknown => "nothing".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Integer(value) => format!("the number {value}"),
        Value::Number(value) => format!("the number {value}"),
        Value::Text(text) => format!("the text `{text}`"),
        Value::List(_) => "a list".to_owned(),
        Value::Map(_) => "a block of keys".to_owned(),
    };
    let wants = |kind: &str| kinds.iter().any(|wanted| wanted == kind);
    let wants_duration = kinds.iter().any(|kind| kind.starts_with("a duration"));
    let hint = match &node.value {
        Value::Integer(value) if wants_duration => Some(duration::hint_for_number(value)),
        Value::Number(value) if wants_duration => Some(duration::hint_for_number(value)),
        Value::Integer(value) if wants("text") => {
            Some(format!("write \"{value}\" to make it a text"))
        }
        Value::Bool(value) if wants("text") => Some(format!("write \"{value}\" to make it a text")),
        Value::Number(value) if wants("a whole number") && value.abs() >= i64::MAX as f64 => {
            Some(format!("the largest whole number is {}", i64::MAX))
        }
        Value::Null => Some("write a value after the colon".into()),
        _ => from_param(node),
    };
    let kinds = kinds.join(" or ");
    let message = format!("{} must be {kinds}, found {found}", named(path));
    error(node, message).hint_if(hint)
}

/// Hint for a value that is not written where it is used.
fn from_param(node: &TreeNode) -> Option<String> {
    let written = node.place.written();
    let param = written.trim_matches(['"', '\'']);
    written
        .contains("{{")
        .then(|| format!("the value comes from {param} under `params`"))
}

/// Words in a message.
pub(super) fn list(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}
