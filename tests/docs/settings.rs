//! `docs/settings.md` lists the settings of every engine as their types describe them.

use std::fmt::Write;
use std::path::Path;

use moldflow::config::schema;
use moldflow::design::{GenerateEngine, ScreenEngine, TrainEngine};
use moldflow::simulate::QcEngine;
use serde_json::Value;

const HEAD: &str = "\
# Settings of the engines

`settings` of a method, by its `kind` and `engine`. Written from the types of the program by
`UPDATE_DOCS=1 cargo test --test docs`; the test compares it.
";

/// Follows a reference within a schema.
fn follow<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let reference = schema["$ref"].as_str();
    let target = reference.and_then(|path| root.pointer(path.trim_start_matches('#')));
    target.unwrap_or(schema)
}

/// The type and bounds of a value, in words.
fn allowed(root: &Value, schema: &Value) -> String {
    let schema = follow(root, schema);
    for key in ["anyOf", "oneOf"] {
        if let Some(choices) = schema[key].as_array() {
            let choices = choices.iter().filter(|choice| choice["type"] != "null");
            let words: Vec<String> = choices.map(|choice| allowed(root, choice)).collect();
            return words.join(", ");
        }
    }
    if let Some(word) = schema["const"].as_str() {
        return format!("`{word}`");
    }
    if let Some(words) = schema["enum"].as_array() {
        let words = words.iter().filter_map(Value::as_str);
        let words: Vec<String> = words.map(|word| format!("`{word}`")).collect();
        return words.join(", ");
    }
    let kind = match &schema["type"] {
        Value::String(kind) => kind.as_str(),
        Value::Array(kinds) => kinds[0].as_str().unwrap_or_default(),
        _ => "any value",
    };
    match kind {
        "array" => format!("list of {}", allowed(root, &schema["items"])),
        "object" => match schema.get("additionalProperties") {
            Some(values) if values.is_object() => {
                format!("block, each {}", allowed(root, values))
            }
            _ => "block".to_owned(),
        },
        "string" => "text".to_owned(),
        "boolean" => "`true`, `false`".to_owned(),
        kind => match (schema["minimum"].as_f64(), schema["maximum"].as_f64()) {
            (Some(least), Some(most)) if most < 4e9 => format!("{kind}, {least} to {most}"),
            (Some(least), _) => format!("{kind}, from {least}"),
            _ => kind.to_owned(),
        },
    }
}

/// The first paragraph of a description, on one line.
fn meaning(root: &Value, schema: &Value) -> String {
    let own = schema["description"].as_str();
    let text = own.or_else(|| follow(root, schema)["description"].as_str());
    let paragraph = text.unwrap_or_default().split("\n\n").next();
    paragraph
        .unwrap_or_default()
        .replace('\n', " ")
        .replace('|', "\\|")
}

/// One section for each engine of a kind of method.
fn sections(kind: &str, root: &Value) -> String {
    let mut text = format!("\n## `{kind}`\n");
    let engines = root["oneOf"].as_array().expect("an enum of engines");
    for engine in engines {
        let name = engine["properties"]["engine"]["const"].as_str();
        let name = name.expect("an engine has a name");
        let _ = write!(text, "\n### `{name}`\n\n{}\n", meaning(root, engine));
        let settings = follow(root, &engine["properties"]["settings"]);
        let required: Vec<&str> = settings["required"].as_array().map_or(vec![], |names| {
            names.iter().filter_map(Value::as_str).collect()
        });
        let Some(properties) = settings["properties"].as_object().filter(|p| !p.is_empty()) else {
            text.push_str("\nIt has no settings.\n");
            continue;
        };
        text.push_str("\n| setting | allowed | default | meaning |\n|---|---|---|---|\n");
        for (setting, schema) in properties {
            let default = match &schema["default"] {
                _ if required.contains(&setting.as_str()) => "required".to_owned(),
                Value::Null => "none".to_owned(),
                Value::String(word) => format!("`{word}`"),
                value => format!("`{value}`"),
            };
            let (allowed, meaning) = (allowed(root, schema), meaning(root, schema));
            let _ = writeln!(text, "| `{setting}` | {allowed} | {default} | {meaning} |");
        }
    }
    text
}

#[test]
fn every_setting_is_documented() {
    let mut text = HEAD.to_owned();
    text.push_str(&sections("simulate", &schema::of::<QcEngine>()));
    text.push_str(&sections("train", &schema::of::<TrainEngine>()));
    text.push_str(&sections("generate", &schema::of::<GenerateEngine>()));
    text.push_str(&sections("screen", &schema::of::<ScreenEngine>()));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/settings.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &text).expect("docs/settings.md is written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "docs/settings.md differs from the types: UPDATE_DOCS=1 cargo test --test docs"
    );
    let undescribed: Vec<&str> = text.lines().filter(|line| line.ends_with("|  |")).collect();
    assert_eq!(undescribed, [""; 0]);
}
