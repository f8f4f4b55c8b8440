#!/usr/bin/env python3
"""MolDQN on RDKit and PyTorch, one thread: the rate to which `cargo bench --bench chemistry -- agent` compares moldflow's.

    pip install -r benches/agent/requirements.txt
    benches/agent/moldqn.py SETTINGS.json

Prints the steps a second with an update each. SETTINGS.json has episodes, warm_up (episodes before the clock starts), steps, hidden,
epsilon, elements, max_heavy_atoms, ring_sizes, seed, and remember: whether the largest next value of a transition is computed once for
each copy of the target network, as moldflow does, and not at each sampling, as in Zhou et al., Sci. Rep. 9, 10752 (2019).
"""

import collections
import copy
import json
import random
import sys
import time

import numpy
import torch
from rdkit import Chem, RDLogger
from rdkit.Chem import rdFingerprintGenerator

BITS, RADIUS, GAMMA, RATE, BATCH, REPLAY, TARGET_EPISODES = 2048, 3, 0.9, 1e-3, 32, 2000, 10
VALENCE = {"C": 4, "N": 3, "O": 2, "F": 1}
ORDERS = {1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE, 3: Chem.BondType.TRIPLE}
MORGAN = rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=BITS)


def finish(editable, found):
    """Adds the SMILES of an edited molecule that sanitises, without a lone atom that was cut off."""
    if Chem.SanitizeMol(editable, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
        return
    pieces = Chem.MolToSmiles(editable).split(".")
    whole = [piece for piece in pieces if piece not in VALENCE] if len(pieces) == 2 else pieces
    if len(pieces) <= 2 and len(whole) <= 1:
        found.update(whole or pieces)


def actions(smiles, settings):
    """Canonical SMILES of all molecules one edit away."""
    if smiles is None:
        return sorted(settings["elements"])
    state = Chem.MolFromSmiles(smiles)
    kekulised = Chem.RWMol(state)
    Chem.Kekulize(kekulised, clearAromaticFlags=True)
    free = [atom.GetNumImplicitHs() for atom in state.GetAtoms()]
    found = set()
    if len(free) < settings["max_heavy_atoms"]:
        for to, most in enumerate(free):
            for element in settings["elements"]:
                for order in range(1, min(3, most, VALENCE[element]) + 1):
                    edited = Chem.RWMol(kekulised)
                    edited.AddBond(to, edited.AddAtom(Chem.Atom(element)), ORDERS[order])
                    finish(edited, found)
    distances = Chem.GetDistanceMatrix(state)
    for a in range(len(free)):
        for b in range(a + 1, len(free)):
            bond = kekulised.GetBondBetweenAtoms(a, b)
            if bond is None and distances[a, b] + 1 not in settings["ring_sizes"]:
                continue
            if bond is not None and state.GetBondBetweenAtoms(a, b).GetIsAromatic():
                continue
            old = 0 if bond is None else int(bond.GetBondTypeAsDouble())
            for order in range(0, min(3, old + min(free[a], free[b])) + 1):
                if order == old:
                    continue
                edited = Chem.RWMol(kekulised)
                if old == 0:
                    edited.AddBond(a, b, ORDERS[order])
                elif order == 0:
                    edited.RemoveBond(a, b)
                else:
                    edited.GetBondBetweenAtoms(a, b).SetBondType(ORDERS[order])
                finish(edited, found)
    found.discard(smiles)
    return sorted(found)


def observe(names):
    rows = [MORGAN.GetFingerprintAsNumPy(Chem.MolFromSmiles(name)) for name in names]
    return torch.from_numpy(numpy.array(rows, dtype=numpy.float32).reshape(-1, BITS))


def network(hidden):
    widths = [BITS, *hidden, 1]
    layers = []
    for inputs, outputs in zip(widths, widths[1:]):
        layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


class Agent:
    def __init__(self, settings):
        self.settings = settings
        self.online = network(settings["hidden"])
        self.target = copy.deepcopy(self.online)
        self.optimiser = torch.optim.Adam(self.online.parameters(), lr=RATE)
        self.replay = collections.deque(maxlen=REPLAY)
        self.episodes = 0

    def episode(self):
        state = None
        names = actions(None, self.settings)
        observed = observe(names)
        for _ in range(self.settings["steps"]):
            if random.random() < self.settings["epsilon"]:
                chosen = random.randrange(len(names))
            else:
                with torch.no_grad():
                    chosen = int(self.online(observed).argmax())
            state, seen = names[chosen], observed[chosen]
            reward = sum(state.count(letter) for letter in "cC") / 9
            names = actions(state, self.settings)
            if not names:
                break
            observed = observe(names)
            self.replay.append({"seen": seen, "reward": reward, "next": observed, "best": None})
            if len(self.replay) >= BATCH:
                self.update()
        self.episodes += 1
        if self.episodes % TARGET_EPISODES == 0:
            self.target.load_state_dict(self.online.state_dict())
            for transition in self.replay:
                transition["best"] = None

    def update(self):
        batch = random.choices(self.replay, k=BATCH)
        missing = [transition for transition in batch if transition["best"] is None or not self.settings["remember"]]
        if missing:
            with torch.no_grad():
                values = self.target(torch.cat([transition["next"] for transition in missing])).squeeze(1)
            for transition, own in zip(missing, values.split([len(transition["next"]) for transition in missing])):
                transition["best"] = own.max()
        targets = torch.stack([transition["reward"] + GAMMA * transition["best"] for transition in batch])
        error = self.online(torch.stack([transition["seen"] for transition in batch])).squeeze(1) - targets
        loss = (torch.sqrt(error * error + 1) - 1).mean()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()


def main():
    with open(sys.argv[1]) as file:
        settings = json.load(file)
    RDLogger.DisableLog("rdApp.*")
    torch.set_num_threads(1)
    torch.manual_seed(settings["seed"])
    random.seed(settings["seed"])
    agent = Agent(settings)
    for _ in range(settings["warm_up"]):
        agent.episode()
    begin = time.perf_counter()
    for _ in range(settings["episodes"]):
        agent.episode()
    print(settings["episodes"] * settings["steps"] / (time.perf_counter() - begin))


main()
