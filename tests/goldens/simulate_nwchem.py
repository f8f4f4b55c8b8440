"""Hartree-Fock and B3LYP energies by PySCF, for tests/simulate/nwchem.rs.

    pip install pyscf==2.14.0
    python tests/goldens/simulate_nwchem.py < geometries.jsonl > tests/goldens/simulate_nwchem.json

Each line of geometries.jsonl is {"smiles": ..., "geometry": [[symbol, [x, y, z]], ...]} in angstrom: what the engine
`gfn2//mmff94` (cosmolkit 0.6.1) embeds from seed 42. Without a file the geometries of the present golden file are used.

Molecules are restricted, free atoms unrestricted and in their ground-state multiplicity. The d functions of 6-31G* are
cartesian, as that basis was made.
"""

import json
import pathlib
import sys

import pyscf
from pyscf import dft, gto, scf

OUT = pathlib.Path(__file__).with_name("simulate_nwchem.json")
UNPAIRED = {"H": 1, "C": 2, "N": 3, "O": 2, "F": 1}


def molecule(atoms, basis, spin=0):
    return gto.M(atom=atoms, basis=basis, spin=spin, unit="angstrom", cart=True, verbose=0)


def lowest(field):
    """The energy after following instabilities, so that it is that of a minimum."""
    field.conv_tol = 1e-11
    field.kernel()
    for _ in range(5):
        orbitals, _, stable, _ = field.stability(return_status=True)
        if stable:
            break
        field.kernel(field.make_rdm1(orbitals, field.mo_occ))
    assert field.converged
    return field.e_tot


def main():
    if sys.stdin.isatty():
        molecules = json.loads(OUT.read_text())["molecules"]
    else:
        molecules = [json.loads(line) for line in sys.stdin if line.strip()]
    result = {
        "origin": f"PySCF {pyscf.__version__}, tests/goldens/simulate_nwchem.py",
        "molecules": [],
        "atoms": {},
    }
    for entry in molecules:
        entry = {"smiles": entry["smiles"], "geometry": entry["geometry"]}
        entry["hf_3_21g_hartree"] = lowest(scf.RHF(molecule(entry["geometry"], "3-21g")))
        if len(entry["geometry"]) <= 3:
            field = dft.RKS(molecule(entry["geometry"], "6-31g*"))
            field.xc = "b3lyp"
            field.grids.level = 5
            entry["b3lyp_6_31gs_hartree"] = lowest(field)
        result["molecules"].append(entry)
    for symbol, spin in UNPAIRED.items():
        result["atoms"][symbol] = lowest(scf.UHF(molecule([[symbol, [0, 0, 0]]], "3-21g", spin)))
    lines = ",\n".join(f"    {json.dumps(entry)}" for entry in result["molecules"])
    OUT.write_text(
        f'{{\n  "origin": {json.dumps(result["origin"])},\n  "molecules": [\n{lines}\n  ],\n'
        f'  "atoms": {json.dumps(result["atoms"])}\n}}\n'
    )


main()
