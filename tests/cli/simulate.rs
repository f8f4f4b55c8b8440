//! Output of `simulate`, from the real binary.

use crate::support::binary::{PACKAGE, moldflow_in, run_to_end};

fn simulate(arguments: &[&str]) -> String {
    run_to_end(moldflow_in(PACKAGE, &["simulate"]).args(arguments)).text()
}

const THETA: &str = "campaigns/theta.yml";
/// Few molecules, so that the test is fast.
const SMALL: [&str; 2] = ["--set", "search_space.max_heavy_atoms=5"];

#[test]
fn a_campaign_is_forecast_for_people_and_for_programs() {
    let arguments = [THETA, "--nodes", "17", "--set", "parallel_guesses=8"];
    let arguments = [&arguments[..], &SMALL].concat();
    insta::assert_snapshot!(simulate(&arguments));
    insta::assert_snapshot!(simulate(&[&arguments[..], &["--json"]].concat()));
}

#[test]
fn what_keeps_slots_idle_is_named() {
    let few = [THETA, "--nodes", "129", "--ml-time", "30m"];
    insta::assert_snapshot!(simulate(&[&few[..], &SMALL].concat()));
    let starved = [&few[..], &SMALL, &["--set", "parallel_guesses=64"]].concat();
    let starved = [&starved[..], &["--set", "stages.screen.select=8"]].concat();
    insta::assert_snapshot!(simulate(&starved));
    let too_long = ["--task-time", "lognormal:10m,0.5"];
    let too_long = [&["campaigns/quickstart.yml"], &too_long[..]].concat();
    insta::assert_snapshot!(simulate(&too_long));
    let waiting = ["campaigns/multi-site.yml", "--schedule", "batch"];
    insta::assert_snapshot!(simulate(&[&waiting[..], &SMALL].concat()));
    let slurm = ["campaigns/moldqn.yml", "--site", "slurm"];
    let slurm = [
        &slurm[..],
        &["--queue-wait", "4m", "--task-time", "lognormal:1m,0.2"],
    ]
    .concat();
    let many = ["parallel_guesses=100", "search_size=300", "rl_episodes=9"];
    let many = many
        .iter()
        .flat_map(|set| ["--set", set])
        .collect::<Vec<_>>();
    let slurm = [&slurm[..], &many].concat();
    insta::assert_snapshot!(simulate(&[&slurm[..], &SMALL].concat()));
}

#[test]
fn what_cannot_be_forecast_is_refused_with_a_way_out() {
    insta::assert_snapshot!(simulate(&[THETA]));
    insta::assert_snapshot!(simulate(&[THETA, "--nodes", "2"]));
    insta::assert_snapshot!(simulate(&["campaigns/quickstart.yml", "--nodes", "2"]));
    insta::assert_snapshot!(simulate(&[
        THETA,
        "--nodes",
        "17",
        "--task-time",
        "lognormal:10m"
    ]));
    insta::assert_snapshot!(simulate(&[THETA, "--nodes", "17", "--failures", "7"]));
}
