//! `--set KEY=VALUE`: values that the command line sets in a file.

use std::sync::Arc;

use super::diagnostic::{Diagnostic, Diagnostics, Place, Text, hint_for};
use super::tree::{self, Key, TreeNode, Value};

/// One `--set KEY=VALUE`.
#[derive(Clone, Debug)]
pub struct SetOption {
    /// Name of a param, or a dotted path.
    pub key: String,
    /// Text of the value.
    pub value: String,
    /// Place of the value within the argument.
    pub place: Place,
}

impl SetOption {
    /// Parses `KEY=VALUE`, the argument of the option `option`.
    ///
    /// # Errors
    ///
    /// Fails if there is no `=`, or no key before it.
    pub fn parse(option: &str, argument: &str) -> Result<Self, Diagnostic> {
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
            _ => Err(
                Diagnostic::new(format!("`{argument}` is not of the form KEY=VALUE"))
                    .at(place(1, argument.chars().count()))
                    .hint("for example `--set rl_episodes=8`"),
            ),
        }
    }

    /// Value parsed as YAML, with places in the argument.
    pub fn node(&self, diagnostics: &mut Diagnostics) -> Option<TreeNode> {
        if self.value.is_empty() {
            diagnostics.push(
                Diagnostic::new(format!("`{}` has no value", self.key)).at(self.place.clone()),
            );
            return None;
        }
        // Parsed with the key in front of it, so that every column is one of the argument.
        let padded = Arc::new(Text {
            name: self.place.text.name.clone(),
            text: format!("{}{}", " ".repeat(self.place.column - 1), self.value),
        });
        let mut node = tree::parse(&padded, diagnostics)?;
        node.relabel(&self.place.text);
        Some(node)
    }

    /// Sets the value at the dotted path KEY; `known` lists the top-level keys.
    pub fn apply(&self, root: &mut TreeNode, known: &[&str], diagnostics: &mut Diagnostics) {
        let mut key_place = self.place.clone();
        (key_place.column, key_place.length) = (1, self.key.chars().count());
        let path: Vec<&str> = self.key.split('.').collect();
        if !known.contains(&path[0]) {
            // A name is one of a param; a path begins with a key of the campaign.
            let message = match path[..] {
                [_] => format!("there is no param `{}`", self.key),
                _ => format!("there is no key `{}` in a campaign", path[0]),
            };
            let diagnostic = Diagnostic::new(message).at(key_place);
            diagnostics.push(diagnostic.hint_if(hint_for(&self.key, known.iter().copied())));
        } else if let Some(value) = self.node(diagnostics)
            && !root.put(&path, value, &key_place)
        {
            let message = format!(
                "`{}` cannot be set: the value above it has no keys",
                self.key
            );
            diagnostics.push(Diagnostic::new(message).at(key_place));
        }
    }
}

impl TreeNode {
    /// Sets a value at a path, creating missing maps; returns false if a value on the path is no
    /// map.
    fn put(&mut self, path: &[&str], value: TreeNode, place: &Place) -> bool {
        let [name, rest @ ..] = path else {
            *self = value;
            return true;
        };
        if self.value == Value::Null {
            self.value = Value::Map(Vec::new());
        }
        let Value::Map(entries) = &mut self.value else {
            return false;
        };
        if let Some((_, child)) = entries.iter_mut().find(|(key, _)| key.name == *name) {
            return child.put(rest, value, place);
        }
        let key = Key {
            name: (*name).to_owned(),
            place: place.clone(),
        };
        let mut child = TreeNode {
            value: Value::Null,
            place: place.clone(),
        };
        child.put(rest, value, place);
        entries.push((key, child));
        true
    }

    /// Moves the node to another text, at the same lines and columns.
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
