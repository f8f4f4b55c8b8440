//! The program itself, killed at random moments, again and again.

use crate::support;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::support::runs::{answers, assert_same, assert_whole, contents, failures};
use crate::support::{Campaign, Engine, journal, on, processes, run_name};
use moldflow::task::{FailureKind, Outcome, TaskId};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Total number of kills.
const KILLS: usize = 200;

#[test]
fn killed_two_hundred_times_a_campaign_loses_nothing_and_computes_nothing_twice() {
    let campaign = Campaign::of_a_program();
    let calm = campaign.completed("calm", &["--schedule", "batch"]);
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let (mut kills, mut lost) = (0, 0);
    for run in 0.. {
        if kills >= KILLS {
            break;
        }
        let name = format!("run{run}");
        let schedule = ["batch", "interleaved"][run % 2];
        // In every other pair of runs tasks are sometimes killed too, as when the machine crashes.
        let machine_fails = run % 4 >= 2;
        kills += killed_to_the_end(&campaign, &name, schedule, machine_fails, &mut rng);
        let run_dir = campaign.path(&name);
        assert_whole(&run_dir);
        on(&run_dir, &["check"]).with_code(0);
        if schedule == "batch" {
            assert_same(&run_dir, &calm);
            assert_eq!(contents(&run_dir), contents(&calm));
        }
        let failed = failures(&journal(&run_dir));
        assert!(
            failed.iter().all(|kind| *kind == FailureKind::Lost),
            "{failed:?}"
        );
        let again = computed_again(&campaign, &run_dir);
        assert!(
            again <= failed.len(),
            "{again} were computed again, {} lost",
            failed.len()
        );
        if !machine_fails {
            assert_eq!(again, 0, "what the engine's death cost");
        }
        lost += failed.len();
    }
    println!("{kills} kills, {lost} attempts lost");
}

/// Kills and resumes a run until it ends; returns the number of kills.
fn killed_to_the_end(
    campaign: &Campaign,
    name: &str,
    schedule: &str,
    machine_fails: bool,
    rng: &mut ChaCha8Rng,
) -> usize {
    let run_dir = campaign.path(name);
    let mut engine = campaign.start(name, &["--schedule", schedule]);
    // Before that there is no run to resume.
    support::wait_until("a run", || run_dir.join("campaign.yml").exists());
    let mut known: BTreeMap<TaskId, Outcome> = BTreeMap::new();
    for kills in 0.. {
        let before = journal(&run_dir).len();
        match rng.random_range(0..3) {
            0 => std::thread::sleep(Duration::from_millis(rng.random_range(0..120))),
            1 => engine.wait_for_facts(before + rng.random_range(1..4)),
            _ => {
                engine.wait_for_facts(before + rng.random_range(1..4));
                std::thread::sleep(Duration::from_micros(rng.random_range(0..30_000)));
            }
        }
        if engine.has_ended() {
            assert_eq!(engine.exit_code(), Some(0), "{}", engine.err());
            return kills;
        }
        engine.kill();
        if machine_fails && rng.random_range(0..3) == 0 {
            kill_tasks(&run_dir);
        }
        let answers = answers(&journal(&run_dir));
        for (task, outcome) in &known {
            assert_eq!(answers.get(task), Some(outcome), "an answer was lost");
        }
        known = answers;
        engine = Engine::resume(&run_dir);
    }
    unreachable!()
}

fn kill_tasks(run_dir: &Path) {
    if !run_dir.join("moldflow.db").exists() || journal(run_dir).is_empty() {
        return;
    }
    for id in processes(&format!("{}.", run_name(run_dir))) {
        let _ = std::process::Command::new("kill")
            .args(["-9", &id.to_string()])
            .output();
    }
}

/// Number of computations of this run that repeat an earlier one.
fn computed_again(campaign: &Campaign, run_dir: &Path) -> usize {
    let run = run_name(run_dir);
    let done = fs::read_to_string(campaign.path("done")).unwrap();
    let mut lines: Vec<&str> = done.lines().filter(|line| line.starts_with(&run)).collect();
    let all = lines.len();
    lines.sort_unstable();
    lines.dedup();
    all - lines.len()
}
