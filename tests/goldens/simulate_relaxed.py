#!/usr/bin/env python3
"""Writes simulate_relaxed.json: GFN2-xTB energies, relaxed with GFN2-xTB, of molecules that MMFF94 has no parameters for.

Embedded by RDKit, energies and gradients by tblite, relaxed by SciPy; the lowest of five. Nothing of moldflow takes part.

    pip install rdkit==2026.9.1 tblite==0.8.0 scipy==1.16.3
    tests/goldens/simulate_relaxed.py > tests/goldens/simulate_relaxed.json
"""

import json
from importlib.metadata import version

import numpy
from rdkit import Chem, rdBase
from rdkit.Chem import AllChem
from scipy.optimize import minimize
from tblite.interface import Calculator

BOHR = 0.529177210903  # angstrom, CODATA 2018
SMILES = "OB(O)C CB(C)C OB(O)c1ccccc1 F Cl Br [C-]#[O+] O=O FS(F)(F)(F)(F)F".split()


def relaxed(smiles, seed):
    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    AllChem.EmbedMolecule(molecule, randomSeed=seed, useRandomCoords=True)
    numbers = numpy.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()])

    def energy_and_gradient(positions):
        calculator = Calculator("GFN2-xTB", numbers, positions.reshape(-1, 3))
        calculator.set("verbosity", 0)
        try:
            result = calculator.singlepoint()
        except RuntimeError:  # A step of the line search went too far: worse than any bound molecule.
            return 0.0, numpy.zeros_like(positions)
        return result.get("energy"), result.get("gradient").ravel()

    start = molecule.GetConformer().GetPositions() / BOHR
    found = minimize(energy_and_gradient, start.ravel(), jac=True, method="BFGS", options={"gtol": 1e-4})
    return float(found.fun)


def main():
    rows = [{"smiles": s, "energy_hartree": round(min(relaxed(s, seed) for seed in range(1, 6)), 6)} for s in SMILES]
    packages = ", ".join(f"{name} {version(name)}" for name in ("tblite", "scipy"))
    origin = f"RDKit {rdBase.rdkitVersion}, {packages}, tests/goldens/simulate_relaxed.py"
    text = ",\n".join(f"  {json.dumps(row)}" for row in rows)
    print(f'{{\n "origin": {json.dumps(origin)},\n "molecules": [\n{text}\n ]\n}}')


if __name__ == "__main__":
    main()
