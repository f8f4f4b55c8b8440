"""Runs of the program that the tests read."""
from pathlib import Path

import pytest

import moldflow

ROOT = Path(__file__).parents[2]

LIST = """\
name: named
seed: 1
site: local
properties: {binding: {value: atomization(energy) * flag.one, unit: kcal/mol}}
objective: {minimize: binding}
search_space: {source: named.smi, elements: [C, N, O], max_heavy_atoms: 12}
methods:
  energy: {kind: simulate, engine: gfn2//mmff94, topic: simulator, partition: qc, timeout: 5m}
  flag:
    kind: simulate
    engine: python
    settings: {call: 'flags:one', quantities: {one: '1'}}
    topic: simulator
    partition: qc
    timeout: 5m
stages: {all: {compute: binding, molecules: all}}
stop: {failure_share: 1}
"""

MOLECULES = """\
c1ccccc1O phenol
CCO ethanol
CC#N acetonitrile
"""

FLAGS = """\
class UnsupportedMolecule(Exception):
    pass

def one(molecule):
    if molecule["smiles"] == "CC#N":
        raise UnsupportedMolecule("not this one")
    return 1.0
"""


@pytest.fixture(scope="session")
def search(tmp_path_factory: pytest.TempPathFactory) -> moldflow.Run:
    """The quickstart, a search."""
    return moldflow.run(ROOT / "campaigns/quickstart.yml", runs_dir=tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def listed(tmp_path_factory: pytest.TempPathFactory) -> moldflow.Run:
    """A list of molecules with names, the last of which fails."""
    folder = tmp_path_factory.mktemp("list")
    for name, text in (("named.yml", LIST), ("named.smi", MOLECULES), ("flags.py", FLAGS)):
        (folder / name).write_text(text)
    return moldflow.run(folder / "named.yml", run_dir=folder / "run")
