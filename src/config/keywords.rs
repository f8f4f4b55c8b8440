//! Keywords of the JSON Schemas that are derived here.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::duration;
use super::site::{AMOUNT_FORMAT, MEMORY_FORMAT};
use super::tree::Value;

/// Returns the alternatives of a schema (`oneOf`, `anyOf`).
pub fn choices_of(schema: &Json) -> Option<&Vec<Json>> {
    schema.get("oneOf").or(schema.get("anyOf"))?.as_array()
}

/// Returns the key that distinguishes the variants of an enum, if there is one.
///
/// If an enum stands in a variant of another, the key of the outer enum comes first: it has fewer
/// words.
pub fn tag_of<'a>(choices: &[&'a Json]) -> Option<&'a str> {
    let (first, others) = choices.split_first()?;
    let properties = first.get("properties")?.as_object()?;
    let word = |choice: &'a Json, name: &str| choice["properties"][name]["const"].as_str();
    let words = |name: &str| -> Option<BTreeSet<&str>> {
        choices.iter().map(|choice| word(choice, name)).collect()
    };
    let counted = properties.keys().filter_map(|name| {
        let count = words(name)?.len();
        (others.is_empty() || count > 1).then_some((count, name))
    });
    counted.min().map(|(_, name)| name.as_str())
}

/// Returns true if these variants belong to an enum inside one variant of another enum: they share
/// the word of that variant.
pub fn is_inner(choices: &[&Json]) -> bool {
    let word = |choice: &Json, name: &str| choice["properties"][name]["const"].clone();
    let shared = |name: &String| {
        let mut words = choices.iter().map(|choice| word(choice, name));
        let first = words.next().unwrap_or_default();
        first.is_string() && words.all(|word| word == first)
    };
    let properties = choices
        .first()
        .and_then(|first| first["properties"].as_object());
    choices.len() > 1 && properties.is_some_and(|properties| properties.keys().any(shared))
}

/// Returns the words that a schema allows.
pub fn words_of(schema: &Json) -> Vec<&str> {
    let listed = schema
        .get("enum")
        .and_then(Json::as_array)
        .into_iter()
        .flatten();
    listed
        .chain(schema.get("const"))
        .filter_map(Json::as_str)
        .collect()
}

fn types_of(schema: &Json) -> Vec<&str> {
    match schema.get("type") {
        Some(Json::String(name)) => vec![name],
        Some(Json::Array(names)) => names.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Returns true if a schema allows integers but no other numbers.
pub fn wants_whole(schema: &Json) -> bool {
    let types = types_of(schema);
    types.contains(&"integer") && !types.contains(&"number")
}

/// Returns true if a value has a type that the schema allows.
pub fn fits(schema: &Json, value: &Value) -> bool {
    if !words_of(schema).is_empty() {
        return matches!(value, Value::Text(_) | Value::Unknown);
    }
    let types = types_of(schema);
    let has = |name: &str| types.contains(&name);
    types.is_empty()
        || match value {
            Value::Null => has("null"),
            Value::Bool(_) => has("boolean"),
            Value::Integer(_) => has("integer") || has("number"),
            Value::Number(_) => has("number"),
            Value::Text(_) => has("string"),
            Value::List(_) => has("array"),
            Value::Map(_) => has("object"),
            Value::Unknown => true,
        }
}

/// Returns descriptions of the values that a schema allows.
pub fn expected(schema: &Json) -> Vec<String> {
    let words = words_of(schema);
    if !words.is_empty() {
        return words.iter().map(|word| format!("`{word}`")).collect();
    }
    let names = types_of(schema).into_iter().filter(|name| *name != "null");
    names
        .map(|name| match name {
            "integer" => "a whole number".into(),
            "number" => "a number".into(),
            "boolean" => "true or false".into(),
            "string" => match schema["format"].as_str() {
                Some(duration::FORMAT) => "a duration such as `2m`".into(),
                Some(MEMORY_FORMAT) => "an amount of memory such as `192 GiB`".into(),
                Some(AMOUNT_FORMAT) => "an amount of memory such as `4 GiB`".into(),
                _ => "text".into(),
            },
            "array" => "a list".into(),
            _ => "a block of keys".into(),
        })
        .collect()
}

/// Returns a number as users write it.
pub fn plain(number: &Json) -> String {
    match number.as_f64() {
        Some(value) if value != 0.0 && value.abs() < 1e-3 => format!("{value:e}"),
        Some(value) => value.to_string(),
        None => number.to_string(),
    }
}

/// Returns the integer value of a number such as `1e3`, if it is one.
pub fn whole(value: f64) -> Option<i128> {
    /// Above it, `f64` cannot represent every integer.
    const LARGEST: f64 = (1_u64 << f64::MANTISSA_DIGITS) as f64;
    (value.fract() == 0.0 && value.abs() <= LARGEST).then_some(value as i128)
}
