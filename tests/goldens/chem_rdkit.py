#!/usr/bin/env python3
"""Writes chem_rdkit.csv: canonical SMILES and Morgan bits (radius 3, 2048 bits) from RDKit.

    pip install rdkit==2026.9.1
    tests/goldens/chem_rdkit.py data/qm9.csv.gz > tests/goldens/chem_rdkit.csv
"""

import gzip
import sys

from rdkit import Chem, rdBase
from rdkit.Chem import rdFingerprintGenerator

# Aromatic nitrogen, fused and spiro rings, zwitterions, stereo, charges, radicals, larger elements, free atoms.
ODD = """
c1ccccc1 C1=CC=CC=C1 c1cc[nH]c1 Cn1cccc1 c1ccncc1 c1cnc[nH]1 c1ncncn1 c1ccc2[nH]ccc2c1 c1ccc2ccccc2c1 c1ccc2ncccc2c1
O=c1cc[nH]cc1 O=C1C=CNC=C1 c1ccoc1 c1ccsc1 c1cnoc1 c1nnn[nH]1 c1ccc2c(c1)Cc1ccccc1-2 C1CC2CCC1C2 C1CC12CC2 C12C3C4C1C5C2C3C45
[NH3+]CC([O-])=O C[N+](=O)[O-] C[N+]([O-])=O CC#[N+][O-] [C-]#[N+]C C[N+](C)(C)C [NH4+] [OH-] C[O-] [H+] [N-]=[N+]=NC C=[N+]=[N-]
C[C@H](N)C(=O)O C[C@@H](N)C(=O)O F/C=C/F F/C=C\\F C/C=C/C C1C[C@@H]2CC[C@H]1O2 N[C@@H](Cc1ccccc1)C(=O)O
[CH3] [CH2] C[CH]C [O][O] [C] [H] [N] [O] [F] [H][H] [2H]C([2H])[2H] [13CH4] N O F C
CS(=O)(=O)C CS(C)=O OP(=O)(O)O ClC(Cl)Cl BrBr II FB(F)F [SiH4] C[Si](C)(C)C S=C=S O=C=O [C-]#[O+] C#N N#N O=O
CC(=O)Oc1ccccc1C(=O)O CN1C=NC2=C1C(=O)N(C(=O)N2C)C CC(C)Cc1ccc(cc1)C(C)C(=O)O C1=CC2=CC=CC=CC2=C1 c1cc2cccc3CCc(c1)c23
N1C=CC=C1 O1C=CC=C1 C1=CN=CN=C1 N1C=NC=C1 CN1C=CC(=O)C=C1 O=C1NC=CC(=O)N1 Nc1ncnc2[nH]cnc12 C1#CCCCCCC1 C=C=C C=C=C=C
""".split()


def main(qm9):
    with gzip.open(qm9, "rt") as text:
        lines = text.read().splitlines()[1:]
    sample = [line.split(",")[1] for line in lines[::218]]
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=3, fpSize=2048)
    print(f"# RDKit {rdBase.rdkitVersion}, tests/goldens/chem_rdkit.py")
    print("smiles,canonical,morgan_bits")
    for smiles in ODD + sample:
        molecule = Chem.MolFromSmiles(smiles)
        bits = " ".join(map(str, generator.GetFingerprint(molecule).GetOnBits()))
        print(f"{smiles},{Chem.MolToSmiles(molecule)},{bits}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
