//! Campaign files of runs that version 0.1.0 began, in the form of today: so that the results of
//! those runs can be read.

use super::tree::{Key, TreeNode, Value};

/// Rewrites the stages of version 0.1.0: the stage that computed the free atoms disappears, and the
/// others compute the objective.
pub(super) fn upgrade(tree: &mut TreeNode) {
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
