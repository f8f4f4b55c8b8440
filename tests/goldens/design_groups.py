"""Writes design_groups.json: the atom-centred groups of some molecules, from RDKit's atoms and bonds.

One group for each heavy atom: `[<symbol>D<degree>]`, then its sorted neighbour tokens `<bond>[<symbol>D<degree>]`, all but
the last in parentheses; the bond is nothing for single, `=`, `#`, or `:` for aromatic.
Needs rdkit 2026.9.1. Run: python design_groups.py > design_groups.json
"""

import json
import sys

import rdkit
from rdkit import Chem

BONDS = {
    Chem.BondType.SINGLE: "", Chem.BondType.DOUBLE: "=", Chem.BondType.TRIPLE: "#", Chem.BondType.AROMATIC: ":",
}
MOLECULES = dict(
    acetamide="CC(N)=O", methane="C", acetonitrile="CC#N", benzene="c1ccccc1", imidazole="c1c[nH]cn1",
    furfural="O=Cc1ccco1", tetrafluoromethane="FC(F)(F)F", cubane="C12C3C4C1C5C2C3C45", glycine_zwitterion="[NH3+]CC(=O)[O-]",
    carbon_dioxide="O=C=O", dicyanodiacetylene="N#CC#CC#CC#N", neopentane="CC(C)(C)C",
)


def token(atom):
    return f"[{atom.GetSymbol()}D{atom.GetDegree()}]"


def group(atom):
    neighbours = sorted(BONDS[bond.GetBondType()] + token(bond.GetOtherAtom(atom)) for bond in atom.GetBonds())
    return token(atom) + "".join(f"({n})" for n in neighbours[:-1]) + "".join(neighbours[-1:])


json.dump(
    dict(
        origin=f"rdkit {rdkit.__version__}, design_groups.py",
        molecules=[
            dict(name=name, smiles=smiles, groups=[group(a) for a in Chem.MolFromSmiles(smiles).GetAtoms()])
            for name, smiles in MOLECULES.items()
        ],
    ),
    sys.stdout,
    indent=1,
)
print()
