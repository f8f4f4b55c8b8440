#!/usr/bin/env python3
"""Builds campaigns/redoxmers.smi, version 1: 500 molecules of the kinds that are tried as
charge carriers of organic flow batteries in acetonitrile.

    pip install rdkit==2026.9.1
    scripts/build-redoxmers.py campaigns/redoxmers.smi

Each molecule is a redox-active core with one or two substituents. All of them are made, molecules
with more than 20 heavy atoms are left out, and the 500 whose names have the lowest SHA-256 are
kept, so that every core has its share and the choice is the same everywhere. Neutral closed-shell
molecules only: nitroxides are radicals, and viologens are there as bipyridines.
"""

import hashlib
import itertools
import sys

from rdkit import Chem

# SMILES with the places of substituents marked by [*:1], [*:2].
CORES = {
    "p-benzoquinone": "O=C1C=C([*:1])C(=O)C=C1[*:2]",
    "o-benzoquinone": "O=C1C=C([*:1])C=C([*:2])C1=O",
    "naphthoquinone": "O=C1C([*:1])=C([*:2])C(=O)c2ccccc12",
    "phthalimide": "O=C1N([*:1])C(=O)c2ccc([*:2])cc12",
    "phenothiazine": "c1ccc2c(c1)Sc1cc([*:2])ccc1N2[*:1]",
    "phenoxazine": "c1ccc2c(c1)Oc1cc([*:2])ccc1N2[*:1]",
    "dihydrophenazine": "CN1c2ccccc2N([*:1])c2cc([*:2])ccc12",
    "dimethoxybenzene": "COc1cc([*:1])c(OC)cc1[*:2]",
    "diethoxybenzene": "CCOc1cc([*:1])c(OCC)cc1[*:2]",
    "dioxolobenzene": "c1c([*:1])c2OCOc2cc1[*:2]",
    "carbazole": "c1ccc2c(c1)c1cc([*:2])ccc1n2[*:1]",
    "bipyridine": "c1c([*:1])nccc1-c1ccnc([*:2])c1",
    "pyridine": "c1c([*:1])cncc1[*:2]",
    "quinoxaline": "c1ccc2nc([*:1])c([*:2])nc2c1",
    "benzothiadiazole": "c1cc([*:1])c2nsnc2c1[*:2]",
    "azobenzene": "c1cc([*:1])ccc1N=Nc1ccc([*:2])cc1",
    "benzophenone": "O=C(c1ccc([*:1])cc1)c1ccc([*:2])cc1",
    "thianthrene": "c1ccc2c(c1)Sc1cc([*:1])c([*:2])cc1S2",
    "triarylamine": "CN(c1ccc([*:1])cc1)c1ccc([*:2])cc1",
    "tetrazine": "c1([*:1])nnc([*:2])nn1",
}

# Bonded by their first atom.
SUBSTITUENTS = {
    "H": "[H]",
    "methyl": "C",
    "ethyl": "CC",
    "isopropyl": "C(C)C",
    "methoxy": "OC",
    "methoxyethyl": "CCOC",
    "trifluoromethyl": "C(F)(F)F",
    "fluoro": "F",
    "cyano": "C#N",
    "acetyl": "C(C)=O",
    "ester": "C(=O)OC",
    "dimethylamino": "N(C)C",
}

# On nitrogen only carbon: no N-F, N-O or N-N bonds.
ON_NITROGEN = {"H", "methyl", "ethyl", "isopropyl", "methoxyethyl"}
# A hydrogen on these nitrogens would be lost on oxidation.
KEPT_FROM_HYDROGEN = {"phenothiazine", "phenoxazine", "dihydrophenazine", "carbazole"}

MOST_HEAVY_ATOMS = 20
COUNT = 500


def joined(core, first, second):
    """The molecule with both substituents in its core."""
    molecule = Chem.MolFromSmiles(core)
    for label, substituent in ((1, first), (2, second)):
        hydrogen = substituent == "[H]"
        fragment = Chem.Mol() if hydrogen else Chem.MolFromSmiles(substituent)
        both = Chem.RWMol(Chem.CombineMols(molecule, fragment))
        mark = next(a for a in both.GetAtoms() if a.GetAtomMapNum() == label)
        neighbour = mark.GetNeighbors()[0]
        if not hydrogen:
            both.AddBond(neighbour.GetIdx(), molecule.GetNumAtoms(), Chem.BondType.SINGLE)
        both.RemoveAtom(next(a.GetIdx() for a in both.GetAtoms() if a.GetAtomMapNum() == label))
        Chem.SanitizeMol(both)
        molecule = both.GetMol()
    return molecule


def on_nitrogen(core, label):
    molecule = Chem.MolFromSmiles(core)
    mark = next(a for a in molecule.GetAtoms() if a.GetAtomMapNum() == label)
    return mark.GetNeighbors()[0].GetSymbol() == "N"


def molecules():
    """Distinct molecules as pairs of canonical SMILES and name."""
    seen = set()
    for core_name, core in CORES.items():
        for first, second in itertools.product(SUBSTITUENTS, repeat=2):
            if on_nitrogen(core, 1) and first not in ON_NITROGEN:
                continue
            if core_name in KEPT_FROM_HYDROGEN and first == "H":
                continue
            molecule = joined(core, SUBSTITUENTS[first], SUBSTITUENTS[second])
            smiles = Chem.MolToSmiles(molecule)
            # Through SMILES: the same text on every platform.
            smiles = Chem.MolToSmiles(Chem.MolFromSmiles(smiles))
            if smiles in seen or molecule.GetNumHeavyAtoms() > MOST_HEAVY_ATOMS:
                continue
            seen.add(smiles)
            yield smiles, f"{core_name}/{first}/{second}"


def main(target):
    def order(entry):
        return hashlib.sha256(entry[1].encode()).hexdigest()

    chosen = sorted(sorted(molecules(), key=order)[:COUNT], key=lambda entry: entry[1])
    if len(chosen) < COUNT:
        sys.exit(f"only {len(chosen)} molecules")
    with open(target, "w", encoding="ascii", newline="\n") as file:
        file.write("# 500 molecules by scripts/build-redoxmers.py, version 1\n")
        file.writelines(f"{smiles} {name}\n" for smiles, name in chosen)


if __name__ == "__main__":
    main(*sys.argv[1:])
