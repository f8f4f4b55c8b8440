//! The task graph as a picture: Graphviz and Mermaid.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{EdgeKind, Plan, PlannedStage, StageKind};

/// The graph in the language of Graphviz.
///
/// `notes` are further lines of the label of a stage, by its name.
pub fn dot(plan: &Plan, notes: &BTreeMap<String, Vec<String>>) -> String {
    let mut text = String::from("digraph campaign {\n  rankdir=LR;\n  node [shape=box];\n");
    for stage in &plan.stages {
        let _ = writeln!(
            text,
            "  {} [label={}];",
            quoted(&stage.name),
            quoted(&label(plan, stage, notes, "\\n"))
        );
    }
    for edge in &plan.edges {
        let style = match edge.kind {
            EdgeKind::After => "",
            EdgeKind::Loop => " [style=dashed, label=\"loop\"]",
            EdgeKind::Results => " [style=dashed, label=\"results\"]",
        };
        let _ = writeln!(
            text,
            "  {} -> {}{style};",
            quoted(&edge.from),
            quoted(&edge.to)
        );
    }
    text.push_str("}\n");
    text
}

/// The graph in the language of Mermaid, which Markdown viewers draw.
///
/// `notes` are further lines of the label of a stage, by its name.
pub fn mermaid(plan: &Plan, notes: &BTreeMap<String, Vec<String>>) -> String {
    let stages = &plan.stages;
    // Stage names may hold what Mermaid would read as syntax.
    let id = |name: &str| match stages.iter().position(|stage| stage.name == name) {
        Some(index) => format!("s{index}"),
        None => "s".into(),
    };
    let mut text = String::from("flowchart LR\n");
    for stage in stages {
        let label = label(plan, stage, notes, "<br/>").replace('"', "#quot;");
        let _ = writeln!(text, "  {}[\"{label}\"]", id(&stage.name));
    }
    for edge in &plan.edges {
        let arrow = match edge.kind {
            EdgeKind::After => "-->",
            EdgeKind::Loop => "-. loop .->",
            EdgeKind::Results => "-. results .->",
        };
        let _ = writeln!(text, "  {} {arrow} {}", id(&edge.from), id(&edge.to));
    }
    text
}

/// The stage, what it computes, where, and further lines.
fn label(
    plan: &Plan,
    stage: &PlannedStage,
    notes: &BTreeMap<String, Vec<String>>,
    newline: &str,
) -> String {
    let mut label = stage.name.clone();
    if let StageKind::Compute { properties, .. } = &stage.kind {
        label.push_str(&format!("{newline}{}", properties.join(", ")));
    }
    for method in plan.methods_of(stage) {
        label.push_str(&format!(
            "{newline}{}: {} on {}",
            method.name, method.engine_name, method.partition_name
        ));
    }
    for note in notes.get(&stage.name).into_iter().flatten() {
        label.push_str(&format!("{newline}{note}"));
    }
    label
}

/// A Graphviz string; a backslash before `n` stays a line break.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\\\""))
}
