#!/usr/bin/env python3
"""Writes chem_actions.json: the action set of MolDQN for 50 states, by RDKit.

Written from the description of the action set in words, apart from the Rust code: it edits RDKit molecules.

    pip install rdkit==2026.9.1
    tests/goldens/chem_actions.py > tests/goldens/chem_actions.json
"""

import itertools
import json

from rdkit import Chem, RDLogger, rdBase

VALENCE = {"C": 4, "N": 3, "O": 2, "F": 1}
ORDERS = {1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE, 3: Chem.BondType.TRIPLE}

STATES = """
C N O F CC CO C=O C#N C=C C#C FF O=C=O CN=O OO NN C=CC=C C1CC1 C1CCC1 C1CCCCC1 CC(=O)N CC(C)(C)C CCCCCCCCC N#CC#CC#CC#N
c1ccccc1 Cc1ccccc1 c1ccncc1 c1cc[nH]c1 c1cnc[nH]1 c1ccoc1 Oc1ccco1 c1ncncn1 Cn1cccc1 C=Cc1ccno1 N#Cc1cc[nH]c1
C1CC2CC1C2 C1C2CC12 C1CC12CO2 C12C3C4C1C5C2C3C45 C1=CC=C2C=CC2=C1 OC1CC1C=O CC1OC1C#C NC(=O)C1CO1 O=C1CCC1=O C1C2OC2N1
[NH3+]CC([O-])=O C[N+](C)(C)CC([O-])=O C[NH+]=C[O-] CC(=NO)C#N N=C1OC=NN1 CC(C)=O
""".split()
RULES = [
    {"elements": ["C", "N", "O", "F"], "max_heavy_atoms": 9, "allowed_ring_sizes": [3, 4, 5, 6]},
    {"elements": ["O", "C"], "max_heavy_atoms": 8, "allowed_ring_sizes": [5, 6]},
]


def finish(editable, found):
    """Keeps what sanitises as one piece, and drops a lone uncharged atom; radicals are not wanted."""
    molecule = editable.GetMol()
    if Chem.SanitizeMol(molecule, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
        return
    pieces = Chem.MolToSmiles(molecule).split(".")
    lone = [piece for piece in pieces if piece in VALENCE]
    if len(pieces) == 1:
        keep = pieces
    elif len(pieces) == 2 and lone:
        # Of two lone atoms either may be the one that is dropped.
        keep = pieces if len(lone) == 2 else [piece for piece in pieces if piece not in VALENCE]
    else:
        return
    for smiles in keep:
        piece = Chem.MolFromSmiles(smiles)
        if piece is not None and not any(atom.GetNumRadicalElectrons() for atom in piece.GetAtoms()):
            found.add(Chem.MolToSmiles(piece))


def successors(smiles, rules):
    state = Chem.MolFromSmiles(Chem.MolToSmiles(Chem.MolFromSmiles(smiles), isomericSmiles=False))
    kekulised = Chem.RWMol(state)
    Chem.Kekulize(kekulised, clearAromaticFlags=True)
    free = [atom.GetNumImplicitHs() for atom in state.GetAtoms()]
    found = set()

    def edited(edit):
        editable = Chem.RWMol(kekulised)
        edit(editable)
        finish(editable, found)

    if state.GetNumAtoms() < rules["max_heavy_atoms"]:
        for index, (element, order) in itertools.product(range(len(free)), itertools.product(rules["elements"], ORDERS)):
            if order <= min(free[index], VALENCE[element]):
                def add(mol):
                    mol.AddBond(index, mol.AddAtom(Chem.Atom(element)), ORDERS[order])
                edited(add)
    for a, b in itertools.combinations(range(len(free)), 2):
        bond = state.GetBondBetweenAtoms(a, b)
        if bond is not None and bond.GetIsAromatic():
            continue
        for more in range(1, min(3, free[a], free[b]) + 1):
            if bond is None:
                if len(Chem.GetShortestPath(state, a, b)) in rules["allowed_ring_sizes"]:
                    edited(lambda mol: mol.AddBond(a, b, ORDERS[more]))
            elif bond.GetBondTypeAsDouble() + more <= 3:
                order = ORDERS[int(bond.GetBondTypeAsDouble()) + more]
                edited(lambda mol: mol.GetBondBetweenAtoms(a, b).SetBondType(order))
    for bond in state.GetBonds():
        if bond.GetIsAromatic():
            continue
        a, b, old = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), int(bond.GetBondTypeAsDouble())
        for order in range(1, old):
            edited(lambda mol: mol.GetBondBetweenAtoms(a, b).SetBondType(ORDERS[order]))
        edited(lambda mol: mol.RemoveBond(a, b))
    return sorted(found)


def write(script, name, molecules):
    """Prints the cases, each with the `molecules` of its state and rules under this name."""
    RDLogger.DisableLog("rdApp.*")
    cases = [
        {"state": state, "rules": number % len(RULES) if number % 3 == 0 else 0}
        for number, state in enumerate(STATES)
    ]
    for case in cases:
        case[name] = molecules(case["state"], RULES[case["rules"]])
    origin = f"RDKit {rdBase.rdkitVersion}, tests/goldens/{script}"
    print(json.dumps({"origin": origin, "rules": RULES, "cases": cases}, indent=1))


if __name__ == "__main__":
    write("chem_actions.py", "successors", successors)
