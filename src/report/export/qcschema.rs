//! QCSchema: an `AtomicResult` a line for each calculation of an evaluated molecule that has a
//! geometry and a total energy. <https://molssi-qc-schema.readthedocs.io>
//!
//! Geometries are in bohr, energies in hartree. Names, batch, rank and properties are in `extras`.

use std::io;

use serde_json::{Value, json};

use super::columns::{ExportTable, object};
use super::jsonl::write_line;
use super::{Destination, ExportFormat, ExportedMolecule, LeftOut, Writing};
use crate::chem::Geometry;
use crate::chem::units::angstrom_to_bohr;
use crate::store::MoleculeResult;

pub(super) static FORMAT: ExportFormat = ExportFormat {
    name: "qcschema",
    is_binary: false,
    has_calculations: true,
    has_states: true,
    writing: Writing::Alone(write),
};

fn write(
    table: &ExportTable,
    molecule: &ExportedMolecule,
    out: &mut Destination,
) -> io::Result<Option<LeftOut>> {
    let mut left_out = Some(LeftOut::NoGeometry);
    for result in &molecule.calculations {
        match record(table, molecule, result) {
            Ok(record) => {
                write_line(&record, out)?;
                left_out = None;
            }
            // The reason that comes last is that of the calculation which has most of it.
            Err(reason) => left_out = left_out.map(|before| before.max(reason)),
        }
    }
    Ok(left_out)
}

fn record(
    table: &ExportTable,
    molecule: &ExportedMolecule,
    result: &MoleculeResult,
) -> Result<Value, LeftOut> {
    let geometry = Geometry::from_xyz(&result.xyz).map_err(|_| LeftOut::NoGeometry)?;
    let quantities = object(&result.quantities);
    let energy = quantities.get("energy").ok_or(LeftOut::NoEnergy)?;
    let method = result.method.as_deref().unwrap_or_default();
    let smiles = &molecule.candidate.smiles;
    let state = (molecule.state)(method, smiles);
    let (charge, multiplicity) = state.ok_or(LeftOut::UnknownState)?;
    let (symbols, positions): (Vec<_>, Vec<_>) = geometry.atoms.into_iter().unzip();
    let bohr: Vec<f64> = (positions.into_iter().flatten())
        .map(angstrom_to_bohr)
        .collect();
    let version = env!("CARGO_PKG_VERSION");
    let columns: serde_json::Map<_, _> = (table.shown(&molecule.values))
        .filter(|(_, value)| !value.is_null())
        .map(|(column, value)| (column.name.clone(), value))
        .collect();
    Ok(json!({
        "schema_name": "qcschema_output",
        "schema_version": 1,
        "molecule": {
            "schema_name": "qcschema_molecule",
            "schema_version": 2,
            "name": molecule.title(),
            "identifiers": {"smiles": smiles},
            "symbols": symbols,
            "geometry": bohr,
            "molecular_charge": charge,
            "molecular_multiplicity": multiplicity,
            "fix_com": true,
            "fix_orientation": true,
            "provenance": {"creator": "moldflow", "version": version, "routine": "export"},
        },
        "driver": "energy",
        "model": {"method": result.level_of_theory, "basis": null},
        "keywords": {},
        "properties": {"return_energy": energy, "calcinfo_natom": symbols.len()},
        "return_result": energy,
        "success": true,
        "provenance": {"creator": result.engine, "version": result.version, "routine": method},
        "extras": {"moldflow": {"method": method, "quantities_au": quantities, "candidate": columns}},
    }))
}
