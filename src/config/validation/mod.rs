//! Validation of a tree against the JSON Schema of its type, collecting every error.

mod scalar;
mod version_one;

use serde_json::Value as Json;

use super::diagnostic::{Diagnostic, Diagnostics, hint_for, nearest};
use super::keywords::{choices_of, expected, fits, is_inner, tag_of, wants_whole, whole, words_of};
use super::tree::{Key, TreeNode, Value};
use scalar::{check_number, check_text, check_word, list, wrong_type};

/// Collects the errors of a tree. Optional values that are wrong are removed from the tree, such
/// that the rest can be checked too.
pub fn validate(schema: &Json, tree: &mut TreeNode, diagnostics: &mut Diagnostics) {
    let mut validator = Validator {
        root: schema,
        diagnostics,
    };
    validator.validate(schema, tree, "");
}

struct Validator<'a> {
    /// Schema that holds the definitions.
    root: &'a Json,
    diagnostics: &'a mut Diagnostics,
}

impl<'a> Validator<'a> {
    /// Checks a node, whose dotted path is `path`; returns true if it satisfies the schema.
    fn validate(&mut self, schema: &'a Json, node: &mut TreeNode, path: &str) -> bool {
        if node.value == Value::Unknown {
            return false;
        }
        let before = self.diagnostics.0.len();
        let schema = self.follow(schema);
        if let Value::Number(value) = node.value
            && self.expand(schema).into_iter().any(wants_whole)
        {
            node.value = whole(value).map_or(Value::Number(value), Value::Integer);
        }
        match choices_of(schema) {
            Some(_) => self.choose(self.expand(schema), node, path),
            None => self.check(schema, node, path),
        }
        self.diagnostics.0.len() == before
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
                self.validate(first, node, path);
            }
            (_, Value::Text(word)) if all_words || words.contains(&word.as_str()) => {
                self.diagnostics.0.extend(check_word(&words, node, path));
            }
            _ => {
                let kinds: Vec<String> =
                    choices.iter().flat_map(|choice| expected(choice)).collect();
                let hint = match &node.value {
                    Value::Text(word) => version_one::hint_for_word(word, path)
                        .map(str::to_owned)
                        .or_else(|| near(word, &words)),
                    _ => None,
                };
                let diagnostic = wrong_type(&kinds, node, path);
                self.diagnostics.push(match hint {
                    Some(hint) => diagnostic.hint(hint),
                    None => diagnostic,
                });
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
            let kinds = ["a block of keys".to_owned()];
            return self.diagnostics.push(wrong_type(&kinds, node, path));
        }
        let mut words: Vec<&str> = choices
            .iter()
            .filter_map(|choice| choice["properties"][tag]["const"].as_str())
            .collect();
        words.dedup();
        let Some(found) = node.get(tag) else {
            let diagnostic = error(node, format!("{} has no `{tag}`", named(path)));
            let hint = format!("`{tag}` is one of {}", list(&words));
            self.diagnostics.push(diagnostic.hint(hint));
            return self.check_beside(tag, choices, node, path);
        };
        let mut chosen = choices.to_vec();
        chosen.retain(|choice| match &found.value {
            Value::Text(word) => choice["properties"][tag]["const"] == word.as_str(),
            _ => false,
        });
        match chosen.as_slice() {
            [choice] => self.check(choice, node, path),
            [_, _, ..] => self.choose(chosen, node, path),
            [] => {
                let diagnostic = check_word(&words, found, &join(path, tag));
                self.diagnostics.0.extend(diagnostic);
                self.check_beside(tag, choices, node, path);
            }
        }
    }

    /// Checks the keys beside the tag of an inner enum whose tag names no variant, as if it named
    /// the first; keys that depend on the variant are removed. An outer enum decides too much for
    /// that.
    fn check_beside(&mut self, tag: &str, choices: &[&'a Json], node: &mut TreeNode, path: &str) {
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
        self.check(first, node, path);
    }

    /// Checks a node against a schema without alternatives.
    fn check(&mut self, schema: &'a Json, node: &mut TreeNode, path: &str) {
        let words = words_of(schema);
        if !words.is_empty() && matches!(node.value, Value::Text(_)) {
            self.diagnostics.0.extend(check_word(&words, node, path));
        } else if !fits(schema, &node.value) {
            let kinds = expected(schema);
            self.diagnostics.push(wrong_type(&kinds, node, path));
        } else {
            match &node.value {
                Value::Integer(_) | Value::Number(_) => {
                    let diagnostic = check_number(schema, node, path);
                    self.diagnostics.0.extend(diagnostic);
                }
                Value::Text(text) => {
                    let found = check_text(schema, text, node, path);
                    self.diagnostics.0.extend(found);
                }
                Value::List(_) => self.check_list(schema, node, path),
                Value::Map(_) => self.check_map(schema, node, path),
                Value::Null | Value::Bool(_) | Value::Unknown => {}
            }
        }
    }

    fn check_list(&mut self, schema: &'a Json, node: &mut TreeNode, path: &str) {
        let Value::List(values) = &mut node.value else {
            return;
        };
        let bound = |name: &str| schema[name].as_u64();
        let count = values.len() as u64;
        let message = match (bound("minItems"), bound("maxItems")) {
            (Some(min), _) if count < min => Some(format!("{} is empty", named(path))),
            (_, Some(max)) if count > max => Some(format!(
                "{} has {count} entries, at most {max} are allowed",
                named(path)
            )),
            _ => None,
        };
        let place = node.place.clone();
        let diagnostic = message.map(|message| Diagnostic::new(message).at(place));
        self.diagnostics.0.extend(diagnostic);
        if let Some(items) = schema.get("items") {
            for (index, value) in values.iter_mut().enumerate() {
                self.validate(items, value, &format!("{path}[{index}]"));
            }
        }
    }

    fn check_map(&mut self, schema: &'a Json, node: &mut TreeNode, path: &str) {
        let place = node.place.clone();
        let Value::Map(entries) = &mut node.value else {
            return;
        };
        let properties = schema.get("properties").and_then(Json::as_object);
        let required = schema["required"].as_array().into_iter().flatten();
        let required: Vec<&str> = required.filter_map(Json::as_str).collect();
        let mut taken_for = Vec::new();
        if entries.is_empty() && schema.get("minProperties").is_some() {
            let message = format!("{} is empty", named(path));
            self.diagnostics
                .push(Diagnostic::new(message).at(place.clone()));
        }
        entries.retain_mut(|(key, value)| {
            let inner = join(path, &key.name);
            if let Some(property) = properties.and_then(|properties| properties.get(&key.name)) {
                let optional = !required.contains(&key.name.as_str());
                // Nothing after the colon is the same as no such key, where there may be none.
                if optional && value.value == Value::Null && self.admits_nothing(property) {
                    return false;
                }
                return self.validate(property, value, &inner) || !optional;
            }
            match &schema["additionalProperties"] {
                Json::Bool(false) => {
                    let known = properties.into_iter().flat_map(|all| all.keys());
                    let known = known.map(String::as_str);
                    taken_for.extend(nearest(&key.name, known.clone()));
                    self.diagnostics.push(unknown_key(key, known, path));
                    false
                }
                schema @ Json::Object(_) => {
                    self.validate(schema, value, &inner);
                    true
                }
                _ => true,
            }
        });
        for name in required {
            // A misspelt key is one error, not two.
            if !taken_for.contains(&name) && !entries.iter().any(|(key, _)| key.name == name) {
                let message = match path {
                    "" => format!("the key `{name}` is missing"),
                    path => format!("`{path}` has no `{name}`"),
                };
                let property = properties.and_then(|all| all.get(name));
                let description = property.and_then(|property| self.description(property));
                let hint = description.map(|text| format!("`{name}`: {text}"));
                let diagnostic = Diagnostic::new(message).at(place.clone());
                self.diagnostics.push(diagnostic.hint_if(hint));
            }
        }
    }

    /// First paragraph of the schema's description of a value.
    fn description(&self, schema: &'a Json) -> Option<&'a str> {
        let own = schema.get("description");
        let text = own.or_else(|| self.follow(schema).get("description"))?;
        text.as_str()?.lines().next()
    }
}

/// Hint for a word that is almost one of `words`.
fn near(word: &str, words: &[&str]) -> Option<String> {
    let near = nearest(word, words.iter().copied());
    near.map(|near| format!("did you mean `{near}`?"))
}

fn unknown_key<'k>(
    key: &Key,
    known: impl Iterator<Item = &'k str> + Clone,
    path: &str,
) -> Diagnostic {
    let inside = match path {
        "" => String::new(),
        path => format!(" in `{path}`"),
    };
    let hint = version_one::hint_for_key(&key.name, path).map(str::to_owned);
    Diagnostic::new(format!("unknown key `{}`{inside}", key.name))
        .at(key.place.clone())
        .hint_if(hint.or_else(|| hint_for(&key.name, known)))
}

/// Error at the place of a node.
fn error(node: &TreeNode, message: String) -> Diagnostic {
    Diagnostic::new(message).at(node.place.clone())
}

/// A value in a message.
fn named(path: &str) -> String {
    match path {
        "" => "the file".into(),
        path => format!("`{path}`"),
    }
}

fn join(path: &str, key: &str) -> String {
    match path {
        "" => key.into(),
        path => format!("{path}.{key}"),
    }
}
