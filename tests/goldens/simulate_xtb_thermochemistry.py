#!/usr/bin/env python3
"""Zero-point energies, enthalpies and Gibbs energies with GFN2-xTB at 298.15 K and 1 atm, for tests/simulate/xtb_states.rs.

    pip install tblite==0.8.0 ase==3.29.0 scipy==1.17.1
    tests/goldens/simulate_xtb_thermochemistry.py > tests/goldens/simulate_xtb_thermochemistry.json

Energies and gradients by tblite, relaxed by SciPy, Hessian from differences of gradients, thermochemistry by ASE's
IdealGasThermo with the symmetry number of the point group.
"""

import json
from importlib.metadata import version

import numpy
from ase import Atoms, units
from ase.thermochemistry import IdealGasThermo
from scipy.optimize import minimize
from tblite.interface import Calculator

STEP = 0.005  # bohr
DALTON = 1822.888486209
# SMILES, guess in angstrom, charge, unpaired electrons, symmetry number, shape.
MOLECULES = [
    ("O", "O 0 0 0.12; H 0 0.77 -0.46; H 0 -0.77 -0.46", 0, 0, 2, "nonlinear"),
    ("N", "N 0 0 0.1; H 0.94 0 -0.27; H -0.47 0.814 -0.27; H -0.47 -0.814 -0.27", 0, 0, 3, "nonlinear"),
    ("C(=O)=O", "C 0 0 0; O 0 0 1.15; O 0 0 -1.15", 0, 0, 2, "linear"),
    ("C#N", "C 0 0 0; N 0 0 1.15; H 0 0 -1.07", 0, 0, 1, "linear"),
    ("[CH3]", "C 0 0 0; H 1.08 0 0; H -0.54 0.935 0; H -0.54 -0.935 0", 0, 1, 6, "nonlinear"),
    ("[NH4+]", "N 0 0 0; H 0.6 0.6 0.6; H 0.6 -0.6 -0.6; H -0.6 0.6 -0.6; H -0.6 -0.6 0.6", 1, 0, 12, "nonlinear"),
]


def row(smiles, guess, charge, unpaired, symmetry, shape):
    lines = [line.split() for line in guess.split(";")]
    atoms = Atoms([line[0] for line in lines], [[float(x) for x in line[1:]] for line in lines])

    def point(positions):
        calculator = Calculator("GFN2-xTB", atoms.numbers, positions.reshape(-1, 3), charge=charge, uhf=unpaired)
        calculator.set("verbosity", 0)
        calculator.set("accuracy", 0.01)
        result = calculator.singlepoint()
        return float(result.get("energy")), result.get("gradient").ravel()

    relaxed = minimize(point, atoms.positions.ravel() / units.Bohr, jac=True, method="BFGS", options={"gtol": 1e-6}).x
    size = len(relaxed)
    hessian = numpy.array([(point(relaxed + step)[1] - point(relaxed - step)[1]) / (2 * STEP) for step in STEP * numpy.eye(size)])
    weights = numpy.sqrt(numpy.repeat(atoms.get_masses(), 3) * DALTON)
    curvatures = numpy.linalg.eigvalsh((hessian + hessian.T) / 2 / numpy.outer(weights, weights))
    quanta = numpy.sqrt(curvatures[-(size - (5 if shape == "linear" else 6)) :]) * units.Hartree
    atoms.positions = relaxed.reshape(-1, 3) * units.Bohr
    energy = point(relaxed)[0]
    thermo = IdealGasThermo(quanta, shape, potentialenergy=energy * units.Hartree, atoms=atoms, symmetrynumber=symmetry, spin=unpaired / 2)
    return {
        "smiles": smiles,
        "geometry": [[symbol, list(position)] for symbol, position in zip(atoms.symbols, atoms.positions)],
        "energy": energy,
        "zpe": float(sum(quanta) / 2 / units.Hartree),
        "enthalpy": thermo.get_enthalpy(298.15, verbose=False) / units.Hartree,
        "gibbs": thermo.get_gibbs_energy(298.15, 101325.0, verbose=False) / units.Hartree,
    }


def main():
    rows = ",\n".join(f"  {json.dumps(row(*molecule), default=float)}" for molecule in MOLECULES)
    packages = ", ".join(f"{name} {version(name)}" for name in ("tblite", "ase", "scipy"))
    origin = json.dumps(f"{packages}, tests/goldens/simulate_xtb_thermochemistry.py")
    print(f'{{\n "origin": {origin},\n "molecules": [\n{rows}\n ]\n}}')


if __name__ == "__main__":
    main()
