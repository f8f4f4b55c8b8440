#!/usr/bin/env python3
"""GFN2-xTB by tblite: writes simulate_gfn2.json and simulate_xtb_states.json.

    pip install tblite==0.8.0 scipy==1.17.1
    cargo run --example gfn2_geometries > geometries.jsonl
    tests/goldens/simulate_tblite.py energies geometries.jsonl > tests/goldens/simulate_gfn2.json
    tests/goldens/simulate_tblite.py states tests/goldens/simulate_gfn2.json > tests/goldens/simulate_xtb_states.json

`energies`: at moldflow's own geometries, and of free atoms.
`states`: of the first ten of those molecules, neutral, cation and anion, in the gas phase and in acetonitrile (ALPB),
with orbital energies and dipole moments, at those geometries (`embedded`) and at the geometry that tblite's gradients
relax the neutral molecule to (`relaxed`); then the energies of the ions relaxed from there.
"""

import json
import sys
from importlib.metadata import version

import numpy
from scipy.optimize import minimize
from tblite.interface import Calculator

BOHR = 0.529177210903  # angstrom, CODATA 2018
NUMBER = {"H": 1, "B": 5, "C": 6, "N": 7, "O": 8, "F": 9, "Si": 14, "P": 15, "S": 16, "Cl": 17, "Br": 35}
UNPAIRED = {"H": 1, "B": 1, "C": 2, "N": 3, "O": 2, "F": 1, "Si": 2, "P": 3, "S": 2, "Cl": 1, "Br": 1}
MASS = {"H": 1.008, "C": 12.011, "N": 14.007, "O": 15.999, "F": 18.998}
MOLECULES = 10


def compute(symbols, positions, charge=0, unpaired=None, solvent=None):
    """The result at positions in bohr; the spin is the lowest unless given."""
    numbers = numpy.array([NUMBER[symbol] for symbol in symbols])
    unpaired = abs(charge) % 2 if unpaired is None else unpaired
    calculator = Calculator("GFN2-xTB", numbers, positions, charge=charge, uhf=unpaired)
    calculator.set("verbosity", 0)
    if solvent:
        calculator.add("alpb-solvation", solvent)
    return calculator.singlepoint()


def energy(*arguments, **options):
    return round(float(compute(*arguments, **options).get("energy")), 9)


def split(geometry):
    """Symbols, and positions in bohr."""
    return [symbol for symbol, _ in geometry], numpy.array([position for _, position in geometry]) / BOHR


def dipole(symbols, positions, charge):
    """Length about the centre of mass, in atomic units."""
    masses = numpy.array([MASS[symbol] for symbol in symbols])
    centre = masses @ positions / masses.sum()
    moment = compute(symbols, positions, charge).get("dipole") - charge * centre
    return round(float(numpy.linalg.norm(moment)), 6)


def relax(symbols, positions, charge):
    def energy_and_gradient(x):
        result = compute(symbols, x.reshape(-1, 3), charge)
        return result.get("energy"), result.get("gradient").ravel()

    options = {"gtol": 1e-5, "maxiter": 500}
    return minimize(energy_and_gradient, positions.ravel(), jac=True, method="BFGS", options=options).x.reshape(-1, 3)


def states_at(symbols, positions):
    neutral = compute(symbols, positions)
    orbitals, occupations = neutral.get("orbital-energies"), neutral.get("orbital-occupations")
    return {
        "geometry": [[symbol, list(position * BOHR)] for symbol, position in zip(symbols, positions)],
        "energy_hartree": {
            "neutral": energy(symbols, positions),
            "cation": energy(symbols, positions, 1),
            "anion": energy(symbols, positions, -1),
            "neutral_acetonitrile": energy(symbols, positions, solvent="acetonitrile"),
            "cation_acetonitrile": energy(symbols, positions, 1, solvent="acetonitrile"),
        },
        "homo_hartree": round(float(max(e for e, n in zip(orbitals, occupations) if n > 1)), 7),
        "lumo_hartree": round(float(min(e for e, n in zip(orbitals, occupations) if n < 1)), 7),
        "dipole_atomic_units": dipole(symbols, positions, 0),
        "cation_dipole_atomic_units": dipole(symbols, positions, 1),
    }


def states(path):
    rows = []
    for molecule in json.load(open(path))["molecules"][:MOLECULES]:
        symbols, embedded = split(molecule["geometry"])
        relaxed = relax(symbols, embedded, 0)
        ions = {name: energy(symbols, relax(symbols, relaxed, charge), charge) for name, charge in [("cation", 1), ("anion", -1)]}
        rows.append(
            {
                "smiles": molecule["smiles"],
                "embedded": states_at(symbols, embedded),
                "relaxed": states_at(symbols, relaxed),
                "relaxed_ions_hartree": ions,
            }
        )
    return {"molecules": rows}


def energies(path):
    molecules = [json.loads(line) for line in open(path)]
    for molecule in molecules:
        molecule["energy_hartree"] = energy(*split(molecule["geometry"]))
    origin = numpy.zeros((1, 3))
    atoms = {symbol: energy([symbol], origin, unpaired=unpaired) for symbol, unpaired in UNPAIRED.items()}
    return {"atoms": atoms, "molecules": molecules}


def main(task, path):
    result = {"energies": energies, "states": states}[task](path)
    molecules = ",\n".join(f"  {json.dumps(molecule)}" for molecule in result.pop("molecules"))
    head = {"origin": f"tblite {version('tblite')}, tests/goldens/simulate_tblite.py", **result}
    lines = "".join(f" {json.dumps(key)}: {json.dumps(value)},\n" for key, value in head.items())
    print(f'{{\n{lines} "molecules": [\n{molecules}\n ]\n}}')


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
