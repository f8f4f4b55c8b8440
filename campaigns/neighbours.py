"""A model that predicts by the most similar molecules: their weighted mean, and how much they differ.
It needs no package; see docs/python.md for what the two functions are given and return."""
import functools, json, math

NEIGHBOURS = 5


def fragments(smiles):
    """Pieces of a SMILES of up to four letters: a poor man's fingerprint."""
    return {smiles[i:i + n] for n in range(1, 5) for i in range(len(smiles) - n + 1)}


def similarity(one, other):
    """Tanimoto similarity of two sets of fragments."""
    return len(one & other) / len(one | other)


def train(molecules, values, path):
    """Writes the model, which is the molecules and their values; returns numbers for the report."""
    with open(path, "w") as file:
        json.dump({"molecules": molecules, "values": values}, file)
    return {"neighbours": min(NEIGHBOURS, len(molecules))}


@functools.lru_cache(maxsize=1)
def load(path):
    with open(path) as file:
        model = json.load(file)
    return [(fragments(smiles), value) for smiles, value in zip(model["molecules"], model["values"])]


def predict(path, molecules):
    """Returns a list of means and a list of standard deviations."""
    known = load(path)
    all_values = [value for _, value in known]
    spread = max(all_values) - min(all_values) or 1.0
    means, deviations = [], []
    for smiles in molecules:
        own = fragments(smiles)
        near = sorted(((similarity(own, other), value) for other, value in known), reverse=True)
        near = near[:NEIGHBOURS]
        weights = [alike ** 3 + 1e-9 for alike, _ in near]
        mean = sum(w * value for w, (_, value) in zip(weights, near)) / sum(weights)
        variance = sum(w * (value - mean) ** 2 for w, (_, value) in zip(weights, near)) / sum(weights)
        strange = 1 - near[0][0]
        means.append(mean)
        deviations.append(math.sqrt(variance + (0.3 * spread * strange) ** 2))
    return means, deviations
