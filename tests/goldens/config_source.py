#!/usr/bin/env python3
"""Writes config_source.csv: what RDKit makes of the entries of a messy file of SMILES, one row an entry.

Written from the description in docs/campaigns.md, apart from the Rust code. Columns: the SMILES; its class, `error`, `kept`,
or the reason to skip it; its identity, canonical SMILES without stereo and isotopes; the parent of a salt or mixture,
chosen and made neutral by rdMolStandardize; what becomes of that parent, `kept` or the reason to skip it.

    pip install rdkit==2026.9.1
    tests/goldens/config_source.py > tests/goldens/config_source.csv
"""

import csv
import sys

from rdkit import Chem, RDLogger, rdBase
from rdkit.Chem import rdChemReactions
from rdkit.Chem.MolStandardize import rdMolStandardize

ELEMENTS = {"C", "N", "O", "F", "S", "Cl"}
LARGEST = 20
RINGS = {3, 4, 5, 6, 7}
BONDS = {Chem.BondType.SINGLE, Chem.BondType.DOUBLE, Chem.BondType.TRIPLE, Chem.BondType.AROMATIC}

ENTRIES = r"""
CCO OCC C(O)C [CH3][CH2][OH] [H]OC([H])([H])C [2H]OCC [13CH3]CO CC[18OH] [CH3:1][CH2:2][OH:3]
F/C=C/F F/C=C\F FC=CF C[C@H](O)F C[C@@H](O)F CC(O)F N[C@@H](C)C(=O)O N[C@H](C)C(=O)O CC(N)C(=O)O
c1ccccc1 C1=CC=CC=C1 C1=CC=CC=C1C Cc1ccccc1 Oc1ccccn1 O=c1cccc[nH]1 c1ccc2ccccc2c1 c1ccc2cccc2cc1 [nH]1cccc1 n1cccc1 c1ccnc1 c1cc[nH]c1 c1cccc1
CN(=O)=O C[N+](=O)[O-] C[N+]([O-])=O C=[N+]=[N-] [C-]#[N+]C C[N+]#[C-] CS(C)(=O)=O CS(=O)C C[S+](C)[O-] O=S(=O)(O)O FS(F)(F)(F)(F)F
[NH3+]CC(=O)[O-] NCC(=O)O C[N+](C)(C)CC([O-])=O [O-][Cl+3]([O-])([O-])O OCl(=O)(=O)=O
[NH4+] CC(=O)[O-] [Na+] C[N+](C)(C)C c1cc[nH+]cc1 [O-]c1ccccc1 CC[NH3+] [OH-] [H+]
[CH3] [CH2] C[CH]C [O]O CC[O] [N]=O [O][O] O=O [C-]#[O+]
[Na+].[Cl-] CC(=O)[O-].[Na+] CC(=O)O[Na] CC[NH3+].[Cl-] CCN.Cl CCN.OS(=O)(=O)O CC(=O)O.O CCO.O.O C1CC1.c1ccccc1 [K+].[O-]c1ccccc1
C[N+](C)(C)CCO.[Cl-] [Ca+2].CC([O-])=O.CC([O-])=O NCCCCC([NH3+])C(=O)[O-].[Cl-] [NH3+]CCC[NH3+].[Cl-].[Br-] OC(=O)CC(O)(CC([O-])=O)C(O)=O.[Na+] [O-]S(=O)(=O)C.C[NH+](C)C
C[n+]1ccccc1.[I-] [nH+]1cccc1C.[Cl-] C[N+](=O)[O-].O [Fe].CCO CCl.Br O=C([O-])[O-].[Ca+2] [Li]CCCC.CCCCCC C1.C1 C1CC.O1
CCO.CCN CCN.CCO CCS.CCCO CCF.CCO C1CCCCC1.c1ccncc1 c1ccncc1.C1CCCCC1 CCCO.CC(C)O CC(C)O.CCCO CCO.CCCl O=C(O)C(=O)[O-].CC[NH3+] [O-]c1ccc([O-])cc1.[Na+].[K+]
C[N+](C)(C)CC(=O)O.[Cl-] [NH3+]CC(=O)O.[Cl-] C[S+](C)C.[I-] [O-]c1cccc[n+]1C.O C=[NH2+].[Cl-] [nH+]1cccc2ccccc21.[Br-] CC[O-].[Li+] C[NH+](C)CC[NH+](C)C.[Cl-].[Cl-] CC(=O)[O-].CC(=O)[O-].[Mg+2].O.O
*CC [*]CC CC* *.CC [R]CC [X] [1*]CC
C~C C$C N->[Cu] [NH3]->[Pt](<-[NH3])(Cl)Cl CC>>CO CC.O>>CO CC>[Pt]>CO CC>> >>CO >> C>C C>N>O>C
C[Pt]C C[Si](C)(C)C CB(O)O CBr CI CP(C)C [He] [Xe] F[Xe]F
ClCl ClCl(C)C CC(C)(C)(C)C C(F)(F)(F)(F)F N(C)(C)(C)C C=C=C=C O=O=O C#C#C
CCCCCCCCCCCCCCCCCCCC CCCCCCCCCCCCCCCCCCCCC C1CCCCCCC1 C1CCCCCC1 C1CC2CCC1C2 C12C3C4C1C5C2C3C45 C1CCCCCCCCC1
[H][H] [H]Cl Cl O N F S [H]O[H] [2H]O[2H] [HH] C [CH4] [C]
CC(C C1CC CC) C(C)) c1ccccc ethanol CCX NaCl H2O C=C=C= =C C==C CC[ CC] [CCO C%1 C() (C) C..C .C C. CC- 1CC [C@@@H](F)Cl C1CC2 C11 C=1CC-1 Q J A
"""


def outside(molecule):
    """Why a molecule of one piece is not in the search space."""
    heavy = [atom for atom in molecule.GetAtoms() if atom.GetAtomicNum() > 1]
    if any(atom.GetSymbol() not in ELEMENTS for atom in heavy):
        return "other element"
    if Chem.GetFormalCharge(molecule):
        return "charged"
    if any(atom.GetNumRadicalElectrons() for atom in molecule.GetAtoms()):
        return "radical"
    if not heavy:
        return "without heavy atoms"
    if len(heavy) > LARGEST:
        return "too large"
    rings = molecule.GetRingInfo()
    sizes = {rings.MinBondRingSize(bond.GetIdx()) for bond in molecule.GetBonds()}
    return "other ring size" if sizes - {0} - RINGS else "kept"


def identity(molecule):
    molecule = Chem.Mol(molecule)
    for atom in molecule.GetAtoms():
        atom.SetIsotope(0)
        atom.SetAtomMapNum(0)
    flat = Chem.MolToSmiles(molecule, isomericSmiles=False)
    return Chem.MolToSmiles(Chem.MolFromSmiles(flat), isomericSmiles=False)


def is_hydrogen_halide(molecule):
    return Chem.MolToSmiles(molecule) in {"F", "Cl", "Br", "I"}


def parent(molecule):
    parameters = rdMolStandardize.CleanupParameters()
    parameters.preferOrganic = True
    parameters.largestFragmentChooserCountHeavyAtomsOnly = True
    largest = rdMolStandardize.LargestFragmentChooser(parameters).choose(molecule)
    if not any(atom.GetSymbol() == "C" for atom in largest.GetAtoms()):
        return None
    if Chem.GetFormalCharge(largest):
        largest = rdMolStandardize.Uncharger().uncharge(largest)
    return Chem.MolFromSmiles(Chem.MolToSmiles(largest))


def parsed(smiles):
    """A molecule without CXSMILES extensions or a name."""
    parameters = Chem.SmilesParserParams()
    parameters.allowCXSMILES = False
    parameters.parseName = False
    parameters.sanitize = False
    parameters.removeHs = False
    return Chem.MolFromSmiles(smiles, parameters)


def is_reaction(smiles):
    if smiles.count(">") - smiles.count("->") != 2 or smiles == ">>":
        return False
    try:
        rdChemReactions.ReactionFromSmarts(smiles, useSmiles=True)
        return True
    except ValueError:
        return False


def judge(smiles):
    raw = parsed(smiles)
    if raw is None or raw.GetNumAtoms() == 0:
        return ("reaction" if is_reaction(smiles) else "error", "", "", "")
    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        return "impossible valence", "", "", ""
    if any(atom.GetAtomicNum() == 0 for atom in molecule.GetAtoms()):
        return "wildcard", "", "", ""
    if any(bond.GetBondType() not in BONDS for bond in molecule.GetBonds()):
        return "unusual bond", "", "", ""
    pieces = Chem.GetMolFrags(molecule, asMols=True)
    if len(pieces) == 1:
        found = outside(molecule)
        return found, identity(molecule) if found == "kept" else "", "", ""
    is_salt = any(Chem.GetFormalCharge(piece) or is_hydrogen_halide(piece) for piece in pieces)
    found = "salt" if is_salt else "mixture"
    largest = parent(molecule)
    if largest is None:
        return found, "", "", found
    return found, "", identity(largest), outside(largest)


def main():
    RDLogger.DisableLog("rdApp.*")
    if rdBase.rdkitVersion != "2026.09.1":
        sys.exit(f"this is RDKit {rdBase.rdkitVersion}, not 2026.09.1")
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["smiles", "class", "identity", "parent", "class_of_parent"])
    for smiles in ENTRIES.split():
        out.writerow([smiles, *judge(smiles)])


if __name__ == "__main__":
    main()
