//! Params of a campaign: their values, and the replacement of `{{name}}`.

use std::collections::{BTreeMap, BTreeSet};

use super::campaign::Scalar;
use super::diagnostic::{Diagnostic, Diagnostics, Place, hint_for};
use super::keywords::whole;
use super::overrides::SetOption;
use super::tree::{TreeNode, Value};
use crate::text::template::{Piece, is_name, pieces};

/// Applies the overrides and replaces every `{{name}}`; returns the values of the params.
///
/// `top_level` are the keys that a campaign may have, for dotted paths and hints.
pub fn resolve(
    root: &mut TreeNode,
    sets: &[SetOption],
    top_level: &[&str],
    diagnostics: &mut Diagnostics,
) -> BTreeMap<String, Scalar> {
    let mut params = read(root, diagnostics);
    for (name, param) in &params {
        if top_level.contains(&name.as_str()) {
            let message = format!("the param `{name}` has the name of a campaign key");
            let hint = format!("`--set {name}=...` could mean either: rename the param");
            diagnostics.push(Diagnostic::new(message).at(param.place.clone()).hint(hint));
        }
    }
    // References are counted in the file as written: a param whose place is overridden counts as
    // used.
    let mut used = BTreeSet::new();
    for (key, node) in root.entries() {
        if key.name != "params" {
            references(node, &mut used);
        }
    }
    for set in sets {
        match params.get_mut(&set.key) {
            Some(param) => param.set(set, diagnostics),
            None => set.apply(root, &known(&params, top_level), diagnostics),
        }
    }
    // A misspelt reference is one error, not two.
    let misspelt = used.iter().any(|name| !params.contains_key(name));
    for (name, param) in &params {
        if !misspelt && !used.contains(name) {
            let diagnostic =
                Diagnostic::new(format!("the param `{name}` is not used")).at(param.place.clone());
            let hint = format!("write \"{{{{{name}}}}}\" where it belongs, or remove it");
            diagnostics.push(diagnostic.hint(hint));
        }
    }
    if let Value::Map(entries) = &mut root.value {
        for (key, node) in entries.iter_mut() {
            if key.name != "params" {
                substitute(node, &params, diagnostics);
            }
        }
    }
    let scalars = params
        .into_iter()
        .filter_map(|(name, param)| Some((name, param.value.scalar()?)));
    scalars.collect()
}

/// Words with which the key of `--set` may start.
fn known<'a>(params: &'a BTreeMap<String, ParamState>, top_level: &[&'a str]) -> Vec<&'a str> {
    let keys = top_level.iter().copied().filter(|key| *key != "params");
    params.keys().map(String::as_str).chain(keys).collect()
}

#[derive(Clone)]
struct ParamState {
    value: Value,
    place: Place,
    min: Option<f64>,
    max: Option<f64>,
}

impl ParamState {
    fn set(&mut self, set: &SetOption, diagnostics: &mut Diagnostics) {
        let parsed = match &self.value {
            Value::Text(_) => Some(Value::Text(set.value.clone())),
            _ => set.node(diagnostics).map(|node| node.value),
        };
        let Some(parsed) = parsed else { return };
        let parsed = match (&self.value, parsed) {
            (Value::Number(_), Value::Integer(value)) => Value::Number(value as f64),
            (Value::Integer(_), Value::Number(value)) => {
                whole(value).map_or(Value::Number(value), Value::Integer)
            }
            (_, parsed) => parsed,
        };
        let wanted = match self.value {
            Value::Bool(_) => "true or false",
            Value::Integer(_) => "a whole number",
            _ => "a number",
        };
        if std::mem::discriminant(&self.value) == std::mem::discriminant(&parsed) {
            let param = Self {
                value: parsed,
                ..self.clone()
            };
            // A value that is rejected here must not be rejected again where it is used.
            if param.judge(&set.key, &set.place, diagnostics) {
                *self = param;
            }
        } else {
            let message = format!("the param `{}` is {wanted}, found `{}`", set.key, set.value);
            diagnostics.push(Diagnostic::new(message).at(set.place.clone()));
        }
    }

    /// Checks that the value lies within its bounds.
    fn judge(&self, name: &str, place: &Place, diagnostics: &mut Diagnostics) -> bool {
        let value = match self.value {
            Value::Integer(value) => value as f64,
            Value::Number(value) => value,
            _ => return true,
        };
        let wrong = match (self.min, self.max) {
            _ if !value.is_finite() => "must be a finite number".to_owned(),
            (Some(min), _) if value < min => format!("must be at least {min}"),
            (_, Some(max)) if value > max => format!("must be at most {max}"),
            _ => return true,
        };
        let hint = match (self.min, self.max) {
            (Some(min), Some(max)) => Some(format!("its bounds in the file are {min} to {max}")),
            _ => None,
        };
        diagnostics.push(
            Diagnostic::new(format!("the param `{name}` is {value}, but {wrong}"))
                .at(place.clone())
                .hint_if(hint),
        );
        false
    }
}

/// Well-formed params; the schema check reports the others.
fn read(root: &TreeNode, diagnostics: &mut Diagnostics) -> BTreeMap<String, ParamState> {
    let mut params = BTreeMap::new();
    for (key, node) in root
        .get("params")
        .map(TreeNode::entries)
        .unwrap_or_default()
    {
        if !is_name(&key.name) {
            let diagnostic =
                Diagnostic::new(format!("`{}` cannot be the name of a param", key.name))
                    .at(key.place.clone());
            diagnostics.push(
                diagnostic.hint("names are letters, digits and `_`, not starting with a digit"),
            );
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
        let mut param = ParamState {
            value: value.value.clone(),
            place: key.place.clone(),
            min: bound("min"),
            max: bound("max"),
        };
        match (param.min, param.max, &param.value) {
            (Some(min), Some(max), _) if min > max => {
                let message = format!(
                    "the param `{}` has a `min` of {min} above its `max` of {max}",
                    key.name
                );
                diagnostics.push(Diagnostic::new(message).at(key.place.clone()));
            }
            (min, max, Value::Text(_) | Value::Bool(_)) if min.or(max).is_some() => {
                let message = format!(
                    "the param `{}` is not a number and cannot have bounds",
                    key.name
                );
                diagnostics.push(
                    Diagnostic::new(message)
                        .at(key.place.clone())
                        .hint("remove `min` and `max`"),
                );
            }
            _ if !param.judge(&key.name, &value.place, diagnostics) => param.value = Value::Unknown,
            _ => {}
        }
        params.insert(key.name.clone(), param);
    }
    params
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

fn references(node: &TreeNode, used: &mut BTreeSet<String>) {
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

fn substitute(
    node: &mut TreeNode,
    params: &BTreeMap<String, ParamState>,
    diagnostics: &mut Diagnostics,
) {
    match &mut node.value {
        Value::Text(text) if text.contains("{{") => match rendered(text, params) {
            Ok(value) => node.value = value,
            Err((message, hint)) => {
                diagnostics.push(
                    Diagnostic::new(message)
                        .at(node.place.clone())
                        .hint_if(hint),
                );
                node.value = Value::Unknown;
            }
        },
        Value::List(nodes) => nodes
            .iter_mut()
            .for_each(|node| substitute(node, params, diagnostics)),
        Value::Map(entries) => entries
            .iter_mut()
            .for_each(|(_, node)| substitute(node, params, diagnostics)),
        _ => {}
    }
}

/// Text with references replaced; a text that is exactly `{{name}}` keeps the type of the param.
fn rendered(
    text: &str,
    params: &BTreeMap<String, ParamState>,
) -> Result<Value, (String, Option<String>)> {
    let pieces =
        pieces(text).map_err(|why| (format!("`{text}` cannot be filled in: {why}"), None))?;
    let value = |name: &str| match params.get(name) {
        Some(param) => Ok(&param.value),
        None => {
            let hint = match params.is_empty() {
                true => Some(format!("add `{name}` under `params`")),
                false => hint_for(name, params.keys().map(String::as_str)),
            };
            Err((format!("`{{{{{name}}}}}` is not a param"), hint))
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
