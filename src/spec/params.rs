//! The knobs of a campaign: `--set KEY=VALUE`, and the places where `{{name}}` stands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use handlebars::Template;
use handlebars::template::TemplateElement;

use super::campaign::Scalar;
use super::fault::{Fault, Faults, Place, Text, hint_for};
use super::tree::{self, Key, Node, Value};

/// Applies the overrides and replaces every `{{name}}`; returns the values of the params.
///
/// `top_level` are the keys that a campaign may have, for dotted paths and hints.
pub fn resolve(
    root: &mut Node,
    sets: &[Set],
    top_level: &[&str],
    faults: &mut Faults,
) -> BTreeMap<String, Scalar> {
    let mut knobs = read(root, faults);
    // What is referenced is asked of the file as written: overriding a place does not orphan its param.
    let mut used = BTreeSet::new();
    for (key, node) in root.entries() {
        if key.name != "params" {
            references(node, &mut used);
        }
    }
    for set in sets {
        match knobs.get_mut(&set.key) {
            Some(knob) => knob.set(set, faults),
            None => set_path(root, set, &knobs, top_level, faults),
        }
    }
    for (name, knob) in &knobs {
        if !used.contains(name) {
            let fault = Fault::new(format!("the param `{name}` is referenced nowhere"))
                .at(knob.place.clone());
            let hint = format!("write \"{{{{{name}}}}}\" where it belongs, or remove it");
            faults.push(fault.hint(Some(hint)));
        }
    }
    if let Value::Map(entries) = &mut root.value {
        for (key, node) in entries.iter_mut() {
            if key.name != "params" {
                substitute(node, &knobs, faults);
            }
        }
    }
    let scalars = knobs
        .into_iter()
        .filter_map(|(name, knob)| Some((name, knob.value.scalar()?)));
    scalars.collect()
}

/// One `--set KEY=VALUE`.
#[derive(Clone, Debug)]
pub struct Set {
    pub key: String,
    pub value: String,
    /// Of the value, within the argument.
    pub place: Place,
}

impl Set {
    /// Reads `KEY=VALUE` as given to the option of that name.
    pub fn parse(option: &str, argument: &str) -> Result<Self, Fault> {
        let text = Arc::new(Text {
            name: option.to_owned(),
            text: argument.to_owned(),
        });
        let place = |column: usize, length: usize| Place {
            text: Arc::clone(&text),
            line: 1,
            column,
            length: length.max(1),
        };
        match argument.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => Ok(Self {
                key: key.trim().to_owned(),
                value: value.trim().to_owned(),
                place: place(key.chars().count() + 2, value.chars().count()),
            }),
            _ => Err(Fault::new(format!("`{argument}` is no override"))
                .at(place(1, argument.chars().count()))
                .hint(Some("write it as KEY=VALUE: `--set rl_episodes=8`".into()))),
        }
    }

    fn node(&self, faults: &mut Faults) -> Option<Node> {
        if self.value.is_empty() {
            faults.push(
                Fault::new(format!("`{}` is given no value", self.key)).at(self.place.clone()),
            );
            return None;
        }
        // Parsed with the key in front of it, so that every column is one of the argument.
        let padded = Arc::new(Text {
            name: self.place.text.name.clone(),
            text: format!("{}{}", " ".repeat(self.place.column - 1), self.value),
        });
        let mut node = tree::parse(&padded, faults)?;
        node.relabel(&self.place.text);
        Some(node)
    }
}

struct Knob {
    value: Value,
    place: Place,
    min: Option<f64>,
    max: Option<f64>,
}

impl Knob {
    fn set(&mut self, set: &Set, faults: &mut Faults) {
        let parsed = match &self.value {
            Value::Text(_) => Some(Value::Text(set.value.clone())),
            _ => set.node(faults).map(|node| node.value),
        };
        let Some(parsed) = parsed else { return };
        let parsed = match (&self.value, parsed) {
            (Value::Number(_), Value::Integer(value)) => Value::Number(value as f64),
            (_, parsed) => parsed,
        };
        let wanted = match self.value {
            Value::Bool(_) => "true or false",
            Value::Integer(_) => "a whole number",
            _ => "a number",
        };
        if std::mem::discriminant(&self.value) == std::mem::discriminant(&parsed) {
            self.value = parsed;
            self.judge(&set.key, &set.place, faults);
        } else {
            let message = format!("the param `{}` is {wanted}, found `{}`", set.key, set.value);
            faults.push(Fault::new(message).at(set.place.clone()));
        }
    }

    fn judge(&self, name: &str, place: &Place, faults: &mut Faults) {
        let value = match self.value {
            Value::Integer(value) => value as f64,
            Value::Number(value) => value,
            _ => return,
        };
        let wrong = match (self.min, self.max) {
            _ if !value.is_finite() => "must be a finite number".to_owned(),
            (Some(min), _) if value < min => format!("must be at least {min}"),
            (_, Some(max)) if value > max => format!("must be at most {max}"),
            _ => return,
        };
        let hint = match (self.min, self.max) {
            (Some(min), Some(max)) => Some(format!("its bounds in the file are {min} to {max}")),
            _ => None,
        };
        faults.push(
            Fault::new(format!("the param `{name}` is {value}, but {wrong}"))
                .at(place.clone())
                .hint(hint),
        );
    }
}

/// The params that are well formed; the others are faults that the schema finds.
fn read(root: &Node, faults: &mut Faults) -> BTreeMap<String, Knob> {
    let mut knobs = BTreeMap::new();
    for (key, node) in root.get("params").map(Node::entries).unwrap_or_default() {
        if !is_name(&key.name) {
            let fault = Fault::new(format!("`{}` cannot be the name of a param", key.name))
                .at(key.place.clone());
            faults.push(fault.hint(Some(
                "names are letters, digits and `_`, not starting with a digit".into(),
            )));
            continue;
        }
        let bound = |name| match node.get(name).map(|bound| &bound.value) {
            Some(Value::Integer(value)) => Some(*value as f64),
            Some(Value::Number(value)) => Some(*value),
            _ => None,
        };
        let value = node.get("value").unwrap_or(node);
        if !value.is_scalar() || value.value == Value::Null {
            continue;
        }
        let knob = Knob {
            value: value.value.clone(),
            place: key.place.clone(),
            min: bound("min"),
            max: bound("max"),
        };
        match (knob.min, knob.max, &knob.value) {
            (Some(min), Some(max), _) if min > max => {
                let message = format!(
                    "the param `{}` has a `min` of {min} above its `max` of {max}",
                    key.name
                );
                faults.push(Fault::new(message).at(key.place.clone()));
            }
            (min, max, Value::Text(_) | Value::Bool(_)) if min.or(max).is_some() => {
                let message = format!("the param `{}` is no number, so it has no bounds", key.name);
                faults.push(
                    Fault::new(message)
                        .at(key.place.clone())
                        .hint(Some("remove `min` and `max`".into())),
                );
            }
            _ => knob.judge(&key.name, &value.place, faults),
        }
        knobs.insert(key.name.clone(), knob);
    }
    knobs
}

fn is_name(name: &str) -> bool {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    plain && !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// Puts a value at a dotted path.
fn set_path(
    root: &mut Node,
    set: &Set,
    knobs: &BTreeMap<String, Knob>,
    top_level: &[&str],
    faults: &mut Faults,
) {
    let mut path: Vec<&str> = set.key.split('.').collect();
    if !top_level.contains(&path[0]) || path[0] == "params" {
        let known: Vec<&str> = knobs
            .keys()
            .map(String::as_str)
            .chain(top_level.iter().copied())
            .collect();
        let mut place = set.place.clone();
        (place.column, place.length) = (1, set.key.chars().count());
        let fault = Fault::new(format!("there is no param `{}`", set.key)).at(place);
        faults.push(fault.hint(hint_for(&set.key, known.iter().copied())));
        return;
    }
    let Some(value) = set.node(faults) else {
        return;
    };
    let last = path.pop().unwrap_or_default();
    let mut target = root;
    for (depth, name) in path.iter().enumerate() {
        target = match target.child(name, &set.place) {
            Some(child) => child,
            None => {
                let message = format!(
                    "`{}` holds no keys, so `{}` cannot be set",
                    path[..depth].join("."),
                    set.key
                );
                faults.push(Fault::new(message).at(set.place.clone()));
                return;
            }
        };
    }
    match target.child(last, &set.place) {
        Some(child) => *child = value,
        None => {
            let message = format!(
                "`{}` holds no keys, so `{}` cannot be set",
                path.join("."),
                set.key
            );
            faults.push(Fault::new(message).at(set.place.clone()));
        }
    }
}

impl Node {
    /// The value under a key, made if it is not there; none if this is no map.
    fn child(&mut self, name: &str, place: &Place) -> Option<&mut Node> {
        if self.value == Value::Null {
            self.value = Value::Map(Vec::new());
        }
        let Value::Map(entries) = &mut self.value else {
            return None;
        };
        let index = match entries.iter().position(|(key, _)| key.name == name) {
            Some(index) => index,
            None => {
                let (name, place) = (name.to_owned(), place.clone());
                let value = Node {
                    value: Value::Null,
                    place: place.clone(),
                };
                entries.push((Key { name, place }, value));
                entries.len() - 1
            }
        };
        Some(&mut entries[index].1)
    }

    /// Says that the node stands in another text, at the same lines and columns.
    fn relabel(&mut self, text: &Arc<Text>) {
        self.place.text = Arc::clone(text);
        match &mut self.value {
            Value::List(nodes) => nodes.iter_mut().for_each(|node| node.relabel(text)),
            Value::Map(entries) => {
                for (key, node) in entries {
                    key.place.text = Arc::clone(text);
                    node.relabel(text);
                }
            }
            _ => {}
        }
    }
}

impl Value {
    fn scalar(self) -> Option<Scalar> {
        match self {
            Self::Bool(value) => Some(Scalar::Bool(value)),
            Self::Integer(value) => {
                Some(i64::try_from(value).map_or(Scalar::Number(value as f64), Scalar::Integer))
            }
            Self::Number(value) => Some(Scalar::Number(value)),
            Self::Text(value) => Some(Scalar::Text(value)),
            Self::Null | Self::List(_) | Self::Map(_) | Self::Unknown => None,
        }
    }

    fn spelling(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
            Self::Text(value) => value.clone(),
            Self::Null | Self::List(_) | Self::Map(_) | Self::Unknown => String::new(),
        }
    }
}

/// A piece of a text with references in it.
pub(super) enum Piece {
    Plain(String),
    Reference(String),
}

pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let template = Template::compile(text).map_err(|error| error.reason().to_string())?;
    let piece = |element| match element {
        TemplateElement::RawString(text) => Ok(Piece::Plain(text)),
        TemplateElement::Expression(call) | TemplateElement::HtmlExpression(call) => {
            match call.name.as_name() {
                Some(name) if is_name(name) && call.params.is_empty() && call.hash.is_empty() => {
                    Ok(Piece::Reference(name.to_owned()))
                }
                _ => Err("only the name of a param may stand between the braces".to_owned()),
            }
        }
        _ => Err("only `{{name}}` is understood".to_owned()),
    };
    template.elements.into_iter().map(piece).collect()
}

fn references(node: &Node, used: &mut BTreeSet<String>) {
    match &node.value {
        Value::Text(text) if text.contains("{{") => {
            for piece in pieces(text).unwrap_or_default() {
                if let Piece::Reference(name) = piece {
                    used.insert(name);
                }
            }
        }
        Value::List(nodes) => nodes.iter().for_each(|node| references(node, used)),
        Value::Map(entries) => entries.iter().for_each(|(_, node)| references(node, used)),
        _ => {}
    }
}

fn substitute(node: &mut Node, knobs: &BTreeMap<String, Knob>, faults: &mut Faults) {
    match &mut node.value {
        Value::Text(text) if text.contains("{{") => match rendered(text, knobs) {
            Ok(value) => node.value = value,
            Err((message, hint)) => {
                faults.push(Fault::new(message).at(node.place.clone()).hint(hint));
                node.value = Value::Unknown;
            }
        },
        Value::List(nodes) => nodes
            .iter_mut()
            .for_each(|node| substitute(node, knobs, faults)),
        Value::Map(entries) => entries
            .iter_mut()
            .for_each(|(_, node)| substitute(node, knobs, faults)),
        _ => {}
    }
}

/// The value of a text; one that is exactly `{{name}}` keeps the type of the param.
fn rendered(text: &str, knobs: &BTreeMap<String, Knob>) -> Result<Value, (String, Option<String>)> {
    let pieces =
        pieces(text).map_err(|why| (format!("`{text}` cannot be filled in: {why}"), None))?;
    let value = |name: &str| match knobs.get(name) {
        Some(knob) => Ok(&knob.value),
        None => {
            let hint = match knobs.is_empty() {
                true => Some(format!("add `{name}` under `params`")),
                false => hint_for(name, knobs.keys().map(String::as_str)),
            };
            Err((format!("`{{{{{name}}}}}` names no param"), hint))
        }
    };
    if let [Piece::Reference(name)] = pieces.as_slice() {
        return value(name).cloned();
    }
    let mut whole = String::new();
    for piece in &pieces {
        match piece {
            Piece::Plain(text) => whole.push_str(text),
            Piece::Reference(name) => whole.push_str(&value(name)?.spelling()),
        }
    }
    Ok(Value::Text(whole))
}
