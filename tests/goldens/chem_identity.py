#!/usr/bin/env python3
"""Writes chem_identity.csv: spellings of molecules, with RDKit's canonical SMILES without and with stereo and isotopes.

    pip install rdkit==2026.9.1
    tests/goldens/chem_identity.py > tests/goldens/chem_identity.csv
"""

from rdkit import Chem, rdBase

SMILES = r"""
C[C@H](O)F C[C@@H](O)F CC(O)F [13CH3]O CO [2H]C [2H]O[2H] [2H]C([2H])([2H])O [13CH4] [18OH2] C/C=C/C C/C=C\C CC=CC
F/C=C/F F/C=C\F C1C[C@@H]2CC[C@H]1O2 C[C@H](N)C(=O)O N[C@@H](Cc1ccccc1)C(=O)O O[C@@H]1[C@H](O)CCCC1 O[C@H]1[C@H](O)CCCC1
C[C@@H]1C[C@H]1C C[S@](=O)CC C[S@@](=O)CC [13cH]1ccccc1 [15nH]1cccc1 [NH3+][C@@H](C)C(=O)[O-] C[N+](=O)[O-] CN(=O)=O
[CH3:1][OH:2] [CH3:7]O [cH:1]1[cH:2][cH:3][cH:4][cH:5][cH:6]1 [C@@H:1](F)(Cl)[Br:2] [nH:1]1cccc1 OC(=O)/C=C/C(=O)O
OC(=O)\C=C/C(O)=O [H]C([H])([H])O [H]OC [2H]c1ccccc1 C[C@]12CC[C@H](C1)CC2 C/C(F)=C(/C)F N[C@H]1CC[C@@H](O)CC1
[2H]/C=C/C [13CH3]C [12CH3]C C/N=C/C C/C=N/O C/C=N\O C[C@H]1CO1 [C@](C)(N)(O)F CC(N)(O)F
""".split()


def reduced(molecule, isomeric):
    molecule = Chem.Mol(molecule)
    for atom in molecule.GetAtoms():
        atom.SetAtomMapNum(0)
        if not isomeric:
            atom.SetIsotope(0)
    if not isomeric:
        Chem.RemoveStereochemistry(molecule)
    # Read again, so that a hydrogen without its isotope is an ordinary one.
    return Chem.MolToSmiles(Chem.MolFromSmiles(Chem.MolToSmiles(molecule)))


def main():
    print(f"# RDKit {rdBase.rdkitVersion}, tests/goldens/chem_identity.py")
    print("smiles,ignore,keep")
    for smiles in SMILES:
        molecule = Chem.MolFromSmiles(smiles)
        spellings = [smiles, *(Chem.MolToSmiles(molecule, doRandom=True) for _ in range(3))]
        for spelling in dict.fromkeys(spellings):
            print(f"{spelling},{reduced(molecule, False)},{reduced(molecule, True)}")


if __name__ == "__main__":
    Chem.rdBase.SeedRandomNumberGenerator(1)
    main()
