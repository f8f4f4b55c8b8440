//! Verdicts on small runs, with every word.

use super::*;
use crate::report::fixtures::{evaluated, found, gap, mass, summary};

/// Verdict on a finished run whose best molecule is this one.
fn of_best(best: CandidateRow, found: &SearchCounts, failures: i64) -> String {
    let mut summary = summary(vec![gap()], found.computed, failures);
    summary.best = Some(best);
    verdict(&summary, RunState::Finished, found)
}

/// Verdict on a finished run with two objectives and a front of so many molecules.
fn of_front(on_front: usize, found: &SearchCounts) -> String {
    let mut summary = summary(vec![gap(), mass()], found.computed, 0);
    summary.front = vec![evaluated(0, 0, "C", Some(1.0)); on_front];
    verdict(&summary, RunState::Finished, found)
}

#[test]
fn a_list_without_a_generator_has_its_best_molecule() {
    let best = CandidateRow {
        name: Some("methane".into()),
        ..evaluated(0, 3, "C", Some(9.5))
    };
    assert_eq!(
        of_best(best.clone(), &found(6, 0), 0),
        "The best of 6 computed molecules is C (methane) at 9.500000 eV: it was in the source, nothing \
         was proposed; no calculation failed."
    );
    assert_eq!(
        of_best(best.clone(), &found(1, 0), 9),
        "The only computed molecule is C (methane) at 9.500000 eV: it was in the source, nothing was \
         proposed; 9 of 10 molecules failed (9 exit), and a better one may be among them."
    );
    // Few failures leave the best molecule as it is.
    assert!(of_best(best, &found(99, 0), 1).ends_with("; 1 of 100 molecules failed (1 exit)."));
}

#[test]
fn a_search_that_found_nothing_better_says_so() {
    let best = || evaluated(0, 1, "CC", Some(2.0));
    assert_eq!(
        of_best(best(), &found(20, 16), 0),
        "The best of 20 computed molecules is CC at 2.000000 eV: it was in the source, and none of the \
         16 proposed molecules beats it."
    );
    assert!(
        of_best(best(), &found(5, 1), 0).contains("the only proposed molecule does not beat it")
    );
}

#[test]
fn a_search_is_told_by_its_stage_and_its_prediction() {
    let best = CandidateRow {
        predictions: r#"{"gap":[3.0,0.5]}"#.into(),
        ..evaluated(2, 0, "CO", Some(3.5))
    };
    let counts = |better| SearchCounts {
        best_of_source: Some(2.5),
        generator: Some("mutate".into()),
        proposed_better: better,
        ..found(8, 4)
    };
    let agreement = "the model had predicted 3.00 ± 0.50, 1.0 standard deviations off";
    let beginning = "The best of 8 computed molecules is CO at 3.500000 eV: the stage `mutate` proposed \
         it in batch 2";
    for (better, words) in [
        (
            4,
            "and all 4 proposed molecules beat the best initial molecule",
        ),
        (
            3,
            "and 3 of 4 proposed molecules beat the best initial molecule",
        ),
        (
            1,
            "the only one of 4 proposed molecules better than the best initial molecule",
        ),
    ] {
        assert_eq!(
            of_best(best.clone(), &counts(better), 0),
            format!("{beginning}, {words}, 2.500000 eV; {agreement}.")
        );
    }
    let certain = CandidateRow {
        predictions: r#"{"gap":[3.0,0.0]}"#.into(),
        ..best
    };
    let said = of_best(certain, &counts(4), 0);
    assert!(
        said.ends_with("the model had predicted 3.000000 ± 0.000000."),
        "{said}"
    );
}

#[test]
fn constraints_are_told_of() {
    let feasible = |feasible, computed| SearchCounts {
        feasible,
        ..found(computed, 0)
    };
    let none = |computed| {
        verdict(
            &summary(vec![gap()], computed, 0),
            RunState::Finished,
            &feasible(0, computed),
        )
    };
    assert_eq!(
        none(5),
        "None of 5 computed molecules meets the constraints: no calculation failed."
    );
    assert_eq!(
        none(1),
        "The only computed molecule does not meet the constraints: no calculation failed."
    );
    let best = || evaluated(0, 0, "C", Some(1.0));
    let said = of_best(best(), &feasible(1, 5), 0);
    assert!(
        said.starts_with(
            "The best of 5 computed molecules, of which 1 meets the constraints, is C"
        ),
        "{said}"
    );
    let said = of_best(best(), &feasible(2, 5), 0);
    assert!(
        said.contains(", of which 2 meet the constraints, "),
        "{said}"
    );
    let front = of_front(1, &feasible(2, 5));
    assert!(
        front.starts_with("1 of 5 computed molecules, of which 2 meet the constraints, is on"),
        "{front}"
    );
    // The same with two objectives.
    assert!(of_front(0, &feasible(0, 3)).starts_with("None of 3 computed molecules meets"));
}

#[test]
fn a_front_is_told_by_where_its_molecules_came_from() {
    let cases = [
        (
            3,
            4,
            0,
            "all were in the source, nothing was proposed; no calculation failed",
        ),
        (
            1,
            4,
            0,
            "it was in the source, nothing was proposed; no calculation failed",
        ),
        (
            2,
            6,
            1,
            "none was in the source, 2 of the 4 proposed molecules are on it",
        ),
        (
            3,
            6,
            1,
            "1 was in the source, 2 of the 4 proposed molecules are on it",
        ),
        (
            4,
            6,
            1,
            "2 were in the source, 2 of the 4 proposed molecules are on it",
        ),
    ];
    let on = |all: usize| if all == 1 { "is" } else { "are" };
    for (on_front, computed, proposes, words) in cases {
        let counts = SearchCounts {
            proposed_on_front: 2 * proposes,
            ..found(computed, 4 * proposes)
        };
        assert_eq!(
            of_front(on_front, &counts),
            format!(
                "{on_front} of {computed} computed molecules {} on the Pareto front of highest gap and \
                 lowest mass: {words}.",
                on(on_front)
            )
        );
    }
    let one = |members| SearchCounts {
        proposed_on_front: members,
        ..found(3, 1)
    };
    assert!(
        of_front(1, &one(0))
            .ends_with("it was in the source, and the only proposed molecule is not on it.")
    );
    assert!(
        of_front(2, &one(1)).ends_with("1 was in the source, the only proposed molecule is on it.")
    );
    let none = of_front(2, &found(9, 7));
    assert!(
        none.ends_with("all were in the source, and none of the 7 proposed molecules is on it."),
        "{none}"
    );
}

#[test]
fn a_run_without_a_value_says_why() {
    let said = |failures, stopped_by: Option<StoppedBy>, state| {
        let mut summary = summary(vec![gap()], 0, failures);
        summary.stopped_by = stopped_by.map(|reason| reason.word().to_owned());
        verdict(&summary, state, &SearchCounts::default())
    };
    assert_eq!(
        said(3, Some(StoppedBy::NothingComputed), RunState::Finished),
        "No molecule was computed: all 3 molecules that ended failed (3 exit)."
    );
    assert_eq!(
        said(0, Some(StoppedBy::References), RunState::Finished),
        "No molecule was computed: no molecule can be computed without the free atoms that failed."
    );
    assert_eq!(
        said(0, None, RunState::Running),
        "No molecule has been computed yet."
    );
    assert_eq!(
        said(1, None, RunState::Interrupted),
        "No molecule has been computed yet: the only molecule that ended failed (1 exit); the run was \
         interrupted and can be resumed."
    );
}

#[test]
fn a_run_at_work_is_told_of_so_far() {
    let mut running = summary(vec![gap()], 2, 0);
    running.best = Some(evaluated(0, 0, "C", Some(1.0)));
    assert_eq!(
        verdict(&running, RunState::Running, &found(2, 0)),
        "So far the best of 2 computed molecules is C at 1.000000 eV: it was in the source, nothing was \
         proposed; the run is still at work."
    );
}
