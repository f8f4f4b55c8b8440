#!/usr/bin/env python3
"""Writes simulate_conformers.json: the lowest GFN2-xTB energy of twenty conformers, by RDKit and tblite.

Molecules that RDKit cannot embed at least every other time are left out. Each conformer is an ETKDG (version 3) embedding relaxed with MMFF94; its energy is tblite's. Nothing of moldflow takes part.

    pip install rdkit==2026.9.1 tblite==0.8.0
    tests/goldens/simulate_conformers.py data/qm9.csv.gz > tests/goldens/simulate_conformers.json
"""

import gzip
import json
import sys
from importlib.metadata import version

import numpy
from rdkit import Chem, rdBase
from rdkit.Chem import AllChem
from tblite.interface import Calculator

BOHR = 0.529177210903  # angstrom, CODATA 2018
CONFORMERS = 20
# Two for which one embedding was far off, and open chains, rings and double bonds with unspecified stereo.
CHOSEN = "CC1C2C(O)C(C#N)C12 C#CC12CC1C1C2N1C OC12C3CC3C1NC2=O CC(O)F CC=CC OC1CCCCC1O NCCCO".split()


def energies(smiles):
    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    numbers = numpy.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()])
    for number in range(CONFORMERS):
        parameters = AllChem.ETKDGv3()
        parameters.randomSeed = 7 + 104729 * number
        if AllChem.EmbedMolecule(molecule, parameters) < 0:
            continue
        AllChem.MMFFOptimizeMolecule(molecule, mmffVariant="MMFF94", maxIters=2000)
        positions = molecule.GetConformer().GetPositions() / BOHR
        calculator = Calculator("GFN2-xTB", numbers, positions)
        calculator.set("verbosity", 0)
        yield float(calculator.singlepoint().get("energy"))


def main(qm9):
    with gzip.open(qm9, "rt") as text:
        lines = text.read().splitlines()[1:]
    sample = [line.split(",")[1] for line in lines[1000::4000]]
    found = ((smiles, list(energies(smiles))) for smiles in CHOSEN + sample)
    rows = [{"smiles": smiles, "lowest_hartree": round(min(all), 7)} for smiles, all in found if 2 * len(all) >= CONFORMERS]
    origin = f"RDKit {rdBase.rdkitVersion}, tblite {version('tblite')}, tests/goldens/simulate_conformers.py"
    text = ",\n".join(f"  {json.dumps(row)}" for row in rows)
    print(f'{{\n "origin": {json.dumps(origin)},\n "molecules": [\n{text}\n ]\n}}')


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
