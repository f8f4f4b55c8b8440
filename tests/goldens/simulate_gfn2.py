#!/usr/bin/env python3
"""Writes simulate_gfn2.json: GFN2-xTB energies by tblite at moldflow's own geometries, and of free atoms.

    pip install tblite==0.8.0
    cargo run --example gfn2_geometries > geometries.jsonl
    tests/goldens/simulate_gfn2.py geometries.jsonl > tests/goldens/simulate_gfn2.json
"""

import json
import sys
from importlib.metadata import version

import numpy
from tblite.interface import Calculator

BOHR = 0.529177210903  # angstrom, CODATA 2018
NUMBER = {"H": 1, "B": 5, "C": 6, "N": 7, "O": 8, "F": 9, "Si": 14, "P": 15, "S": 16, "Cl": 17, "Br": 35}
UNPAIRED = {"H": 1, "B": 1, "C": 2, "N": 3, "O": 2, "F": 1, "Si": 2, "P": 3, "S": 2, "Cl": 1, "Br": 1}


def energy(atoms, unpaired=0):
    numbers = numpy.array([NUMBER[symbol] for symbol, _ in atoms])
    positions = numpy.array([position for _, position in atoms]) / BOHR
    calculator = Calculator("GFN2-xTB", numbers, positions, uhf=unpaired)
    calculator.set("verbosity", 0)
    return round(float(calculator.singlepoint().get("energy")), 9)


def main(geometries):
    molecules = [json.loads(line) for line in open(geometries)]
    for molecule in molecules:
        molecule["energy_hartree"] = energy(molecule["geometry"])
    atoms = {symbol: energy([(symbol, [0.0, 0.0, 0.0])], unpaired) for symbol, unpaired in UNPAIRED.items()}
    lines = ",\n".join(f"  {json.dumps(molecule)}" for molecule in molecules)
    origin = f"tblite {version('tblite')}, tests/goldens/simulate_gfn2.py"
    print(f'{{\n "origin": {json.dumps(origin)},\n "atoms": {json.dumps(atoms)},\n "molecules": [\n{lines}\n ]\n}}')


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
