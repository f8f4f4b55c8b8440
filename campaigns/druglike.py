"""QED and penalised logP by RDKit (`pip install rdkit`): as properties, and as a model that knows them.

Penalised logP is logP - SA score - the atoms beyond six of the largest ring (Jin et al., arXiv:1802.04364), each less its mean over the
molecules of ZINC and divided by its standard deviation, as You et al. report it (arXiv:1806.02473), whose column of the table it is.
The SA score is that of Ertl and Schuffenhauer, J. Cheminform. 1, 8 (2009)."""
import os, sys

from rdkit import Chem, RDConfig
from rdkit.Chem import Crippen, QED

sys.path.append(os.path.join(RDConfig.RDContribDir, "SA_Score"))
import sascorer

# Means and standard deviations over ZINC of logP, minus the SA score, and minus the ring penalty.
ZINC = (2.4570954, 1.4343244), (-3.0525811, 0.8335207), (-0.0485697, 0.2860212)


def qed_of(smiles):
    return QED.qed(Chem.MolFromSmiles(smiles))


def logp_of(smiles):
    molecule = Chem.MolFromSmiles(smiles)
    largest = max((len(ring) for ring in molecule.GetRingInfo().AtomRings()), default=0)
    parts = Crippen.MolLogP(molecule), -sascorer.calculateScore(molecule), -max(largest - 6, 0)
    return sum((part - mean) / deviation for part, (mean, deviation) in zip(parts, ZINC))


def qed(molecule):
    return qed_of(molecule["smiles"])


def logp(molecule):
    return logp_of(molecule["smiles"])


def train(molecules, values, path):
    """Learns nothing: the agent is rewarded by the property itself, as in the paper."""
    open(path, "w").close()


def predict_qed(path, molecules):
    return [-qed_of(smiles) for smiles in molecules], [1e-6] * len(molecules)


def predict_logp(path, molecules):
    return [-logp_of(smiles) for smiles in molecules], [1e-6] * len(molecules)
