"""Tables and molecules of a run."""
import builtins
import csv
import io
import os
import subprocess
from pathlib import Path

import pandas
import pytest

import moldflow

ROOT = Path(__file__).parents[2]


def exported(run: moldflow.Run) -> list[dict[str, str]]:
    done = subprocess.run([moldflow.program(), "export", run.path], capture_output=True, text=True, check=True)
    return list(csv.DictReader(io.StringIO(done.stdout)))


def test_candidates_are_those_of_the_export(search: moldflow.Run) -> None:
    frame, rows = search.candidates, exported(search)
    assert len(frame) == len(rows) >= 10
    assert list(frame["smiles"]) == [row["smiles"] for row in rows]
    column = "atomization_energy_hartree"
    for found, row in zip(frame[column], rows):
        assert found == float(row[column]) if row[column] else pandas.isna(found)
    assert frame.attrs["units"][column] == "hartree"
    assert frame.attrs["units"][f"prediction_std_{column}"] == "hartree"
    predicted = frame[frame["batch"] > 0][f"prediction_mean_{column}"]
    assert list(predicted) == [float(row["prediction_mean_hartree"]) for row in rows if row["batch"] != "0"]
    for found, row in zip(frame["finished"], rows):
        assert pandas.isna(found) if not row["finished"] else found == pandas.Timestamp(row["finished"])


def test_results_have_a_column_for_each_quantity(listed: moldflow.Run) -> None:
    results = listed.results
    molecules = results[results["batch"].notna()]
    energies = molecules[molecules["method"] == "energy"].set_index("name")["energy"]
    row = next(row for row in exported(listed) if row["name"] == "phenol")
    assert energies["phenol"] == float(row["energy.energy_hartree"])
    assert results.attrs["units"]["energy"] == "hartree"
    assert set(results[results["batch"].isna()]["smiles"]) == {"[C]", "[H]", "[O]", "[N]"}
    assert molecules[molecules["method"] == "flag"]["one"].eq(1.0).all()


def test_attempts_batches_and_utilisation_are_consistent(search: moldflow.Run, listed: moldflow.Run) -> None:
    failed = listed.attempts.query("state == 'failed'")
    assert list(failed["name"]) == ["acetonitrile"]
    assert list(failed["failure"]) == ["unsupported"]
    batches = search.batches
    assert batches["new_candidates"].sum() >= batches["evaluated"].sum() > 0
    # The last batch of a run may have ended before its model was fitted.
    assert (batches["train.rmse"].dropna() >= 0).all() and batches["train.rmse"].notna().any()
    used, attempts = search.utilisation, search.attempts
    assert set(used["partition"]) == {"ml", "qc"}
    assert (used["busy"] >= 0).all()
    assert set(zip(used["partition"], used["slots"])) == {("ml", 1), ("qc", 2)}
    seconds = (used["until"] - used["since"]).dt.total_seconds() * used["busy"]
    assert seconds.sum() == pytest.approx(attempts["duration"].sum())


def test_the_best_are_those_of_the_objective(listed: moldflow.Run) -> None:
    best = listed.best()
    assert list(best["name"]) == ["phenol", "ethanol"]
    assert best["binding_kcal_mol"].is_monotonic_increasing
    assert list(listed.objectives["property"]) == ["binding"]
    assert not listed.objectives["highest"].any()
    assert listed.status()["best"]["name"] == "phenol"


def test_molecules_are_objects_of_rdkit(listed: moldflow.Run) -> None:
    Chem = pytest.importorskip("rdkit.Chem")
    phenol = listed.rdkit("phenol")
    assert Chem.MolToSmiles(Chem.RemoveHs(phenol)) == Chem.CanonSmiles("c1ccccc1O")
    assert phenol.GetNumAtoms() == 13
    assert phenol.GetProp("_Name") == "phenol"
    row = listed.best(1).iloc[0]
    assert phenol.GetDoubleProp("binding_kcal_mol") == row["binding_kcal_mol"]
    positions = phenol.GetConformer().GetPositions()
    assert positions == pytest.approx(listed.ase("phenol").positions)
    assert set(listed.rdkit_molecules()) == set(listed.best()["smiles"])


def test_molecules_are_atoms_of_ase(listed: moldflow.Run) -> None:
    ase = pytest.importorskip("ase.units")
    ethanol = listed.ase("CCO")
    assert ethanol.get_chemical_formula() == "C2H6O"
    energies = listed.results.query("method == 'energy' and name == 'ethanol'")["energy"]
    # ASE has the constants of CODATA 2014.
    assert ethanol.get_potential_energy() == pytest.approx(energies.item() * ase.Hartree, rel=1e-7)
    # C-C and C-O.
    assert ethanol.get_distance(0, 1) == pytest.approx(1.52, abs=0.03)
    assert set(listed.ase_atoms()) == {"CCO", listed.rdkit("phenol").GetProp("smiles")}
    with pytest.raises(KeyError, match="benzene"):
        listed.ase("benzene")


def test_what_is_not_installed_is_named(listed: moldflow.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name.partition(".")[0] in ("rdkit", "ase"):
            raise ImportError(name)
        return original(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"moldflow\[rdkit\]"):
        listed.rdkit("phenol")
    with pytest.raises(ImportError, match=r"moldflow\[ase\]"):
        listed.ase("phenol")


def test_a_folder_that_cannot_be_written_is_read(listed: moldflow.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert len(moldflow.open(listed.path).candidates) == 3


def test_a_run_of_the_first_version_is_read(tmp_path: Path) -> None:
    import shutil

    folder = shutil.copytree(ROOT / "tests/goldens/run-of-0.1.0", tmp_path / "run")
    run = moldflow.open(folder)
    assert len(run.results) > 0
    assert "energy" in run.results
    assert len(run.best()) > 0


def test_other_folders_and_campaigns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="moldflow.db"):
        moldflow.open(tmp_path)
    campaign = tmp_path / "broken.yml"
    campaign.write_text("name: broken\nobjective: nothing\n")
    for command in (moldflow.check, moldflow.plan, moldflow.run):
        with pytest.raises(moldflow.ProgramError, match="broken.yml:") as raised:
            command(campaign)
        assert raised.value.status == 1


def test_check_and_plan_run_nothing() -> None:
    campaign = ROOT / "campaigns/quickstart.yml"
    assert "is valid" in moldflow.check(campaign)
    planned = moldflow.plan(campaign, set={"search_size": 9})
    assert planned["campaign"] == "quickstart"


def test_a_run_goes_on(listed: moldflow.Run) -> None:
    assert moldflow.resume(listed.path).path == listed.path
