#!/usr/bin/env python3
"""Writes simulate_xtb_states.json: GFN2-xTB energies of neutral molecules, cations and anions, in the gas
phase and in acetonitrile (ALPB), orbital energies and dipole moments, by tblite at one geometry each.

    pip install tblite==0.8.0
    tests/goldens/simulate_xtb_states.py tests/goldens/simulate_gfn2.json > tests/goldens/simulate_xtb_states.json
"""

import json
import sys
from importlib.metadata import version

import numpy
from tblite.interface import Calculator

BOHR = 0.529177210903  # angstrom, CODATA 2018
NUMBER = {"H": 1, "C": 6, "N": 7, "O": 8, "F": 9}
MOLECULES = 10


def compute(atoms, charge=0, solvent=None):
    numbers = numpy.array([NUMBER[symbol] for symbol, _ in atoms])
    positions = numpy.array([position for _, position in atoms]) / BOHR
    calculator = Calculator("GFN2-xTB", numbers, positions, charge=charge, uhf=abs(charge) % 2)
    calculator.set("verbosity", 0)
    if solvent:
        calculator.add("alpb-solvation", solvent)
    return calculator.singlepoint()


def states(molecule):
    atoms = molecule["geometry"]
    neutral = compute(atoms)
    orbitals, occupations = neutral.get("orbital-energies"), neutral.get("orbital-occupations")
    homo = max(e for e, n in zip(orbitals, occupations) if n > 1)
    lumo = min(e for e, n in zip(orbitals, occupations) if n < 1)
    energies = {
        "neutral": neutral.get("energy"),
        "cation": compute(atoms, 1).get("energy"),
        "anion": compute(atoms, -1).get("energy"),
        "neutral_acetonitrile": compute(atoms, 0, "acetonitrile").get("energy"),
        "cation_acetonitrile": compute(atoms, 1, "acetonitrile").get("energy"),
    }
    return {
        "smiles": molecule["smiles"],
        "geometry": atoms,
        "energy_hartree": {name: round(float(energy), 9) for name, energy in energies.items()},
        "homo_hartree": round(float(homo), 7),
        "lumo_hartree": round(float(lumo), 7),
        "dipole_atomic_units": round(float(numpy.linalg.norm(neutral.get("dipole"))), 6),
    }


def main(path):
    molecules = json.load(open(path))["molecules"][:MOLECULES]
    lines = ",\n".join(f"  {json.dumps(states(molecule))}" for molecule in molecules)
    origin = f"tblite {version('tblite')}, tests/goldens/simulate_xtb_states.py"
    print(f'{{\n "origin": {json.dumps(origin)},\n "molecules": [\n{lines}\n ]\n}}')


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
