#!/usr/bin/env python3
"""Writes chem_rings.csv: the sizes of the rings in the smallest set of smallest rings, by RDKit.

The molecules are each 250th of QM9, and some in which every bond of a ring is in a smaller ring too.

    pip install rdkit==2026.9.1
    tests/goldens/chem_rings.py data/qm9.csv.gz > tests/goldens/chem_rings.csv
"""

import gzip
import sys

from rdkit import Chem, rdBase

HARD = """
CCO C1CC2CCC1C2 C12C3C4C1C5C2C3C45 C1CCCCCCC1 C1C2CC3CC1CC(C2)C3 C12C3C1C23 C1CC2CC2C1 C1C2CC1CC2 c1ccc2ccccc2c1 C1CC12CC2
C1C2C1C1CC1C1CC1C1CC21 C12C3C1C1C3C21 C1CCC2(CC1)CCCCC2 C1CC1C1CCC1 O1C2C1C1OC1C1OC1C1OC21 C1C2C1C1C(C1)C1C2C1
""".split()


def main(qm9):
    with gzip.open(qm9, "rt") as text:
        lines = text.read().splitlines()[1:]
    print(f"# RDKit {rdBase.rdkitVersion}, tests/goldens/chem_rings.py")
    print("smiles,sizes")
    for smiles in HARD + [line.split(",")[1] for line in lines[::250]]:
        sizes = {len(ring) for ring in Chem.GetSSSR(Chem.MolFromSmiles(smiles))}
        print(f"{smiles},{' '.join(map(str, sorted(sizes)))}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
