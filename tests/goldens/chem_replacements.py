#!/usr/bin/env python3
"""Writes chem_replacements.json: the molecules in which one atom of a state has become one of another element, by RDKit.

Written from the description of the edit in words, apart from the Rust code: it edits RDKit molecules. The states are those
of chem_actions.py.

    pip install rdkit==2026.9.1
    tests/goldens/chem_replacements.py > tests/goldens/chem_replacements.json
"""

from rdkit import Chem

from chem_actions import VALENCE, finish, write


def replacements(smiles, rules):
    """An uncharged atom becomes one of another element that can form its bonds in the Kekule structure."""
    state = Chem.MolFromSmiles(Chem.MolToSmiles(Chem.MolFromSmiles(smiles), isomericSmiles=False))
    Chem.Kekulize(state, clearAromaticFlags=True)
    found = set()
    for atom in state.GetAtoms():
        bonds = sum(bond.GetBondTypeAsDouble() for bond in atom.GetBonds())
        for element in rules["elements"]:
            if atom.GetFormalCharge() != 0 or atom.GetSymbol() == element or bonds > VALENCE[element]:
                continue
            editable = Chem.RWMol(state)
            changed = editable.GetAtomWithIdx(atom.GetIdx())
            changed.SetAtomicNum(Chem.GetPeriodicTable().GetAtomicNumber(element))
            changed.SetNumExplicitHs(0)
            changed.SetNoImplicit(False)
            finish(editable, found)
    return sorted(found)


if __name__ == "__main__":
    write("chem_replacements.py", "replacements", replacements)
