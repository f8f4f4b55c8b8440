#!/usr/bin/env python3
"""Writes chem_depiction.csv: bonds, number of their lines, and labelled atoms of drawings by RDKit.

    pip install rdkit==2026.9.1
    tests/goldens/chem_depiction.py tests/goldens/chem_rdkit.csv > tests/goldens/chem_depiction.csv

The molecules are the canonical ones of chem_rdkit.csv. A bond is drawn by paths of the class
`bond-N atom-A atom-B`, the letters of an atom by paths of the class `atom-A` alone.
"""

import re
import sys

from rdkit import Chem, rdBase
from rdkit.Chem.Draw import rdMolDraw2D


def main(golden):
    print(f"# RDKit {rdBase.rdkitVersion}, tests/goldens/chem_depiction.py")
    print("smiles,bonds,lines,labelled_atoms")
    with open(golden) as lines:
        smiles = list(dict.fromkeys(line.split(",")[1] for line in list(lines)[2:]))
    for text in smiles:
        drawer = rdMolDraw2D.MolDraw2DSVG(220, 150)
        drawer.DrawMolecule(Chem.MolFromSmiles(text))
        drawer.FinishDrawing()
        svg = drawer.GetDrawingText()
        drawn = re.findall(r"class='bond-\d+ atom-(\d+) atom-(\d+)'", svg)
        atoms = set(re.findall(r"class='atom-(\d+)'", svg))
        pairs = sorted(sorted(map(int, pair)) for pair in set(drawn))
        bonds = " ".join(f"{a}-{b}" for a, b in pairs)
        # A wedge of a stereocentre has as many lines as its length holds.
        lines = "" if "@" in text else len(drawn)
        print(f"{text},{bonds},{lines},{' '.join(map(str, sorted(map(int, atoms))))}")


if __name__ == "__main__":
    main(sys.argv[1])
