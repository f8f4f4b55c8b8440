//! Molecules drawn from QM9 and from files.

use std::collections::BTreeSet;
use std::path::Path;

use moldflow::chem::{Molecule, Stereo};
use moldflow::config::campaign::MethodKind;
use moldflow::config::campaign::{Campaign, Overrides, load};
use moldflow::config::source::{self, Source};
use moldflow::simulate::{QcEngine, Xtb};

fn campaign() -> Campaign {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("campaigns/qm9-atomization.yml");
    load(&path, &Overrides::default()).unwrap().campaign
}

fn of_file(
    name: &str,
    content: impl AsRef<[u8]>,
    change: impl Fn(&mut Campaign),
) -> Result<Source, String> {
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

/// Number of entries skipped for each reason, as `moldflow check` prints it.
fn summary(name: &str, content: impl AsRef<[u8]>, change: impl Fn(&mut Campaign)) -> String {
    of_file(name, content, change)
        .map(|source| source.reading().unwrap().to_string())
        .unwrap_or_else(|faults| faults)
}

/// SMILES and name of each molecule of a file, in its order.
fn named(name: &str, content: impl AsRef<[u8]>) -> Vec<(String, Option<String>)> {
    let source = of_file(name, content, |_| {}).unwrap();
    let kept = source.reading().unwrap().kept.iter();
    kept.map(|m| (m.smiles.clone(), m.name.clone())).collect()
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, Option<String>)> {
    let all = all.iter();
    all.map(|(smiles, name)| (smiles.to_string(), Some(name.to_string())))
        .collect()
}

#[test]
fn entries_outside_of_the_search_space_are_counted_by_their_reason() {
    let file = "CCO\nOCC\nC(C)O\n[NH4+]\nCC[O-]\nCC(=O)[O-].[Na+]\nCCN.Cl\nCCO.O\n*CC\n[CH3]\nCBr\n\
                CCCCCCCCCC\nC1CCCCCCC1\nC~C\nC$C\nN->[Cu]\nCC>>CO\nC>N>O\n[H][H]\nc1ccnc1\nC(C)(C)(C)(C)C\n";
    let expected = "21 read, 2 duplicates, 18 skipped: 2 reaction, 2 impossible valence, 1 wildcard, \
                    3 unusual bond, 2 salt, 1 mixture, 1 other element, 2 charged, 1 radical, \
                    1 too large, 1 without heavy atoms, 1 other ring size";
    assert_eq!(summary("a.smi", file, |_| {}), expected);
}

#[test]
fn ions_and_radicals_are_kept_where_they_are_allowed_and_single_atoms_never() {
    let file = "[NH4+]\nC[O-]\n[CH3]\n[NH3+]CC(=O)[O-]\n[O][O]\nCC(=O)[O-].[Na+]\n[O]\n[F-]\nC[N+](C)(C)C.[Cl-]\n";
    let kept = |ions: bool, radicals: bool, largest_fragment: bool| {
        let source = of_file("a.smi", file, |campaign| {
            let space = &mut campaign.search_space;
            (space.ions, space.radicals) = (ions, radicals);
            space.largest_fragment = largest_fragment;
            let relaxing = QcEngine::Xtb {
                settings: Xtb::default(),
            };
            for method in campaign.methods.values_mut() {
                if let MethodKind::Simulate { engine, .. } = &mut method.kind {
                    *engine = relaxing.clone();
                }
            }
        });
        let source = source.unwrap();
        let reading = source.reading().unwrap();
        let smiles: Vec<&str> = reading.kept.iter().map(|m| m.smiles.as_str()).collect();
        (smiles.join(" "), reading.to_string())
    };
    assert_eq!(
        kept(true, true, false),
        (
            "[NH4+] C[O-] [CH3] [NH3+]CC(=O)[O-] [O][O]".to_owned(),
            "9 read, 0 duplicates, 4 skipped: 2 salt, 2 single atom".to_owned()
        )
    );
    let (found, summary) = kept(true, false, true);
    assert_eq!(found, "[NH4+] C[O-] [NH3+]CC(=O)[O-] CC(=O)O C[N+](C)(C)C");
    assert_eq!(
        summary,
        "9 read, 0 duplicates, 4 skipped: 1 single atom, 3 radical"
    );
    let (found, _) = kept(false, true, false);
    assert_eq!(found, "[CH3] [NH3+]CC(=O)[O-] [O][O]");
}

#[test]
fn of_a_salt_the_largest_organic_molecule_is_taken_where_that_is_asked_for() {
    let file = "CC(=O)[O-].[Na+]\nCC[NH3+].[Cl-]\nCCN.Cl\nCCO.O.O\n[Na+].[Cl-]\nC[N+](C)(C)C.[Br-]\n\
                C[n+]1ccccc1.[I-]\nc1cc[nH+]cc1.[Cl-]\nC[N+](=O)[O-].O\nCC#N.OS(=O)(=O)C(F)(F)F\n";
    let source = of_file("a.smi", file, |campaign| {
        campaign.search_space.largest_fragment = true;
    })
    .unwrap();
    let reading = source.reading().unwrap();
    let kept: Vec<&str> = reading.kept.iter().map(|m| m.smiles.as_str()).collect();
    assert_eq!(kept, ["CC(=O)O", "CCN", "CCO", "c1ccncc1", "C[N+](=O)[O-]"]);
    let expected = "10 read, 1 duplicate, 4 skipped: 1 salt, 1 other element, 2 charged";
    assert_eq!(reading.to_string(), expected);
}

#[test]
fn text_that_is_not_smiles_is_a_fault_with_its_place() {
    for (name, file, place) in [
        ("a.smi", "CCO\n  C1CC ring\n", "a.smi:2:3"),
        ("a.smi", "CCO\nethanol\n", "a.smi:2:1"),
        ("a.smi", "CCO\nCC(C\n", "a.smi:2:1"),
        ("a.smi", "CCO\nCC>>C1\n", "a.smi:2:1"),
        ("a.smi", "CCO\nCC>O\n", "a.smi:2:1"),
        ("a.smi", "CCO\rCCX\r", "a.smi:2:1"),
        ("a.csv", "\n\nid;smiles\n1;CCO\n\n2;CCX\n", "a.csv:6:3"),
        ("a.csv", "note,smiles\n\"two\nlines\",CCX\n", "a.csv:3:8"),
        ("a.csv", "smiles\r\nCCO\r\n\"CCX\"\r\n", "a.csv:3:2"),
    ] {
        let faults = of_file(name, file, |_| {}).err().unwrap();
        assert!(faults.contains(place), "{file:?}: {faults}");
    }
}

#[test]
fn names_stand_behind_the_smiles_or_in_a_column_of_their_own() {
    let two = pairs(&[("CCO", "ethyl alcohol"), ("CCN", "ethylamine")]);
    for file in [
        "CCO ethyl alcohol\nCCN ethylamine",
        "\u{feff}CCO ethyl alcohol\r\nCCN ethylamine\r\n",
        "CCO\tethyl alcohol\t46.07\n# a comment\n\nCCN\tethylamine\t45.08\n",
        "CCO,ethyl alcohol\nCCN,ethylamine,45.08\n",
        "\"CCO\",\"ethyl alcohol\"\n\"CCN\",\"ethylamine\"\n",
        "CCO |$;;$| ethyl alcohol\nCCN |(0,0,;1,0,;2,0,)| ethylamine\n",
        "SMILES\tName\nCCO\tethyl alcohol\nCCN\tethylamine\n",
        "smiles name\nCCO ethyl alcohol\nCCN ethylamine\n",
        "Name;Canonical_SMILES\nethyl alcohol;CCO\nethylamine;CCN\n",
        "CCO ethyl alcohol\rCCN ethylamine\r",
    ] {
        assert_eq!(named("a.smi", file), two, "{file:?}");
    }
    for file in [
        "smiles,name\nCCO,ethyl alcohol\nCCN,ethylamine",
        "\u{feff}id;SMILES;Name;logP\r\n1;CCO;ethyl alcohol;-0,31\r\n2;CCN;ethylamine;-0,13\r\n",
        "CanonicalSMILES\tcompound_name\nCCO\tethyl alcohol\nCCN\tethylamine\n",
        "sep=;\nsmiles;name\nCCO;ethyl alcohol\nCCN;ethylamine\n",
        "note,smiles,title\n\"a, \"\"b\"\"\",CCO,\"ethyl\nalcohol\"\n,,\nx, CCN ,ethylamine,surplus\n",
        "molregno|smiles|pref_name\r1|CCO|ethyl alcohol\r2|CCN|ethylamine\r",
        "smiles,name\nCCO |$;;$|,ethyl alcohol\nCCN,ethylamine\n",
    ] {
        assert_eq!(named("a.csv", file), two, "{file:?}");
    }
    assert_eq!(
        named("a.smi", "C1CC1 |$;;$|\n"),
        [("C1CC1".to_owned(), None)]
    );
    assert_eq!(
        named("a.csv", "cid,smiles\n702,CCO\n"),
        pairs(&[("CCO", "702")])
    );
}

#[test]
fn a_name_has_nothing_in_it_that_steers_a_terminal() {
    let file = "CCO a\u{1b}[31mred\u{7}\n";
    assert_eq!(named("a.smi", file), pairs(&[("CCO", "a [31mred")]));
}

#[test]
fn empty_cells_are_skipped_and_counted() {
    let file = "smiles,y\nCCO,1\n,2\nNaN,3\nCCN,4\n\n\n";
    assert_eq!(
        summary("a.csv", file, |_| {}),
        "4 read, 0 duplicates, 2 skipped: 2 without SMILES"
    );
}

#[test]
fn a_table_that_is_not_understood_names_the_delimiter_that_was_assumed() {
    for (file, message) in [
        ("a;b\n1;2\n", "separated by semicolons, are `a`, `b`"),
        (
            "CCO,ethanol\nCCN,x\n",
            "separated by commas, are `CCO`, `ethanol`",
        ),
        (
            "name,smiles\n\"ethanol,CCO\nx,CCN\n",
            "a.csv:2:1: a quotation mark in this row",
        ),
        ("smiles;name\nC,C;x\n", "columns separated by semicolons"),
    ] {
        let faults = of_file("a.csv", file, |_| {}).err().unwrap();
        assert!(faults.contains(message), "{file:?}: {faults}");
    }
}

#[test]
fn text_in_another_encoding_is_a_fault_with_its_place_and_a_way_out() {
    let utf16: Vec<u8> = "CCO x\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let marked = [b"\xff\xfe".to_vec(), utf16.clone()].concat();
    for (file, what) in [
        (marked, "a.smi:1:1: the file is in UTF-16"),
        (utf16, "a.smi:1:2: a zero byte"),
        (
            b"CCN\nCCO \xe9thanol\n".to_vec(),
            "a.smi:2:5: the byte 0xe9",
        ),
    ] {
        let faults = of_file("a.smi", file, |_| {}).err().unwrap();
        assert!(
            faults.contains(what) && faults.contains("iconv"),
            "{faults}"
        );
    }
}

#[test]
fn what_is_no_file_is_refused_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("a.smi");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
    std::fs::create_dir(folder.path().join("b.smi")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("c.smi")).unwrap();
    for (name, what) in [
        ("a.smi", "a pipe"),
        ("b.smi", "a folder"),
        ("c.smi", "a device"),
        ("d.smi", "No such file"),
    ] {
        let mut campaign = campaign();
        campaign.search_space.source = name.into();
        let faults = source::open(&campaign, folder.path())
            .err()
            .unwrap()
            .to_string();
        assert!(faults.contains(what), "{faults}");
    }
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

/// An entry as classified by RDKit; see `tests/goldens/config_source.py`.
struct RdkitEntry {
    smiles: String,
    class: String,
    identity: String,
    parent: String,
    class_of_parent: String,
}

fn rdkit_entries() -> Vec<RdkitEntry> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/config_source.csv");
    let rows = csv::Reader::from_path(path).unwrap().into_records();
    let rows = rows.map(|row| {
        let row = row.unwrap();
        let cell = |index: usize| row[index].to_owned();
        RdkitEntry {
            smiles: cell(0),
            class: cell(1),
            identity: cell(2),
            parent: cell(3),
            class_of_parent: cell(4),
        }
    });
    rows.collect()
}

/// Changes the engine to one that does not need MMFF94 geometries.
fn relaxing(campaign: &mut Campaign) {
    for method in campaign.methods.values_mut() {
        if let MethodKind::Simulate { engine, .. } = &mut method.kind {
            *engine = QcEngine::Xtb {
                settings: Xtb::default(),
            };
        }
    }
}

fn as_rdkit_does(campaign: &mut Campaign) {
    relaxing(campaign);
    let space = &mut campaign.search_space;
    space.elements = ["C", "N", "O", "F", "S", "Cl"].map(str::to_owned).to_vec();
    space.max_heavy_atoms = 20;
    space.allowed_ring_sizes = (3..=7).collect();
}

/// Compares the molecules, and the classes of all other lines, with those of `expected`.
fn assert_sorted(
    entries: &[RdkitEntry],
    expected: impl Fn(&RdkitEntry) -> (&str, &str),
    with_parents: bool,
) {
    let (mut kept, mut others) = (Vec::new(), Vec::new());
    let mut file = String::new();
    for (line, entry) in (1..).zip(entries) {
        file += &format!("{}\n", entry.smiles);
        let (class, identity) = expected(entry);
        match class {
            "kept" if kept.iter().any(|known| known == identity) => {
                others.push((line, "duplicate".to_owned()));
            }
            "kept" => kept.push(identity.to_owned()),
            class => others.push((line, class.to_owned())),
        }
    }
    let source = of_file("a.smi", &file, |campaign| {
        as_rdkit_does(campaign);
        relaxing(campaign);
        campaign.search_space.largest_fragment = with_parents;
    });
    let source = source.unwrap();
    let reading = source.reading().unwrap();
    let found: Vec<&str> = reading.kept.iter().map(|m| m.smiles.as_str()).collect();
    assert_eq!(found, kept);
    let duplicates = reading.duplicates.iter();
    let mut found: Vec<(usize, String)> = duplicates
        .map(|entry| (entry.line, "duplicate".to_owned()))
        .collect();
    for (reason, entries) in &reading.skipped {
        found.extend(entries.iter().map(|entry| (entry.line, reason.to_string())));
    }
    found.sort();
    assert_eq!(found, others);
}

#[test]
fn entries_are_sorted_as_rdkit_sorts_them() {
    let mut entries = rdkit_entries();
    assert!(entries.len() > 150);
    entries.retain(|entry| entry.class != "error");
    assert_sorted(&entries, |entry| (&entry.class, &entry.identity), false);
}

#[test]
fn parents_of_salts_and_mixtures_are_those_of_rdkit() {
    let mut entries = rdkit_entries();
    entries.retain(|entry| entry.class != "error");
    let with_parent = |entry: &RdkitEntry| !entry.class_of_parent.is_empty();
    assert!(entries.iter().filter(|entry| with_parent(entry)).count() > 15);
    fn expected(entry: &RdkitEntry) -> (&str, &str) {
        match entry.class_of_parent.is_empty() {
            false => (&entry.class_of_parent, &entry.parent),
            true => (&entry.class, &entry.identity),
        }
    }
    assert_sorted(&entries, expected, true);
}

#[test]
fn what_rdkit_cannot_read_is_a_fault_and_nothing_else_is() {
    let entries = rdkit_entries();
    let mut file = String::new();
    let mut unreadable = Vec::new();
    for (line, entry) in (1..).zip(&entries) {
        file += &format!("{}\n", entry.smiles);
        if entry.class == "error" {
            unreadable.push(format!("a.smi:{line}:1: "));
        }
    }
    let faults = of_file("a.smi", &file, as_rdkit_does).err().unwrap();
    let found: Vec<&str> = faults.lines().collect();
    assert_eq!(found.len(), unreadable.len(), "{faults}");
    for (fault, place) in found.iter().zip(&unreadable) {
        assert!(fault.contains(place.as_str()), "{place} in {fault}");
    }
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
    let expected = "4 read, 0 duplicates, 3 skipped: 3 without MMFF94 parameters";
    assert_eq!(source.reading().unwrap().to_string(), expected);
    assert_eq!(all(&of_file("a.smi", content, relaxing).unwrap()).len(), 4);
}
