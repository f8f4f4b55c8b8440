"""QED and penalised logP by RDKit (`pip install rdkit`): as properties, and as a model that knows them.

Penalised logP is logP - SA score - the atoms beyond six of the largest ring (Jin et al., arXiv:1802.04364), without normalisation, as
the published program of MolDQN computes it. The SA score is that of Ertl and Schuffenhauer, J. Cheminform. 1, 8 (2009)."""
import os, sys

from rdkit import Chem, RDConfig
from rdkit.Chem import Crippen, QED

sys.path.append(os.path.join(RDConfig.RDContribDir, "SA_Score"))
import sascorer


def qed_of(smiles):
    return QED.qed(Chem.MolFromSmiles(smiles))


def logp_of(smiles):
    molecule = Chem.MolFromSmiles(smiles)
    largest = max((len(ring) for ring in molecule.GetRingInfo().AtomRings()), default=0)
    return Crippen.MolLogP(molecule) - sascorer.calculateScore(molecule) - max(largest - 6, 0)


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
