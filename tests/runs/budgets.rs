//! Budgets of runs and of their stages.

use crate::support;
use std::fs;

use crate::support::{Campaign, journal, on, rows};

/// A funnel over twelve molecules, whose program takes a moment: `more` is appended to the stages
/// and the rest of the campaign.
fn funnel(stages: &str, stop: &str) -> Campaign {
    let mut campaign = Campaign::of_a_program();
    let text = format!(
        "name: funnel\nseed: 7\nsite: site2.yml\n\
         properties:\n  cheap: {{value: energy.energy}}\n  expensive: {{value: energy.energy - other.energy}}\n\
         objective: {{minimize: expensive}}\n\
         search_space: {{source: list.smi, elements: [C, O], max_heavy_atoms: 9}}\n\
         methods:\n  energy: &program {{kind: simulate, engine: command, settings: {{level: a sum, unit: hartree, \
         argv: [./program, \"{{input}}\", \"{{output}}\"]}}, topic: simulator, partition: qc, timeout: 5m}}\n  \
         other: {{kind: simulate, engine: command, settings: {{level: another sum, unit: hartree, \
         argv: [./program, \"{{input}}\", \"{{output}}\"]}}, topic: simulator, partition: qc, timeout: 5m}}\n\
         stages:\n{stages}{stop}"
    )
    .replace("&program ", "");
    campaign = campaign.replaced_by(text);
    let list: Vec<String> = (1..=6)
        .flat_map(|n| ["", "O"].map(|end| format!("{}{end}\n", "C".repeat(n))))
        .collect();
    fs::write(campaign.path("list.smi"), list.concat()).expect("a file");
    campaign
}

fn slower(campaign: Campaign, seconds: &str) -> Campaign {
    let program = campaign.path("program");
    let text = fs::read_to_string(&program).expect("a program");
    let text = text.replace("scale=100\n", &format!("scale=100\nsleep {seconds}\n"));
    fs::write(&program, text).expect("a file");
    campaign
}

fn with_value(run_dir: &std::path::Path, column: &str) -> usize {
    let rows = rows(run_dir);
    rows.iter().filter(|row| !row[column].is_empty()).count()
}

#[test]
fn a_stage_that_has_used_up_its_budget_is_complete_and_can_be_given_more() {
    let campaign = funnel(
        "  all: {compute: cheap, molecules: all, budget: {evaluations: 5}}\n  \
         best: {compute: expensive, after: all, molecules: {best: 2, of: all}}\n",
        "",
    );
    let run_dir = campaign.completed("run", &[]);
    assert_eq!(with_value(&run_dir, "cheap_hartree"), 5);
    assert_eq!(with_value(&run_dir, "expensive_hartree"), 2);
    on(&run_dir, &["check"]).with_code(0);
    // What was chosen from it is chosen.
    let set = "stages.all.budget.evaluations=8";
    let refused = on(&run_dir, &["resume", "--set", set]).with_code(1);
    assert!(
        refused.err.contains("nothing was changed"),
        "{}",
        refused.err
    );

    let list = funnel(
        "  all: {compute: expensive, molecules: all, budget: {evaluations: 5}}\n",
        "",
    );
    let run_dir = list.completed("run", &[]);
    assert_eq!(with_value(&run_dir, "expensive_hartree"), 5);
    on(&run_dir, &["resume", "--set", set]).with_code(0);
    assert_eq!(with_value(&run_dir, "expensive_hartree"), 8);
    on(&run_dir, &["check"]).with_code(0);
}

#[test]
fn core_hours_are_counted_and_end_a_stage_or_a_run() {
    // 0.3 s are 8e-5 core-hours.
    let stages = "  all: {compute: cheap, molecules: all, parallel: 1, budget: {core_hours: 0.0002}}\n  \
                  best: {compute: expensive, after: all, molecules: {best: 1, of: all}}\n";
    let campaign = slower(funnel(stages, ""), "0.3");
    let run_dir = campaign.completed("run", &[]);
    let cheap = with_value(&run_dir, "cheap_hartree");
    assert!((1..=3).contains(&cheap), "{cheap}");
    assert_eq!(with_value(&run_dir, "expensive_hartree"), 1);
    let status = on(&run_dir, &["status", "--json"]).with_code(0).json();
    let hours = status["core_hours"].as_f64().expect("a number");
    let computed = (cheap + 1) as f64;
    assert!(
        hours >= 0.3 * computed / 3600.0,
        "{hours} for {computed} calculations"
    );
    assert!(
        hours <= 30.0 * computed / 3600.0,
        "{hours} for {computed} calculations"
    );
    on(&run_dir, &["check"]).with_code(0);

    let stages = "  all: {compute: expensive, molecules: all, parallel: 1}\n";
    let campaign = slower(funnel(stages, "stop: {core_hours: 0.0002}\n"), "0.3");
    let output = campaign.run("run", &[]).with_code(0);
    assert!(
        output.err.contains("the core-hours are used up"),
        "{}",
        output.err
    );
    assert!(output.err.contains("core-hours"), "{}", output.err);
    let run_dir = campaign.path("run");
    let computed = with_value(&run_dir, "expensive_hartree");
    assert!((1..=3).contains(&computed), "{computed}");
    on(&run_dir, &["check"]).with_code(0);
    on(&run_dir, &["resume", "--set", "stop.core_hours=1"]).with_code(0);
    assert_eq!(with_value(&run_dir, "expensive_hartree"), 12);
    on(&run_dir, &["check"]).with_code(0);
}

#[test]
fn failed_attempts_use_core_hours_too() {
    let stages = "  all: {compute: expensive, molecules: all, parallel: 1}\n";
    let campaign = slower(funnel(stages, "stop: {failure_share: 1}\n"), "0.2");
    let campaign = campaign.with("timeout: 5m}", "timeout: 5m, retries: 2}");
    let program = campaign.path("program");
    let text = fs::read_to_string(&program).expect("a program");
    let failing = "if [ -e \"$here/fault\" ] && [ \"$smiles\" = CC ]; then exit 1; fi";
    let text = text.replace("sleep 0.2\n", &format!("sleep 0.2\n{failing}\n"));
    fs::write(&program, text).expect("a file");
    fs::write(campaign.path("fault"), "").expect("a file");
    campaign.run("run", &[]).with_code(0);
    let run_dir = campaign.path("run");
    let attempts = journal(&run_dir)
        .iter()
        .filter_map(|event| match &event.fact {
            moldflow::task::Fact::Ended { usage, .. } => Some(event.at - usage.started?),
            _ => None,
        })
        .collect::<Vec<_>>();
    let sum = attempts.iter().sum::<i64>() as f64 / 3.6e6;
    let status = on(&run_dir, &["status", "--json"]).with_code(0).json();
    let hours = status["core_hours"].as_f64().expect("a number");
    assert!(support::runs::failures(&journal(&run_dir)).len() >= 3);
    assert!((hours - sum).abs() < 1e-3 * sum, "{hours} against {sum}");
}

#[test]
fn a_stage_ends_with_its_wall_time_and_the_run_goes_on() {
    let stages = "  all: {compute: cheap, molecules: all, parallel: 1, budget: {wall_time: 1s}}\n  \
                  best: {compute: expensive, after: all, molecules: {best: 1, of: all}}\n";
    let campaign = slower(funnel(stages, ""), "0.4");
    let output = campaign.run("run", &[]).with_code(0);
    let run_dir = campaign.path("run");
    let cheap = with_value(&run_dir, "cheap_hartree");
    assert!((1..12).contains(&cheap), "{cheap}: {}", output.err);
    assert_eq!(with_value(&run_dir, "expensive_hartree"), 1);
    on(&run_dir, &["check"]).with_code(0);
}

#[test]
fn a_list_ends_with_its_evaluations() {
    let stages = "  all: {compute: expensive, molecules: all}\n";
    let campaign = funnel(stages, "stop: {evaluations: 4}\n");
    let output = campaign.run("run", &[]).with_code(0);
    assert!(
        output.err.contains("all evaluations asked for are done"),
        "{}",
        output.err
    );
    let run_dir = campaign.path("run");
    assert_eq!(with_value(&run_dir, "expensive_hartree"), 4);
    on(&run_dir, &["resume", "--set", "stop.evaluations=100"]).with_code(0);
    assert_eq!(with_value(&run_dir, "expensive_hartree"), 12);
    let status = on(&run_dir, &["status", "--json"]).with_code(0).json();
    assert_eq!(status["stopped_by"], "completed");
}

#[test]
fn a_stage_ends_with_its_target_or_when_it_finds_nothing_better() {
    let of = |budget: &str| {
        let stages = format!(
            "  all: {{compute: cheap, molecules: all, parallel: 1, budget: {{{budget}}}}}\n"
        );
        let campaign = funnel(&stages, "").with("{minimize: expensive}", "{minimize: cheap}");
        let run_dir = campaign.completed("run", &[]);
        on(&run_dir, &["check"]).with_code(0);
        (rows(&run_dir), campaign)
    };
    let value = |row: &std::collections::BTreeMap<String, String>| -> f64 {
        row["cheap_hartree"].parse().unwrap_or(f64::INFINITY)
    };
    let (all, _) = of("evaluations: 12");
    let lowest = all.iter().map(value).fold(f64::INFINITY, f64::min);
    let in_order: Vec<f64> = all.iter().map(value).collect();
    assert_eq!(in_order.len(), 12);
    let second = in_order[1];

    let (some, campaign) = of(&format!("target: {second}"));
    let found = some.iter().filter(|row| !row["cheap_hartree"].is_empty());
    let values: Vec<f64> = found.map(value).collect();
    assert!(values.len() < 12, "{values:?}");
    assert!(values.iter().any(|value| *value <= second), "{values:?}");
    let set = format!("stages.all.budget.target={lowest}");
    let run_dir = campaign.path("run");
    on(&run_dir, &["resume", "--set", &set]).with_code(0);
    assert!(rows(&run_dir).iter().any(|row| value(row) <= lowest));

    let (some, _) = of("stale_evaluations: 1");
    let values: Vec<f64> = some.iter().map(value).filter(|v| v.is_finite()).collect();
    let falls = in_order.windows(2).take_while(|pair| pair[1] < pair[0]);
    assert_eq!(values.len(), (falls.count() + 2).min(12), "{in_order:?}");
}

#[test]
fn node_hours_are_core_hours_by_the_cores_of_a_node() {
    // 0.3 s on one core of a node of two are 4e-5 node-hours.
    let stages =
        "  all: {compute: expensive, molecules: all, parallel: 1, budget: {node_hours: 0.0001}}\n";
    let campaign = slower(funnel(stages, ""), "0.3");
    let run_dir = campaign.completed("run", &[]);
    let computed = with_value(&run_dir, "expensive_hartree");
    assert!((1..12).contains(&computed), "{computed}");
    let set = "stages.all.budget.node_hours=1";
    on(&run_dir, &["resume", "--set", set]).with_code(0);
    assert_eq!(with_value(&run_dir, "expensive_hartree"), 12);

    let stages = "  all: {compute: expensive, molecules: all, parallel: 1}\n";
    let campaign = slower(funnel(stages, "stop: {node_hours: 0.0001}\n"), "0.3");
    let output = campaign.run("run", &[]).with_code(0);
    assert!(output.err.contains("node-hours"), "{}", output.err);
    let computed = with_value(&campaign.path("run"), "expensive_hartree");
    assert!((1..12).contains(&computed), "{computed}");
}
