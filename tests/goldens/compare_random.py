#!/usr/bin/env python3
"""Writes compare_random.json: median, best value and area of random search on QM9 by numpy 2.4.6,
charges by RDKit 2026.09.1.

    pip install numpy==2.4.6 rdkit==2026.9.1 qm9pack==1.0.3
    tests/goldens/compare_random.py > tests/goldens/compare_random.json

The molecules and their compositions are those of the package; the area is the mean over 200
evaluations of the mean score of the ten best of them so far, by 400 random draws.
"""

import csv
import importlib.util
import json
import os

import numpy as np
from rdkit import Chem, RDLogger

ATOMS = {"H": -0.500273, "C": -37.846772, "N": -54.583861, "O": -75.064579, "F": -99.718730}


def rows():
    csv.field_size_limit(2**31 - 1)
    folder = os.path.join(os.path.dirname(importlib.util.find_spec("qm9pack").origin), "data")
    for part in (1, 2, 3):
        with open(os.path.join(folder, f"qm9_part{part}.csv"), newline="") as file:
            yield from csv.DictReader(file)


def is_neutral(smiles):
    """True if no atom is charged; RDKit writes nitro groups with charges, the package without."""
    return all(atom.GetFormalCharge() == 0 for atom in Chem.MolFromSmiles(smiles).GetAtoms())


def main():
    RDLogger.DisableLog("rdApp.*")
    table = list(rows())
    counts = np.array([json.loads(row["Stoichiometry"]) for row in table])  # of H C N O F
    energy = np.array([float(row["InternalEnergy_0K_au"]) for row in table])
    gap = np.array([float(row["HOMO_LUMO_gap_au"]) for row in table])
    polarizability = np.array([float(row["Polarizability_bohr3"]) for row in table])
    neutral = np.array([is_neutral(row["SMILES"]) for row in table])
    atomization = energy - counts @ np.array([ATOMS[symbol] for symbol in "HCNOF"])
    everything = np.ones(len(table), bool)
    targets = {
        "qm9-pool": (atomization, everything),
        "qm9-pool-per-atom": (atomization / counts.sum(1), everything),
        "qm9-pool-gap": (-gap, everything),
        "qm9-pool-lowest-gap": (gap, neutral),
        "qm9-pool-polarizability": (-polarizability / counts[:, 1:].sum(1), neutral),
    }
    random = np.random.default_rng(1)
    result = {}
    for name, (cost, included) in targets.items():
        cost = cost[included]
        best, median = cost.min(), np.median(cost)
        scores = np.clip((median - cost) / (median - best), 0, None)
        areas = []
        for _ in range(400):
            drawn = scores[random.choice(len(scores), 200, replace=False)]
            top = [np.sort(drawn[:n])[::-1][:10].mean() for n in range(1, 201)]
            areas.append(np.mean(top))
        result[name] = {"molecules": len(cost), "best": best, "median": median,
                        "area": np.mean(areas), "deviation": np.std(areas, ddof=1)}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
