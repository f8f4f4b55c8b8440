#!/usr/bin/env python3
"""Writes chem_crossover.json: all children of pairs of molecules, for all cuts of both, by RDKit.

Written from the description of the crossover in words, apart from the Rust code: it edits RDKit molecules.

    pip install rdkit==2026.9.1
    tests/goldens/chem_crossover.py > tests/goldens/chem_crossover.json
"""

import itertools
import json

from rdkit import Chem, RDLogger, rdBase

from chem_actions import ORDERS, finish

MOST = 9
PAIRS = """
CC CC | CCO CCN | CC(=O)O CCCC | CCCCCCC CC(C)N | C=CC C#CCO | C1CC1 C1CCC1 | C1CC1C C1OC1C | C1CCC1=O C1CNC1 | C1C=CC1 C1C=CCC1
C1CC2CC1C2 C1CCCC1 | C1CC12CO2 OC1CC1C=O | c1ccccc1 C1CCCCC1 | Cc1ccccc1 CCO | c1ccncc1 C1CC1 | CC(C)(C)C CC#N | O=C=O CCO
C1C2C1N2 C1CO1 | CC(=NO)C#N NC(=O)C1CO1 | C[N+](C)(C)CC([O-])=O CCO | CCCCCCCCC CCCCCCCCC | C C
"""


def cuts(molecule):
    """A single bond outside of rings, or two bonds of a ring, without which there are two pieces."""
    bonds = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in molecule.GetBonds()]
    for size in (1, 2):
        for removed in itertools.combinations(bonds, size):
            cut = [molecule.GetBondBetweenAtoms(*ends) for ends in removed]
            orders = [int(bond.GetBondTypeAsDouble()) for bond in cut]
            if size == 1 and orders != [1] or size == 2 and not all(bond.IsInRing() for bond in cut):
                continue
            rest = Chem.RWMol(molecule)
            for ends in removed:
                rest.RemoveBond(*ends)
            pieces = Chem.GetMolFrags(rest)
            if len(pieces) != 2 or any((a in pieces[0]) == (b in pieces[0]) for a, b in removed):
                continue
            for piece in pieces:
                yield rest, piece, [a if a in piece else b for a, b in removed], orders


def children(first, second, found):
    one, piece, ends, orders = first
    other, other_piece, other_ends, other_orders = second
    if len(ends) != len(other_ends) or len(piece) + len(other_piece) > MOST:
        return
    offset = one.GetNumAtoms()
    kept = set(piece) | {atom + offset for atom in other_piece}
    for pairing in itertools.permutations(range(len(ends))):
        new = [(ends[i], other_ends[j] + offset) for i, j in enumerate(pairing)]
        if len(set(new)) < len(new):
            continue
        child = Chem.RWMol(Chem.CombineMols(one, other))
        for (a, b), i, j in zip(new, itertools.count(), pairing):
            child.AddBond(a, b, ORDERS[min(orders[i], other_orders[j])])
        for atom in reversed(range(child.GetNumAtoms())):
            if atom not in kept:
                child.RemoveAtom(atom)
        finish(child, found)


def main():
    RDLogger.DisableLog("rdApp.*")
    cases = []
    for pair in PAIRS.replace("\n", "|").split("|"):
        if not pair.strip():
            continue
        parents = [Chem.MolFromSmiles(smiles) for smiles in pair.split()]
        for parent in parents:
            Chem.Kekulize(parent, clearAromaticFlags=True)
        found = set()
        for first, second in itertools.product(*map(list, map(cuts, parents))):
            children(first, second, found)
        cases.append({"parents": pair.split(), "children": sorted(found)})
    origin = f"RDKit {rdBase.rdkitVersion}, tests/goldens/chem_crossover.py"
    print(json.dumps({"origin": origin, "max_heavy_atoms": MOST, "cases": cases}, indent=1))


if __name__ == "__main__":
    main()
