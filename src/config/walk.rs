//! Validation of a tree against the JSON Schema of its type, collecting every fault.

use serde_json::Value as Json;

use super::duration::{self, Duration};
use super::fault::{Fault, Faults, hint_for, nearest};
use super::keywords::{
    choices_of, expected, fits, is_inner, plain, tag_of, wants_whole, whole, words_of,
};
use super::site::{AMOUNT_FORMAT, Amount, MEMORY_FORMAT, Memory};
use super::tree::{Key, TreeNode, Value};
use crate::simulate::{WORD_FORMAT, Words};

/// Collects the faults of a tree. Optional values with faults are removed from the tree, such that
/// the rest can be checked too.
pub fn walk(schema: &Json, tree: &mut TreeNode, faults: &mut Faults) {
    let mut walker = Walker {
        root: schema,
        faults,
    };
    walker.walk(schema, tree, "");
}

struct Walker<'a> {
    root: &'a Json,
    faults: &'a mut Faults,
}

impl<'a> Walker<'a> {
    /// Returns true if the node satisfies the schema.
    fn walk(&mut self, schema: &'a Json, node: &mut TreeNode, path: &str) -> bool {
        if node.value == Value::Unknown {
            return false;
        }
        let before = self.faults.0.len();
        let schema = self.follow(schema);
        if let Value::Number(value) = node.value
            && self.expand(schema).into_iter().any(wants_whole)
        {
            node.value = whole(value).map_or(Value::Number(value), Value::Integer);
        }
        match choices_of(schema) {
            Some(_) => self.choose(self.expand(schema), node, path),
            None => self.judge(schema, node, path),
        }
        self.faults.0.len() == before
    }

    fn follow(&self, schema: &'a Json) -> &'a Json {
        let pointer = schema.get("$ref").and_then(Json::as_str);
        let target = pointer.and_then(|pointer| self.root.pointer(pointer.trim_start_matches('#')));
        target.unwrap_or(schema)
    }

    /// Alternatives of a schema, including those of its alternatives.
    fn expand(&self, schema: &'a Json) -> Vec<&'a Json> {
        let schema = self.follow(schema);
        match choices_of(schema) {
            Some(choices) => choices
                .iter()
                .flat_map(|choice| self.expand(choice))
                .collect(),
            None => vec![schema],
        }
    }

    fn admits_nothing(&self, schema: &'a Json) -> bool {
        let choices = self.expand(schema);
        choices.into_iter().any(|choice| fits(choice, &Value::Null))
    }

    /// Checks a node against the alternative that its tag or its type selects.
    fn choose(&mut self, mut choices: Vec<&'a Json>, node: &mut TreeNode, path: &str) {
        choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
        if let Some(tag) = tag_of(&choices) {
            return self.choose_by_tag(tag, &choices, node, path);
        }
        let words: Vec<&str> = choices.iter().flat_map(|choice| words_of(choice)).collect();
        let mut fitting = choices
            .iter()
            .copied()
            .filter(|choice| fits(choice, &node.value));
        let all_words = choices.iter().all(|choice| !words_of(choice).is_empty());
        match (fitting.next(), &node.value) {
            (Some(first), _) if words_of(first).is_empty() => {
                self.walk(first, node, path);
            }
            (_, Value::Text(word)) if all_words || words.contains(&word.as_str()) => {
                self.judge_word(&words, node, path);
            }
            _ => {
                let kinds: Vec<String> =
                    choices.iter().flat_map(|choice| expected(choice)).collect();
                self.wrong_type(&kinds, node, path);
            }
        }
    }

    fn choose_by_tag(
        &mut self,
        tag: &'a str,
        choices: &[&'a Json],
        node: &mut TreeNode,
        path: &str,
    ) {
        if !matches!(node.value, Value::Map(_)) {
            return self.wrong_type(&["a block of keys".into()], node, path);
        }
        let mut words: Vec<&str> = choices
            .iter()
            .filter_map(|choice| choice["properties"][tag]["const"].as_str())
            .collect();
        words.dedup();
        let Some(found) = node.get(tag) else {
            let fault = Fault::new(format!("{} has no `{tag}`", named(path)));
            self.faults.push(
                fault
                    .at(node.place.clone())
                    .hint(Some(format!("`{tag}` is one of {}", list(&words)))),
            );
            return self.judge_beside(tag, choices, node, path);
        };
        let mut chosen = choices.to_vec();
        chosen.retain(|choice| match &found.value {
            Value::Text(word) => choice["properties"][tag]["const"] == word.as_str(),
            _ => false,
        });
        match chosen.as_slice() {
            [choice] => self.judge(choice, node, path),
            [_, _, ..] => self.choose(chosen, node, path),
            [] => {
                let mut found = found.clone();
                self.judge_word(&words, &mut found, &join(path, tag));
                self.judge_beside(tag, choices, node, path);
            }
        }
    }

    /// Checks the keys beside the tag of an inner enum whose tag names no variant, as if it named
    /// the first; keys that depend on the variant are removed. An outer enum decides too much for
    /// that.
    fn judge_beside(&mut self, tag: &str, choices: &[&'a Json], node: &mut TreeNode, path: &str) {
        let (Some(first), Value::Map(entries)) = (choices.first(), &mut node.value) else {
            return;
        };
        if !is_inner(choices) {
            return;
        }
        entries.retain(|(key, _)| {
            let property = |choice: &'a Json| choice["properties"].get(&key.name);
            choices
                .iter()
                .all(|choice| property(choice) == property(first))
        });
        let word = first["properties"][tag]["const"].as_str();
        let place = node.place.clone();
        let name = Key {
            name: tag.to_owned(),
            place: place.clone(),
        };
        let value = Value::Text(word.unwrap_or_default().to_owned());
        entries.push((name, TreeNode { value, place }));
        self.judge(first, node, path);
    }

    fn judge(&mut self, schema: &'a Json, node: &mut TreeNode, path: &str) {
        let words = words_of(schema);
        if !words.is_empty() && matches!(node.value, Value::Text(_)) {
            return self.judge_word(&words, node, path);
        }
        if !fits(schema, &node.value) {
            return self.wrong_type(&expected(schema), node, path);
        }
        match &mut node.value {
            Value::Integer(value) => {
                let (value, spelling) = (*value as f64, value.to_string());
                self.judge_number(schema, value, &spelling, node, path);
            }
            Value::Number(value) => {
                let (value, spelling) = (*value, value.to_string());
                self.judge_number(schema, value, &spelling, node, path);
            }
            Value::Text(_) => self.judge_text(schema, node, path),
            Value::List(values) => {
                if (values.len() as u64) < schema["minItems"].as_u64().unwrap_or(0) {
                    self.faults.push(
                        Fault::new(format!("{} is empty", named(path))).at(node.place.clone()),
                    );
                } else if values.len() as u64 > schema["maxItems"].as_u64().unwrap_or(u64::MAX) {
                    let message = format!(
                        "{} has {} entries, at most {} are allowed",
                        named(path),
                        values.len(),
                        schema["maxItems"]
                    );
                    self.faults.push(Fault::new(message).at(node.place.clone()));
                }
                if let Some(items) = schema.get("items") {
                    for (index, value) in values.iter_mut().enumerate() {
                        self.walk(items, value, &format!("{path}[{index}]"));
                    }
                }
            }
            Value::Map(_) => self.judge_map(schema, node, path),
            Value::Null | Value::Bool(_) | Value::Unknown => {}
        }
    }

    fn judge_word(&mut self, words: &[&str], node: &mut TreeNode, path: &str) {
        match &node.value {
            Value::Text(word) if words.contains(&word.as_str()) => {}
            Value::Text(word) => {
                let hint = match nearest(word, words.iter().copied()) {
                    _ if words.len() == 1 => format!("write {}", list(words)),
                    Some(near) => format!("did you mean `{near}`? It is one of {}", list(words)),
                    None => format!("it is one of {}", list(words)),
                };
                let message = format!("{} cannot be `{word}`", named(path));
                self.faults
                    .push(Fault::new(message).at(node.place.clone()).hint(Some(hint)));
            }
            _ => self.wrong_type(&[format!("one of {}", list(words))], node, path),
        }
    }

    fn judge_number(
        &mut self,
        schema: &Json,
        value: f64,
        spelling: &str,
        node: &TreeNode,
        path: &str,
    ) {
        let (min, max) = (&schema["minimum"], &schema["maximum"]);
        let low = min.as_f64().is_some_and(|min| value < min);
        let high = max.as_f64().is_some_and(|max| value > max);
        let message = match (low, high, value.is_finite()) {
            (_, _, false) => format!(
                "{} is `{spelling}`, but must be a finite number",
                named(path)
            ),
            (true, _, _) => format!(
                "{} is {spelling}, but must be at least {}",
                named(path),
                plain(min)
            ),
            (_, true, _) => format!(
                "{} is {spelling}, but must be at most {}",
                named(path),
                plain(max)
            ),
            _ => return,
        };
        let bounds = match (min.as_f64(), max.as_f64()) {
            // The largest number of a type is no bound that anyone wants to read.
            (Some(_), Some(largest)) if largest < 1e9 => {
                Some(format!("it lies between {} and {}", plain(min), plain(max)))
            }
            _ => None,
        };
        let hint = from_param(node).or(bounds);
        self.faults
            .push(Fault::new(message).at(node.place.clone()).hint(hint));
    }

    fn judge_text(&mut self, schema: &Json, node: &TreeNode, path: &str) {
        let Value::Text(text) = &node.value else {
            return;
        };
        if text.trim().is_empty() && schema["minLength"].as_u64().unwrap_or(0) > 0 {
            self.faults
                .push(Fault::new(format!("{} is empty", named(path))).at(node.place.clone()));
        }
        let (judged, example) = match schema["format"].as_str() {
            Some(WORD_FORMAT) => (
                Words::try_from(text.clone())
                    .err()
                    .map(|why| why.to_string()),
                "names look like `b3lyp` or `6-31G*`",
            ),
            Some(duration::FORMAT) => (
                text.parse::<Duration>().err(),
                "durations look like `90s`, `1h 30m`, `2d`, `24:00:00` or `1-00:00:00`",
            ),
            Some(AMOUNT_FORMAT) => (
                text.parse::<Amount>().err(),
                "amounts look like `4 GiB` or `512 MiB`",
            ),
            Some(MEMORY_FORMAT) => (
                text.parse::<Memory>().err(),
                "amounts look like `192 GiB` or `auto`",
            ),
            _ => return,
        };
        if let Some(why) = judged {
            let message = format!("{}: `{text}` {why}", named(path));
            self.faults.push(
                Fault::new(message)
                    .at(node.place.clone())
                    .hint(Some(example.into())),
            );
        }
    }

    fn judge_map(&mut self, schema: &'a Json, node: &mut TreeNode, path: &str) {
        let place = node.place.clone();
        let Value::Map(entries) = &mut node.value else {
            return;
        };
        let properties = schema.get("properties").and_then(Json::as_object);
        let required: Vec<&str> = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
            .collect();
        let mut taken_for = Vec::new();
        if entries.is_empty() && schema.get("minProperties").is_some() {
            self.faults
                .push(Fault::new(format!("{} is empty", named(path))).at(place.clone()));
        }
        entries.retain_mut(|(key, value)| {
            let inner = join(path, &key.name);
            if let Some(property) = properties.and_then(|properties| properties.get(&key.name)) {
                let optional = !required.contains(&key.name.as_str());
                // Nothing after the colon is the same as no such key, where there may be none.
                if optional && value.value == Value::Null && self.admits_nothing(property) {
                    return false;
                }
                return self.walk(property, value, &inner) || !optional;
            }
            match &schema["additionalProperties"] {
                Json::Bool(false) => {
                    let known = properties
                        .into_iter()
                        .flat_map(|properties| properties.keys())
                        .map(String::as_str);
                    let place_name = if path.is_empty() {
                        String::new()
                    } else {
                        format!(" in `{path}`")
                    };
                    let message = format!("unknown key `{}`{place_name}", key.name);
                    taken_for.extend(nearest(&key.name, known.clone()));
                    let hint = hint_for(&key.name, known);
                    self.faults
                        .push(Fault::new(message).at(key.place.clone()).hint(hint));
                    false
                }
                schema @ Json::Object(_) => {
                    self.walk(schema, value, &inner);
                    true
                }
                _ => true,
            }
        });
        for name in required {
            // A misspelt key is one fault, not two.
            if !taken_for.contains(&name) && !entries.iter().any(|(key, _)| key.name == name) {
                let message = match path {
                    "" => format!("the key `{name}` is missing"),
                    path => format!("`{path}` has no `{name}`"),
                };
                let description = properties
                    .and_then(|all| all.get(name))
                    .map(|property| self.description(property));
                let hint = description
                    .flatten()
                    .map(|text| format!("`{name}`: {text}"));
                self.faults
                    .push(Fault::new(message).at(place.clone()).hint(hint));
            }
        }
    }

    /// First paragraph of the schema's description of a value.
    fn description(&self, schema: &'a Json) -> Option<&'a str> {
        let text = schema
            .get("description")
            .or_else(|| self.follow(schema).get("description"))?;
        text.as_str()?.lines().next()
    }

    fn wrong_type(&mut self, kinds: &[String], node: &TreeNode, path: &str) {
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
                Some(format!("write \"{value}\" for the text"))
            }
            Value::Bool(value) if wants("text") => Some(format!("write \"{value}\" for the text")),
            Value::Number(value) if wants("a whole number") && value.abs() >= i64::MAX as f64 => {
                Some(format!("the largest whole number is {}", i64::MAX))
            }
            Value::Null => Some("write a value after the colon".into()),
            _ => from_param(node),
        };
        let message = format!(
            "{} must be {}, found {found}",
            named(path),
            kinds.join(" or ")
        );
        self.faults
            .push(Fault::new(message).at(node.place.clone()).hint(hint));
    }
}

/// Origin of a value that is not written where it is used.
fn from_param(node: &TreeNode) -> Option<String> {
    let written = node.place.written();
    written.contains("{{").then(|| {
        format!(
            "the value comes from {} under `params`",
            written.trim_matches(['"', '\''])
        )
    })
}

fn list(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}

fn named(path: &str) -> String {
    match path {
        "" => "the file".into(),
        path => format!("`{path}`"),
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.into()
    } else {
        format!("{path}.{key}")
    }
}
