#!/usr/bin/env python3
"""Writes chem_smarts.csv: the patterns that molecules have, from RDKit.

    pip install rdkit==2026.9.1
    tests/goldens/chem_smarts.py > tests/goldens/chem_smarts.csv
"""

from rdkit import Chem, rdBase

PATTERNS = """
[OX2H] [#6][OX2][#6] C=O [CX3](=O)[OX2H1] [NX3;H2] [N+](=O)[O-] c1ccccc1 [r3] [R2] [D4] [!#6;!#1] C#C C#N O-O N-N [F,Cl,Br,I]
[$([NX3](C)C),$([NX3H]C)] a [nH] [CH3] [#8]~[#6]~[#8] *1~*~*~*~1 [x3] [v3] [X4] C(=O)N [CX4;!$(C[OH])] [C@H] C/C=C/C [+1] [OD2]
""".split()

MOLECULES = """
C CO CCO COC C=O CC=O CC(=O)O CC(=O)OC CC(N)=O CNC CN(C)C NCC C[N+](=O)[O-] c1ccccc1 c1ccncc1 c1cc[nH]c1 C1CC1 C1CCC1 C1CO1
C1CC2CCC1C2 C12CC1C2 C#C CC#N OO COO NN CNN FC ClC(Cl)Cl BrCC=C Oc1ccc(N)cc1 OC(=O)c1ccccc1 C[C@H](N)C(=O)O C/C=C/C C/C=C\\C
C[N+](C)(C)C [NH3+]CC([O-])=O O=C1CCC1 O=C1NC=CC(=O)N1 CC(C)(C)C CS(C)(=O)=O OCC(O)CO N#CC=C C1=CC=CC=CC=C1 Cn1cnc2c1c(=O)[nH]c(=O)n2C
""".split()


def main():
    print(f"# RDKit {rdBase.rdkitVersion}, tests/goldens/chem_smarts.py")
    print("pattern," + ",".join(MOLECULES))
    for pattern in PATTERNS:
        query = Chem.MolFromSmarts(pattern)
        has = [int(Chem.MolFromSmiles(smiles).HasSubstructMatch(query)) for smiles in MOLECULES]
        print('"' + pattern + '",' + ",".join(map(str, has)))


if __name__ == "__main__":
    main()
