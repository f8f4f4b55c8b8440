//! Pictures of runs in every state, drawn by ratatui's own test backend.

use std::path::Path;

use ratatui_core::backend::TestBackend;
use ratatui_core::style::Color;
use ratatui_core::terminal::Terminal;

use super::keys::Key;
use super::screen::Screen;
use super::style::Palette;
use super::text;
use crate::app::monitor::RunView;
use crate::config::campaign::Overrides;
use crate::plan::{self, HostEnvironment, Plan};
use crate::report::RunState;
use crate::report::fixtures::{evaluated, gap, mass, summary};
use crate::store::{
    CandidateRow, EndedEvaluation, FailureRow, ObjectiveInfo, QueuedCandidate, RunningTask,
};

const SIZES: [(u16, u16); 2] = [(80, 24), (120, 40)];
const TITLES: [&str; 5] = ["objective", "slots", "best molecules", "queue", "failures"];
/// Time at which the runs began, milliseconds since the Unix epoch.
const BEGUN: i64 = 1_795_000_000_000;

/// Run of `quickstart.yml` that has just begun.
fn begun(objectives: Vec<ObjectiveInfo>) -> (RunView, Plan) {
    let campaign = Path::new(env!("CARGO_MANIFEST_DIR")).join("campaigns/quickstart.yml");
    let host = HostEnvironment::default();
    let (loaded, plan) = plan::load(&campaign, &Overrides::default(), &host).expect("a campaign");
    let mut summary = summary(objectives, 0, 0);
    summary.run.created = BEGUN;
    let mut view = RunView::empty(Path::new("runs/a"), summary, &plan, &loaded.site);
    view.state = RunState::Running;
    view.at = BEGUN + 100_000;
    (view, plan)
}

fn evaluation(rank: i64, objective: Option<f64>) -> EndedEvaluation {
    EndedEvaluation {
        batch: 0,
        rank,
        failed: objective.is_none(),
        objective,
        feasible: true,
        hypervolume: None,
        finished: Some(BEGUN + 1000 * rank),
    }
}

/// Run that has ended with these values; the task of each took two seconds.
fn finished(values: &[f64], smiles: &str) -> RunView {
    let (mut view, plan) = begun(vec![gap()]);
    let count = values.len() as i64;
    view.summary.counts.evaluations = count;
    view.summary.stopped_by = Some("evaluations".into());
    view.state = RunState::Finished;
    view.evaluations = (0..)
        .zip(values)
        .map(|(n, value)| evaluation(n, Some(*value)))
        .collect();
    let mut best: Vec<CandidateRow> = (0..)
        .zip(values)
        .map(|(rank, value)| evaluated(rank % 3, rank, smiles, Some(*value)))
        .collect();
    best.sort_by(|a, b| b.objective.partial_cmp(&a.objective).expect("numbers"));
    view.summary.best = best.first().cloned();
    view.best = best;
    for n in 0..count {
        view.add_ended(
            &plan,
            Some("energy"),
            BEGUN + 2000 * n,
            BEGUN + 2000 * (n + 1),
        );
    }
    view
}

fn failure(smiles: &str, message: &str) -> FailureRow {
    FailureRow {
        task: 7,
        stage: "evaluate".into(),
        smiles: Some(smiles.into()),
        name: None,
        attempt: 2,
        kind: "exit".into(),
        message: message.into(),
        at: BEGUN + 40_000,
    }
}

/// Screen after these keys.
fn screen(keys: &[Key]) -> Screen {
    let mut screen = Screen::new(Palette::new(true));
    assert!(keys.iter().all(|key| screen.press(*key)), "no key quits");
    screen
}

/// Backend with the picture of a run.
fn drawn(view: &RunView, screen: &mut Screen, (columns, rows): (u16, u16)) -> TestBackend {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a terminal");
    let draw = terminal.draw(|frame| screen.draw(view, frame.area(), frame.buffer_mut()));
    draw.expect("a picture");
    terminal.backend().clone()
}

/// Lines of the picture of a run after these keys. All borders are whole.
fn picture(view: &RunView, keys: &[Key], size: (u16, u16)) -> String {
    let text = text(drawn(view, &mut screen(keys), size).buffer());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), usize::from(size.1));
    let panels = lines
        .iter()
        .position(|line| line.starts_with('┌'))
        .expect("a panel");
    for line in &lines[panels..lines.len() - 1] {
        assert!(
            line.ends_with(['│', '┐', '┘']),
            "a broken border: {line:?}\n{text}"
        );
    }
    text
}

/// Requires that each of the words stands in the picture of all panels, at every size.
#[track_caller]
fn assert_shows(view: &RunView, words: &[&str]) {
    for size in SIZES {
        let text = picture(view, &[], size);
        let found = TITLES
            .iter()
            .filter(|title| text.contains(&format!(" {title} ─")));
        assert_eq!(found.count(), TITLES.len(), "{size:?}\n{text}");
        for word in words {
            assert!(text.contains(word), "{word}, {size:?}\n{text}");
        }
    }
}

/// Requires that each of the words stands in the picture of one panel alone, at every size.
#[track_caller]
fn assert_alone(view: &RunView, panel: char, words: &[&str]) {
    for size in SIZES {
        let text = picture(view, &[Key::Char(panel)], size);
        assert_eq!(text.matches('┌').count(), 1, "{size:?}\n{text}");
        for word in words {
            assert!(text.contains(word), "{word}, {size:?}\n{text}");
        }
    }
}

#[test]
fn a_run_without_a_result_has_all_panels() {
    let (view, _) = begun(vec![gap()]);
    let slots = view.lanes.iter().map(|lane| format!("{} ", lane.partition));
    let slots: Vec<String> = slots.collect();
    assert_eq!(slots.len(), 2, "a lane for calculations, one for learning");
    assert_shows(
        &view,
        &[
            "test  running  0/10 evaluations, 0 failed, 0 batches  a",
            "0 core-hours used, no limit; 1 min 40 s since its start",
            "no molecule yet",
            "no evaluation has ended yet",
            "simulation 0/2 busy (0 %)",
            "learning 0/1 busy (0 %)",
            "empty",
            "no attempt has failed",
            "now",
        ],
    );
    for (panel, words) in ('1'..='5').zip([
        "no evaluation",
        "simulation",
        "no molecule",
        "empty",
        "no attempt",
    ]) {
        assert_alone(&view, panel, &[words]);
    }
    let (front, _) = begun(vec![gap(), mass()]);
    assert_shows(&front, &["Pareto front: 0 molecules"]);
}

#[test]
fn running_tasks_and_the_queue_are_listed() {
    let (mut view, plan) = begun(vec![gap()]);
    let task = |task: i64| RunningTask {
        task,
        stage: "evaluate".into(),
        method: Some("energy".into()),
        smiles: Some(format!("{}O", "C".repeat(task as usize))),
        name: None,
        started: Some(BEGUN + 40_000),
    };
    view.set_running(&plan, vec![task(1)]);
    view.summary.counts.queued = 200;
    let queued = |rank: i64| QueuedCandidate {
        batch: 3,
        rank,
        smiles: format!("N{}", "C".repeat(rank as usize % 10)),
        name: (rank == 0).then(|| "ammonia".into()),
        mean: Some(1.25),
        std: Some(0.5),
    };
    view.queue = (0..100).map(queued).collect();
    assert_shows(
        &view,
        &[
            "simulation 1/",
            "evaluate 1 min 0 s CO",
            "200 wait",
            "    3    1 N (ammonia)",
        ],
    );
    assert_alone(&view, '4', &["    3    1 N (ammonia)", "1.25 ± 0.50"]);
    // The end of a list is reached and not passed.
    let keys = [vec![Key::Char('4')], vec![Key::PageDown; 50]].concat();
    let text = picture(&view, &keys, (80, 24));
    assert!(
        text.contains("    3  100 N") && !text.contains("    3   99 N"),
        "{text}"
    );
}

#[test]
fn failures_are_shown_with_what_their_programs_wrote() {
    let (mut view, _) = begun(vec![gap()]);
    view.summary.counts.failures = 12;
    view.evaluations = (0..12).map(|rank| evaluation(rank, None)).collect();
    let message: String = (1..=40).map(|n| format!("line {n}\n\n")).collect();
    view.failures = vec![
        failure("CCO", &message),
        failure("N", "\u{1b}[31mred\u{202e}"),
    ];
    assert_shows(
        &view,
        &[
            "all evaluations have failed",
            "12 failed",
            "exit CCO, task 7, attempt 2",
            "line 40",
        ],
    );
    assert_alone(
        &view,
        '5',
        &["exit CCO, task 7, attempt 2, 1 min 0 s ago", "  line 1 "],
    );
    let scrolled = [vec![Key::Char('5')], vec![Key::PageDown; 4]].concat();
    for size in SIZES {
        let text = picture(&view, &scrolled, size);
        assert!(
            text.contains("  line 40 "),
            "the end of a long message: {text}"
        );
        assert!(
            text.contains("exit N,") && text.contains("\u{fffd}[31mred\u{fffd}"),
            "{text}"
        );
    }
}

#[test]
fn a_finished_run_shows_its_best_molecules_and_its_end() {
    let view = finished(&[1.5, 2.5, 0.5, 2.25, 1.0], "CC=O");
    assert_shows(
        &view,
        &[
            "test  finished  5/10 evaluations, 0 failed",
            "took ",
            "all evaluations asked for are done",
            "best 2.500000 eV CC=O",
            "   1 CC=O ",
            "2.500000",
            "source",
            "0/",
            "5 evaluations",
        ],
    );
    assert_alone(&view, '3', &["gap / eV", "   5 CC=O", "0.500000"]);
    // Ten seconds of a hundred.
    let slots = view.lanes[0].slots.expect("slots");
    assert_alone(
        &view,
        '2',
        &[&format!("busy ({:.0} %)", 10.0 / slots as f64)],
    );
}

#[test]
fn long_and_wide_names_leave_the_columns_in_their_places() {
    let long = "C1CC(=O)N".repeat(60);
    let mut view = finished(&[1.0, 2.0], &long);
    view.failures = vec![failure(&long, &long)];
    view.queue = vec![QueuedCandidate {
        batch: 1,
        rank: 0,
        smiles: long.clone(),
        name: Some(long.clone()),
        mean: None,
        std: None,
    }];
    assert_shows(
        &view,
        &[
            "2.000000",
            " source│",
            "    1    1 C1CC",
            "exit C1CC",
            "best 2.000000 eV C1CC",
        ],
    );
    for panel in '1'..='5' {
        assert_alone(&view, panel, &[]);
    }
    for row in &mut view.best {
        row.name = Some("水分子".into());
        row.smiles = "O".into();
    }
    assert_shows(&view, &["   1 O (水分子) "]);
    // Letters of two columns take two columns.
    let text = picture(&view, &[Key::Char('3')], (80, 24));
    let row = text
        .lines()
        .find(|line| line.contains("水"))
        .expect("a row");
    assert_eq!(row.chars().count(), 80 - 3, "{row:?}");
}

#[test]
fn colours_are_left_out_where_none_are_wanted() {
    let mut view = finished(&[1.0, 2.0, 3.0], "C");
    view.failures = vec![failure("C", "no")];
    let coloured = |palette: Palette, size| {
        let backend = drawn(&view, &mut Screen::new(palette), size);
        let cells = backend.buffer().content().iter();
        cells
            .filter(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset)
            .count()
    };
    for size in SIZES {
        assert!(coloured(Palette::new(true), size) > 20);
        assert_eq!(coloured(Palette::new(false), size), 0);
    }
}

#[test]
fn every_size_has_a_picture_and_one_that_is_too_small_says_so() {
    let mut view = finished(&[1.0, 2.0, 3.0], "C");
    view.failures = vec![failure("C", "no")];
    for (columns, rows) in [(79, 24), (80, 23), (40, 10)] {
        let text = text(drawn(&view, &mut screen(&[]), (columns, rows)).buffer());
        let said = text.lines().collect::<Vec<_>>().join(" ");
        assert!(
            said.contains("80 x 24 are needed"),
            "{columns} x {rows}: {text}"
        );
    }
    let keys = [
        Key::Char('?'),
        Key::Char('2'),
        Key::Enter,
        Key::Tab,
        Key::Down,
    ];
    for count in 0..=keys.len() {
        for size in [
            (1, 1),
            (3, 2),
            (80, 24),
            (81, 25),
            (139, 24),
            (140, 24),
            (80, 200),
            (500, 60),
        ] {
            drawn(&view, &mut screen(&keys[..count]), size);
        }
    }
}

#[test]
fn partitions_that_have_no_room_are_scrolled_to() {
    let (mut view, _) = begun(vec![gap()]);
    for n in 0..10 {
        let mut lane = view.lanes[0].clone();
        lane.partition = format!("part{n}");
        view.lanes.push(lane);
    }
    let shown = |keys: &[Key]| picture(&view, keys, (80, 24));
    assert!(!shown(&[Key::Char('2')]).contains("part9"));
    let scrolled = [vec![Key::Char('2')], vec![Key::Down; 11]].concat();
    assert!(shown(&scrolled).contains("part9"), "{}", shown(&scrolled));
}
