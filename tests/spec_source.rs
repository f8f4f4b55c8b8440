//! Molecules drawn from QM9 and from files.

use std::collections::BTreeSet;
use std::path::Path;

use moldflow::chem::{Molecule, Stereo};
use moldflow::simulate::{Engine, Xtb};
use moldflow::spec::campaign::MethodKind;
use moldflow::spec::campaign::{Campaign, Overrides, load};
use moldflow::spec::source::{self, Source};

fn campaign() -> Campaign {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("campaigns/qm9-atomization.yml");
    load(&path, &Overrides::default()).unwrap().campaign
}

fn of_file(name: &str, content: &str, change: impl Fn(&mut Campaign)) -> Result<Source, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), content).unwrap();
    let mut campaign = campaign();
    campaign.search_space.source = name.into();
    change(&mut campaign);
    source::open(&campaign, folder.path()).map_err(|faults| faults.to_string())
}

fn all(source: &Source) -> Vec<String> {
    source.draw(0, usize::MAX, &|_| true)
}

#[test]
fn one_seed_draws_the_same_molecules() {
    let source = source::open(&campaign(), Path::new(".")).unwrap();
    let draw = |seed| source.draw(seed, 20, &|_| true);
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
    assert_eq!(draw(1)[..5], source.draw(1, 5, &|_| true));
}

#[test]
fn what_is_drawn_is_canonical_distinct_and_in_the_search_space() {
    let mut campaign = campaign();
    campaign.search_space.elements = vec!["C".into(), "O".into()];
    campaign.search_space.max_heavy_atoms = 7;
    campaign.search_space.allowed_ring_sizes = vec![5, 6];
    let drawn = source::open(&campaign, Path::new("."))
        .unwrap()
        .draw(3, 200, &|_| true);
    assert_eq!(drawn.len(), 200);
    assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), 200);
    for smiles in &drawn {
        let molecule = Molecule::parse(smiles).unwrap();
        assert_eq!(molecule.canonical_smiles(), *smiles);
        assert!(campaign.search_space.holds(&molecule), "{smiles}");
        assert!(
            !smiles.contains(['N', 'n', 'F']) && molecule.heavy_atoms().len() <= 7,
            "{smiles}"
        );
    }
}

#[test]
fn what_is_not_accepted_is_not_drawn() {
    let source = of_file("a.smi", "CCO\nCC\nCN\n", |_| {}).unwrap();
    let drawn = source.draw(0, 3, &|smiles| smiles != "CC");
    assert_eq!(
        drawn.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        BTreeSet::from(["CCO", "CN"])
    );
}

#[test]
fn a_molecule_that_is_written_twice_is_drawn_once() {
    assert_eq!(
        all(&of_file("a.smi", "OCC one\n\n# two\nCCO\nC(C)O\n", |_| {}).unwrap()),
        ["CCO"]
    );
}

#[test]
fn a_table_has_its_molecules_in_the_column_smiles() {
    assert_eq!(
        all(&of_file("a.csv", "id,SMILES\n1, CCO\n2,\"CN\"\n", |_| {}).unwrap()).len(),
        2
    );
    let faults = of_file("a.csv", "id,smiles\n1,CCO\n2,CCX\n3,C1\n", |_| {})
        .err()
        .unwrap();
    assert!(
        faults.contains("a.csv:3:3") && faults.contains("a.csv:4:3"),
        "{faults}"
    );
}

#[test]
fn charged_radical_and_strange_molecules_are_left_out() {
    let source = of_file(
        "a.smi",
        "CCO\n[NH4+]\n[CH3]\nCBr\nCCCCCCCCCC\nC1CCCCCCC1\n",
        |_| {},
    )
    .unwrap();
    assert_eq!(all(&source), ["CCO"]);
}

#[test]
fn stereoisomers_and_isotopologues_are_one_molecule_unless_the_campaign_keeps_them() {
    let content = "C[C@H](O)F\nC[C@@H](O)F\nCC(O)F\n[13CH3]O\nCO\nO[CH3:1]\nC/C=C/C\nC/C=C\\C\n";
    let drawn = |stereo: Option<Stereo>| {
        let source = of_file("a.smi", content, |campaign| {
            campaign.search_space.stereo = stereo.or(campaign.search_space.stereo);
        });
        let mut drawn = all(&source.unwrap());
        drawn.sort();
        drawn
    };
    assert_eq!(drawn(None), ["CC(O)F", "CC=CC", "CO"]);
    let kept = [
        "C/C=C/C",
        "C/C=C\\C",
        "CC(O)F",
        "CO",
        "C[C@@H](O)F",
        "C[C@H](O)F",
        "[13CH3]O",
    ];
    assert_eq!(drawn(Some(Stereo::Keep)), kept);
}

#[test]
fn molecules_without_mmff94_parameters_are_drawn_only_where_the_engine_relaxes_them() {
    let content = "CO\nF\n[C-]#[O+]\nO=O\n";
    let source = of_file("a.smi", content, |_| {}).unwrap();
    assert_eq!(all(&source), ["CO"]);
    let relaxing = |campaign: &mut Campaign| {
        for method in campaign.methods.values_mut() {
            if let MethodKind::Simulate { engine, .. } = &mut method.kind {
                *engine = Engine::Xtb {
                    settings: Xtb::default(),
                };
            }
        }
    };
    assert_eq!(all(&of_file("a.smi", content, relaxing).unwrap()).len(), 4);
}
