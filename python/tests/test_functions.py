"""Functions of methods in Python, called as the program calls them."""
import math
from pathlib import Path

import pytest

from moldflow.functions import CallError, Molecule, call, simulate

MODULE = """\
import os, math
from moldflow.functions import NotConverged, UnsupportedMolecule

def both(molecule, scale=1.0):
    print("called for", molecule["smiles"])
    if molecule["charge"]:
        raise UnsupportedMolecule("an ion")
    if molecule["smiles"] == "C":
        raise NotConverged("methane")
    return {"energy": -scale * len(molecule["smiles"]), "bonds": 2}

def endless(molecule):
    while True:
        pass

def ends(molecule):
    os._exit(3)

def not_finite(molecule):
    return math.nan

def folder(molecule):
    return len(os.listdir("."))
"""

ETHANOL: Molecule = {"smiles": "CCO", "charge": 0, "multiplicity": 1}


@pytest.fixture
def modules(tmp_path: Path) -> list[Path]:
    (tmp_path / "mine.py").write_text(MODULE)
    return [tmp_path]


def test_a_function_gets_its_molecule_and_arguments(modules: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    found = simulate("mine:both", ETHANOL, ["energy", "bonds"], path=modules, arguments={"scale": 2.0})
    assert found == {"energy": -6.0, "bonds": 2}
    assert capsys.readouterr().out == "called for CCO\n"


@pytest.mark.parametrize(
    "function, molecule, kind, message",
    [
        ("mine:both", {"smiles": "C[O-]", "charge": -1, "multiplicity": 1}, "unsupported", "an ion"),
        ("mine:both", {"smiles": "C", "charge": 0, "multiplicity": 1}, "not_converged", "methane"),
        ("mine:both", {}, "raised", "KeyError"),
        ("mine:missing", ETHANOL, "load", "missing"),
        ("other:both", ETHANOL, "load", "No module named 'other'"),
        ("mine:ends", ETHANOL, "ended", "mine:ends"),
    ],
)
def test_failures_have_the_kinds_of_the_program(
    modules: list[Path], function: str, molecule: Molecule, kind: str, message: str
) -> None:
    with pytest.raises(CallError, match=message) as raised:
        call(function, molecule, path=modules)
    assert raised.value.kind == kind


def test_a_result_is_checked_as_a_run_does(modules: list[Path]) -> None:
    with pytest.raises(CallError, match=r"\['energy'\] are declared") as raised:
        simulate("mine:both", ETHANOL, path=modules)
    assert raised.value.kind == "answer"
    with pytest.raises(CallError) as raised:
        simulate("mine:not_finite", ETHANOL, path=modules)
    assert raised.value.kind == "not_a_number"
    assert math.isnan(call("mine:not_finite", ETHANOL, path=modules))


def test_a_call_runs_in_an_empty_folder_and_ends_in_time(modules: list[Path]) -> None:
    # The two files of what it prints.
    assert call("mine:folder", ETHANOL, path=modules) == 2
    with pytest.raises(TimeoutError):
        call("mine:endless", ETHANOL, path=modules, timeout=2.0)
