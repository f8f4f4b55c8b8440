"""Writes design_kernels.json: features of molecules of QM9 and others by RDKit, and the Tanimoto kernel between them.

Needs rdkit 2026.9.1. Run: python design_kernels.py > design_kernels.json
"""

import json
import sys

import rdkit
from rdkit import Chem
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator

SMILES = """C N O CC C#C C#N C=O CCO CC(N)=O CCCCCCCCC CCCCC(C)(C)CC C1CC1 C1CCC1 C1CCCC1 C1CC2CC1C2 C1CC2CCC1C2 C12C3C4C1C5C2C3C45
c1ccccc1 c1ccoc1 c1cc[nH]c1 c1ccncc1 Cc1cc(N)nc(=N)o1 C=C=C C=CC=CC=C C=CC(C)=O N#CC#N O=C=O OOO NNN FC(F)(F)F CF C=C(O)N(CN)NNC
COC(C)C1(CO)CO1 CC=C(CF)C(=N)CC C[NH2+]CC(=O)[O-] [NH3+]CC([O-])=O CNNC(C)OOOO OCC12OC3CC1NC32 c1ccc2ccccc2c1 O=c1cc[nH]cn1 CC1=NOC(C)=N1
C#CC(C=N)C(=C)C=N N=C1OC=CC1=O CC(C)(C)C C1CN1C2CO2 C1CC11CC1 CCC1CC1C""".split()


def descriptors(m):
    atoms, bonds, kind = list(m.GetAtoms()), list(m.GetBonds()), Chem.BondType
    element = lambda symbol: sum(a.GetSymbol() == symbol for a in atoms)
    unsaturated = {a.GetIdx() for a in atoms if any(b.GetBondType() != kind.SINGLE for b in a.GetBonds())}
    ends = lambda b: (b.GetBeginAtomIdx(), b.GetEndAtomIdx())
    rings = [0.0, 0.0, 0.0]
    for b in bonds:
        cut = Chem.RWMol(m)
        cut.RemoveBond(*ends(b))
        path = Chem.GetShortestPath(cut, *ends(b)) if b.IsInRing() else ()
        if path:
            rings[min(len(path), 5) - 3] += 1 / len(path)
    connected = Chem.RWMol(m)
    for b in bonds:
        if not set(ends(b)) <= unsaturated:
            connected.RemoveBond(*ends(b))
    fragments = [f for f in Chem.GetMolFrags(connected) if f[0] in unsaturated]
    return [
        *(element(s) for s in "CNOF"), sum(a.GetTotalNumHs() for a in atoms), Chem.GetSSSR(m).__len__(), *rings,
        sum(a.GetIsAromatic() for a in atoms), sum(b.GetBondType() == kind.DOUBLE for b in bonds),
        sum(b.GetBondType() == kind.TRIPLE for b in bonds),
        sum(b.GetBondType() == kind.SINGLE and set(ends(b)) <= unsaturated for b in bonds),
        max(map(len, fragments), default=0), sum(a.GetDegree() == 3 for a in atoms), sum(a.GetDegree() == 4 for a in atoms),
        sum(b.GetBeginAtom().GetSymbol() != "C" and b.GetEndAtom().GetSymbol() != "C" for b in bonds),
        sum(sum(b.GetBondType() == kind.DOUBLE for b in a.GetBonds()) > 1 for a in atoms),
        sum(a.GetFormalCharge() > 0 for a in atoms), int(Chem.GetDistanceMatrix(m).max()),
    ]


molecules = [Chem.MolFromSmiles(s) for s in SMILES]
generators = {r: GetMorganGenerator(radius=r) for r in (0, 1, 2, 3)}
counts = {r: [g.GetSparseCountFingerprint(m) for m in molecules] for r, g in generators.items()}
environments = lambda fingerprint: sorted(fingerprint.GetNonzeroElements().items())


def tanimoto(a, b):
    a, b = a.GetNonzeroElements(), b.GetNonzeroElements()
    smaller = sum(min(n, b.get(k, 0)) for k, n in a.items())
    return smaller / (sum(a.values()) + sum(b.values()) - smaller)


json.dump(
    dict(
        origin=f"rdkit {rdkit.__version__}, design_kernels.py",
        molecules=[
            dict(smiles=s, descriptors=descriptors(m), environments=[environments(counts[r][i]) for r in counts])
            for i, (s, m) in enumerate(zip(SMILES, molecules))
        ],
        tanimoto=[[tanimoto(a, b) for b in counts[2]] for a in counts[2]],
    ),
    sys.stdout,
)
