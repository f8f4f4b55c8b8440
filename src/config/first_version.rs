//! Campaign files of runs that version 0.1.0 began, in the form of today: so that the results of
//! those runs can be read.

use super::tree::{Key, TreeNode, Value};

/// Rewrites the stages and methods of version 0.1.0.
pub(super) fn upgrade(tree: &mut TreeNode) {
    upgrade_stages(tree);
    let Some(Value::Map(methods)) = value_mut(tree, "methods") else {
        return;
    };
    for (_, method) in methods {
        if let Value::Map(entries) = &mut method.value {
            upgrade_method(entries);
        }
    }
}

/// A method of the generator loop named its engine in its settings.
fn upgrade_method(entries: &mut Vec<(Key, TreeNode)>) {
    if entries.iter().any(|(key, _)| key.name == "engine") {
        return;
    }
    let Some(kind) = entries.iter().find(|(key, _)| key.name == "kind").cloned() else {
        return;
    };
    let Value::Text(word) = &kind.1.value else {
        return;
    };
    if entries.iter().any(|(key, _)| key.name == "engine") {
        return;
    }
    let (setting, default) = match word.as_str() {
        "train" => ("model", "group_contribution"),
        "generate" => ("agent", "moldqn"),
        "screen" => ("acquisition", "greedy"),
        _ => return,
    };
    let mut engine = default.to_owned();
    let settings = entries.iter_mut().find(|(key, _)| key.name == "settings");
    if let Some((
        _,
        TreeNode {
            value: Value::Map(settings),
            ..
        },
    )) = settings
    {
        if let Some(at) = settings.iter().position(|(key, _)| key.name == setting)
            && let Value::Text(word) = settings.remove(at).1.value
        {
            engine = word;
        }
        upgrade_settings(&mut engine, settings);
    }
    let key = Key {
        name: "engine".to_owned(),
        ..kind.0
    };
    let node = TreeNode {
        value: Value::Text(engine),
        ..kind.1
    };
    entries.push((key, node));
}

/// Settings that version 0.1.0 wrote for every engine, and `group_counts`, now a setting.
fn upgrade_settings(engine: &mut String, settings: &mut Vec<(Key, TreeNode)>) {
    match engine.as_str() {
        "random" => settings.retain(|(key, _)| ["episodes", "steps"].contains(&key.name.as_str())),
        "greedy" | "expected_improvement" => settings.clear(),
        "group_counts" => {
            if let Some((key, node)) = settings.first().cloned() {
                let key = Key {
                    name: "features".to_owned(),
                    ..key
                };
                let value = Value::Text("counts".to_owned());
                settings.push((key, TreeNode { value, ..node }));
            }
            "group_contribution".clone_into(engine);
        }
        _ => {}
    }
}

/// The stage that computed the free atoms disappears, and the others compute the objective.
fn upgrade_stages(tree: &mut TreeNode) {
    let Some(Value::Map(stages)) = value_mut(tree, "stages") else {
        return;
    };
    let is_of_atoms = |stage: &TreeNode| is_text(stage.get("molecules"), "atoms");
    let atoms = stages.iter().filter(|(_, stage)| is_of_atoms(stage));
    let atoms: Vec<String> = atoms.map(|(key, _)| key.name.clone()).collect();
    stages.retain(|(key, _)| !atoms.contains(&key.name));
    for (_, stage) in stages {
        if let Value::Map(entries) = &mut stage.value {
            upgrade_stage(entries, &atoms);
        }
    }
}

fn upgrade_stage(entries: &mut Vec<(Key, TreeNode)>, atoms: &[String]) {
    let position = |entries: &[(Key, TreeNode)], name: &str| {
        entries.iter().position(|(key, _)| key.name == name)
    };
    if let Some(after) = position(entries, "after")
        && let Value::List(names) = &mut entries[after].1.value
    {
        names.retain(|name| !atoms.iter().any(|atom| is_text(Some(name), atom)));
    }
    let Some(molecules) = position(entries, "molecules") else {
        return;
    };
    if let Some(count) = position(entries, "count") {
        let (key, node) = entries[count].clone();
        let key = Key {
            name: "random".to_owned(),
            ..key
        };
        entries[molecules].1.value = Value::Map(vec![(key, node)]);
    }
    entries.retain(|(key, _)| !["count", "method"].contains(&key.name.as_str()));
}

fn value_mut<'t>(tree: &'t mut TreeNode, name: &str) -> Option<&'t mut Value> {
    let Value::Map(entries) = &mut tree.value else {
        return None;
    };
    let entry = entries.iter_mut().find(|(key, _)| key.name == name);
    entry.map(|(_, node)| &mut node.value)
}

fn is_text(node: Option<&TreeNode>, text: &str) -> bool {
    node.is_some_and(|node| matches!(&node.value, Value::Text(word) if word == text))
}
