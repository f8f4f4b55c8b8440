//! The task graph as a picture: Graphviz and Mermaid.

use std::fmt::Write;

use super::{EdgeKind, Plan, PlannedStage, StageKind};

/// The graph in the language of Graphviz.
pub fn dot(plan: &Plan) -> String {
    let mut text = String::from("digraph campaign {\n  rankdir=LR;\n  node [shape=box];\n");
    for stage in &plan.stages {
        let _ = writeln!(
            text,
            "  {} [label={}];",
            quoted(&stage.name),
            quoted(&label(plan, stage, "\\n"))
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
pub fn mermaid(plan: &Plan) -> String {
    let stages = &plan.stages;
    // Stage names may hold what Mermaid would read as syntax.
    let id = |name: &str| match stages.iter().position(|stage| stage.name == name) {
        Some(index) => format!("s{index}"),
        None => "s".into(),
    };
    let mut text = String::from("flowchart LR\n");
    for stage in stages {
        let label = label(plan, stage, "<br/>").replace('"', "#quot;");
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

/// The stage, what it computes, and where.
fn label(plan: &Plan, stage: &PlannedStage, newline: &str) -> String {
    let mut label = stage.name.clone();
    if let StageKind::Compute { property, .. } = &stage.kind {
        label.push_str(&format!("{newline}{property}"));
    }
    for method in plan.methods_of(stage) {
        label.push_str(&format!(
            "{newline}{}: {} on {}",
            method.name, method.engine_name, method.partition_name
        ));
    }
    label
}

/// A Graphviz string; a backslash before `n` stays a line break.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\\\""))
}
