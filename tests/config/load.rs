//! Values read from a campaign file, and those that its written form keeps.

use std::path::{Path, PathBuf};

use moldflow::config::campaign::{
    Campaign, LoadedCampaign, MethodKind, Molecules, Overrides, Scalar, Schedule, load,
};
use moldflow::config::diagnostic::Diagnostics;
use moldflow::design::{GenerateEngine, TrainEngine};
use proptest::prelude::*;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn with(set: &[&str]) -> Result<LoadedCampaign, Diagnostics> {
    let overrides = Overrides {
        set: set.iter().map(|set| (*set).to_owned()).collect(),
        ..Overrides::default()
    };
    load(&path("campaigns/moldqn.yml"), &overrides)
}

fn episodes(campaign: &Campaign) -> usize {
    let generate = campaign
        .methods
        .values()
        .find_map(|method| match &method.kind {
            MethodKind::Generate {
                engine: GenerateEngine::Moldqn { settings },
            } => Some(settings.episodes),
            _ => None,
        });
    generate.unwrap()
}

#[test]
fn the_local_campaign_has_the_options_of_the_seed() {
    let loaded = with(&[]).unwrap();
    let campaign = &loaded.campaign;
    let Some(Molecules::Some(initial)) = &campaign.stages["initial"].molecules else {
        panic!("a number of molecules");
    };
    assert_eq!(initial.random, Some(4));
    assert_eq!(campaign.stages["screen"].select, Some(2));
    assert_eq!(campaign.stages["evaluate"].parallel, Some(2));
    assert_eq!(campaign.stop.evaluations, Some(10));
    assert_eq!(campaign.stop.barren_batches, 10);
    assert_eq!(episodes(campaign), 4);
    assert_eq!(
        loaded.site.partitions["qc"].slot_count(&loaded.site.node),
        Some(2)
    );
    assert_eq!(
        loaded.site.partitions["ml"].slot_count(&loaded.site.node),
        Some(1)
    );
    assert_eq!(loaded.params["rl_episodes"], Scalar::Integer(4));
}

#[test]
fn params_and_dotted_paths_are_set() {
    let loaded = with(&[
        "rl_episodes=8",
        "stop.target=-3.5",
        "search_space.elements=[C, N]",
        "methods.energy.timeout=1h 30m",
    ])
    .unwrap();
    assert_eq!(episodes(&loaded.campaign), 8);
    assert_eq!(loaded.params["rl_episodes"], Scalar::Integer(8));
    assert_eq!(loaded.campaign.stop.target, Some(-3.5));
    assert_eq!(loaded.campaign.search_space.elements, ["C", "N"]);
    assert_eq!(
        loaded.campaign.methods["energy"].timeout.to_string(),
        "1h 30m"
    );
}

#[test]
fn setting_a_place_does_not_orphan_its_param() {
    assert_eq!(
        with(&["stop.evaluations=7"])
            .unwrap()
            .campaign
            .stop
            .evaluations,
        Some(7)
    );
}

#[test]
fn the_options_of_the_command_line_win() {
    let overrides = Overrides {
        seed: Some(u64::MAX),
        schedule: Some(Schedule::Batch),
        ..Overrides::default()
    };
    let loaded = load(&path("campaigns/quickstart.yml"), &overrides).unwrap();
    assert_eq!(loaded.campaign.seed, u64::MAX);
    assert_eq!(loaded.campaign.schedule, Schedule::Batch);
}

#[test]
fn what_is_set_is_typed_and_bounded_as_in_the_file() {
    for wrong in [
        "rl_episodes=0",
        "rl_episodes=1001",
        "rl_episodes=2.5",
        "rl_episodes=many",
        "rl_episodes=",
        "rl_episodes",
        "=3",
        "params.x=1",
        "stop.evaluations.x=1",
    ] {
        assert!(with(&[wrong]).is_err(), "{wrong}");
    }
}

/// The spellings are those of the core schema of YAML 1.2 (section 10.3.2).
#[test]
fn every_number_and_truth_value_of_yaml_is_one() {
    let evaluations = |text: &str| {
        let set = format!("stop.evaluations={text}");
        with(&[&set]).map(|loaded| loaded.campaign.stop.evaluations.expect("a number"))
    };
    for (text, value) in [
        ("1e3", 1000),
        ("1E2", 100),
        ("+12", 12),
        ("0x10", 16),
        ("0o17", 15),
        ("010", 10),
        ("12.0", 12),
        ("2.5e1", 25),
    ] {
        assert_eq!(evaluations(text).ok(), Some(value), "{text}");
    }
    for text in ["1.5", "1e-1", ".inf", ".nan", "0o8", "-1", "yes", "1e40"] {
        assert!(evaluations(text).is_err(), "{text}");
    }
    assert_eq!(
        with(&["stop.evaluations=~"])
            .unwrap()
            .campaign
            .stop
            .evaluations,
        None
    );
    assert!(with(&["search_space.max_heavy_atoms=~"]).is_err());
    let target = |text: &str| with(&[&format!("stop.target={text}")]).unwrap().campaign;
    for (text, value) in [("-.5", -0.5), ("-5.", -5.0), ("-1e0", -1.0), ("-3", -3.0)] {
        assert_eq!(target(text).stop.target, Some(value), "{text}");
    }
    for nothing in ["~", "null", "Null", "NULL"] {
        assert_eq!(target(nothing).stop.target, None, "{nothing}");
    }
    assert_eq!(episodes(&with(&["rl_episodes=1e1"]).unwrap().campaign), 10);
    let pinned = |text: &str| {
        let site =
            format!("name: x\npartitions: {{qc: {{executor: local, slots: 1e0, pin: {text}}}}}\n");
        let text = moldflow::config::diagnostic::Text {
            name: "site.yml".into(),
            text: site,
        };
        moldflow::config::profiles::parse(&std::sync::Arc::new(text)).is_ok()
    };
    for text in ["true", "True", "TRUE", "false", "False", "FALSE"] {
        assert!(pinned(text), "{text}");
    }
    for text in ["yes", "on", "1", "tRue"] {
        assert!(!pinned(text), "{text}");
    }
}

#[test]
fn a_time_without_a_unit_is_refused_with_a_way_out() {
    for (set, hint) in [
        ("stop.wall_time=60", "write `60s`, `60m` or `60h`"),
        ("stop.wall_time=1.5", "write `1.5s`, `1.5m` or `1.5h`"),
        ("stop.wall_time='60'", "write `60s`, `60m` or `60h`"),
        ("methods.energy.timeout=90", "write `90s`, `90m` or `90h`"),
    ] {
        let error = with(&[set]).unwrap_err().to_string();
        assert!(error.contains(hint), "{error}");
    }
    for (set, seconds) in [
        ("stop.wall_time=2d", 172_800),
        ("stop.wall_time=1-00:00:00", 86_400),
        ("stop.wall_time=24:00", 1440),
        ("stop.wall_time=24:00:00", 86_400),
    ] {
        let wall_time = with(&[set]).unwrap().campaign.stop.wall_time;
        assert_eq!(wall_time.unwrap().get().as_secs(), seconds, "{set}");
    }
}

#[test]
fn the_hash_changes_with_the_campaign_its_methods_and_its_site() {
    let hash = |set: &[&str]| with(set).unwrap().hash();
    assert_eq!(hash(&[]), hash(&[]));
    assert_eq!(hash(&[]).len(), 8);
    for set in [
        "seed=3",
        "methods.energy.settings.embed_timeout_seconds=11",
        "rl_episodes=5",
    ] {
        assert_ne!(hash(&[]), hash(&[set]), "{set}");
    }
    let elsewhere = |slots| {
        let folder = tempfile::tempdir().unwrap();
        let site = folder.path().join("site.yml");
        std::fs::write(&site, format!("name: local\npartitions:\n  qc: {{executor: local, slots: {slots}}}\n  ml: {{executor: local, slots: 1}}\n")).unwrap();
        let overrides = Overrides {
            site: Some(site.display().to_string()),
            ..Overrides::default()
        };
        load(&path("campaigns/moldqn.yml"), &overrides)
            .unwrap()
            .hash()
    };
    assert_ne!(elsewhere(2), elsewhere(3));
}

/// Writes campaign and site as a run directory keeps them, and reads them back.
fn written_and_read(loaded: &LoadedCampaign) -> LoadedCampaign {
    let folder = tempfile::tempdir().unwrap();
    let (campaign, site) = (
        folder.path().join("campaign.yml"),
        folder.path().join("site.yml"),
    );
    std::fs::write(
        &campaign,
        serde_saphyr::to_string(&loaded.campaign).unwrap(),
    )
    .unwrap();
    std::fs::write(&site, serde_saphyr::to_string(&loaded.site).unwrap()).unwrap();
    let overrides = Overrides {
        site: Some(site.display().to_string()),
        ..Overrides::default()
    };
    load(&campaign, &overrides).unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
}

#[test]
fn every_shipped_campaign_reads_back_as_it_was() {
    for name in ["qm9-atomization", "moldqn", "qm9-per-atom", "quickstart"] {
        let loaded = load(
            &path(&format!("campaigns/{name}.yml")),
            &Overrides::default(),
        )
        .unwrap();
        let again = written_and_read(&loaded);
        assert_eq!(again.campaign, loaded.campaign);
        assert_eq!(again.site, loaded.site);
        assert_eq!(again.hash(), loaded.hash());
    }
}

#[test]
fn a_source_in_a_file_is_found_from_the_run_directory() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine.smi"), "CCO\nCCN\nCCC\nCC\nC\n").unwrap();
    let good = std::fs::read_to_string(path("tests/good.yml")).unwrap();
    let campaign = folder.path().join("mine.yml");
    std::fs::write(&campaign, good.replace("source: qm9", "source: mine.smi")).unwrap();
    let loaded = load(&campaign, &Overrides::default()).unwrap();
    assert_eq!(written_and_read(&loaded).campaign, loaded.campaign);
}

#[test]
fn references_are_filled_into_texts() {
    let good = std::fs::read_to_string(path("tests/good.yml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let campaign = folder.path().join("campaign.yml");
    std::fs::write(
        &campaign,
        good.replace(
            "name: good",
            "name: \"from {{initial_count}} with {{parallel_guesses}} at once\"",
        ),
    )
    .unwrap();
    let loaded = load(&campaign, &Overrides::default()).unwrap();
    assert_eq!(loaded.campaign.name, "from 4 with 2 at once");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_campaign_reads_back_as_it_was(
        name in "[ -~]{0,12}[a-z]",
        seed: u64,
        target in proptest::option::of(-100.0..0.0),
        failure_share in 0.0..=1.0,
        timeout in 1..10_000_000u64,
        tolerance in 1e-12..=1.0,
        rings in proptest::collection::vec(3..=20usize, 1..4),
    ) {
        let mut loaded = with(&[]).unwrap();
        let campaign = &mut loaded.campaign;
        campaign.name = name.replace('{', "[");
        campaign.seed = seed;
        campaign.stop.target = target;
        campaign.stop.failure_share = failure_share;
        campaign.search_space.allowed_ring_sizes = rings;
        for method in campaign.methods.values_mut() {
            method.timeout = moldflow::config::duration::Duration::from_secs(timeout);
            if let MethodKind::Train { engine: TrainEngine::GroupContribution { settings }, .. } = &mut method.kind {
                settings.tolerance = tolerance;
            }
        }
        prop_assert_eq!(written_and_read(&loaded).campaign, loaded.campaign);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,60}") {
        let folder = tempfile::tempdir().unwrap();
        let campaign = folder.path().join("campaign.yml");
        std::fs::write(&campaign, &text).unwrap();
        prop_assert!(load(&campaign, &Overrides::default()).is_err());
    }

    #[test]
    fn no_damage_to_a_campaign_makes_the_parser_panic(at in 0..1000usize, damage in "[ \\t\\n:\\-\\[\\]{}\"'&*!|>%@,#a0]{1,3}") {
        let mut text: Vec<char> = std::fs::read_to_string(path("tests/good.yml")).unwrap().chars().collect();
        let at = at % text.len();
        text.splice(at..at + 1, damage.chars());
        let folder = tempfile::tempdir().unwrap();
        let campaign = folder.path().join("campaign.yml");
        std::fs::write(&campaign, String::from_iter(text)).unwrap();
        // Any result is accepted: only the printing of faults is tested.
        if let Err(diagnostics) = load(&campaign, &Overrides::default()) {
            prop_assert!(!diagnostics.is_empty());
            for diagnostic in diagnostics.0 {
                let place = diagnostic.place.expect("a fault in a file has a place");
                prop_assert!(place.line >= 1 && place.column >= 1);
            }
        }
    }
}
