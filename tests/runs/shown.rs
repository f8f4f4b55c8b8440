//! What was computed of a molecule: `moldflow show`.

use std::fs;
use std::process::Command;

use crate::support::{Campaign, on, rows, run_to_end};

#[test]
fn a_molecule_is_shown_with_its_quantities_and_a_geometry_that_xtb_reads() {
    let campaign = Campaign::tiny();
    let run_dir = campaign.completed("run", &[]);
    let evaluated = rows(&run_dir);
    let row = evaluated.iter().find(|row| row["status"] == "evaluated");
    let smiles = &row.unwrap()["smiles"];

    let text = on(&run_dir, &["show", smiles]).with_code(0).out;
    let field = |name: &str| {
        let line = text.lines().find(|line| line.trim().starts_with(name));
        let line = line.unwrap_or_else(|| panic!("no {name}: {text}"));
        line.replace(name, "").trim().to_owned()
    };
    assert!(text.starts_with(smiles.as_str()), "{text}");
    assert!(
        text.contains("energy: GFN2-xTB//MMFF94, gfn2//mmff94"),
        "{text}"
    );
    assert!(field("energy ").ends_with(" hartree"), "{text}");
    let total: f64 = field("energy ").replace(" hartree", "").parse().unwrap();

    let geometry = on(&run_dir, &["show", smiles, "--geometry"])
        .with_code(0)
        .out;
    fs::write(campaign.path("molecule.xyz"), geometry).unwrap();
    // Debian's xtb 6.5.1 computes the energy of this geometry.
    let mut xtb = Command::new("xtb");
    let xtb = run_to_end(xtb.arg("molecule.xyz").current_dir(campaign.path(""))).with_code(0);
    let energy = xtb.out.lines().find(|line| line.contains("TOTAL ENERGY"));
    let words: Vec<&str> = energy.unwrap().split_whitespace().collect();
    let energy: f64 = words[3].parse().unwrap();
    // The built-in method agrees with others within 0.001 hartree (docs/engines.md).
    assert!((energy - total).abs() < 1e-3, "{energy} {total}");

    let none = on(&run_dir, &["show", smiles, "--method", "other"])
        .with_code(1)
        .err;
    assert!(none.contains("no result of"), "{none}");
    let unknown = on(&run_dir, &["show", "nonsense", "--geometry"])
        .with_code(1)
        .err;
    assert!(unknown.contains("no geometry of `nonsense`"), "{unknown}");
}
