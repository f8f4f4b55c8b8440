"""A run directory, read through the views of its database (docs/database.md)."""
from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas

from . import _molecules, _program
from ._program import Setting

if TYPE_CHECKING:
    from ase import Atoms
    from rdkit.Chem import Mol

_TIMES = ("submitted", "started", "finished", "since", "until")
_FLAGS = ("feasible", "on_front", "cached")
_VIEWS = ("results", "candidates", "batches", "attempts", "utilisation")


class Run:
    """A run of moldflow, in progress or ended.

    Each table is read anew when it is asked for, as a pandas frame; the run may be in progress.
    `frame.attrs["units"]` holds the units of its columns. Times are UTC timestamps.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).resolve()
        """The run directory."""
        self._file = self.path / "moldflow.db"
        if not self._file.exists():
            raise FileNotFoundError(f"`{path}` is not a run directory: it has no moldflow.db")
        if not self._has_views():
            # A run of an earlier version: the program brings its database up to date.
            _program.call(["status", self.path])

    def __repr__(self) -> str:
        return f"moldflow.open({str(self.path)!r})"

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        uri = self._file.as_uri()
        # In a folder that cannot be written SQLite needs to know that nobody else writes.
        readable = os.access(self.path, os.W_OK) or self._file.with_name("moldflow.db-wal").exists()
        database = sqlite3.connect(f"{uri}?mode=ro" if readable else f"{uri}?immutable=1", uri=True)
        try:
            yield database
        finally:
            database.close()

    def _has_views(self) -> bool:
        with self._database() as database:
            found = database.execute("SELECT name FROM sqlite_master WHERE type = 'view'")
            return set(_VIEWS) <= {name for (name,) in found}

    def _read(self, query: str) -> pandas.DataFrame:
        with self._database() as database:
            frame = pandas.read_sql(query, database)
        for column in frame.columns:
            if column in _TIMES:
                frame[column] = pandas.to_datetime(frame[column], unit="ms", utc=True)
            elif column in _FLAGS:
                frame[column] = frame[column].astype("boolean")
        return frame

    @property
    def properties(self) -> pandas.DataFrame:
        """The properties of the campaign: `name`, `label`, `unit`."""
        return self._read("SELECT name, label, unit FROM properties ORDER BY name")

    @property
    def objectives(self) -> pandas.DataFrame:
        """The objectives: `property`, `unit`, and `highest`, True if high values are better."""
        frame = self._read(
            "SELECT o.property, p.unit, o.highest FROM objectives o JOIN properties p ON p.name = o.property"
            " ORDER BY o.place"
        )
        frame["highest"] = frame["highest"].astype(bool)
        return frame

    @property
    def results(self) -> pandas.DataFrame:
        """Every calculation of a molecule or free atom, with a column for each quantity in atomic units.

        `frame.attrs["units"]` names these units where all methods agree.
        """
        frame = self._read("SELECT * FROM results ORDER BY task")
        frame = _expanded(frame, "quantities", lambda name, value: {name: value})
        units = self._read("SELECT DISTINCT quantity, unit FROM quantity_units ORDER BY quantity")
        frame.attrs["units"] = dict(units.drop_duplicates("quantity", keep=False).itertuples(index=False))
        return frame

    @property
    def candidates(self) -> pandas.DataFrame:
        """Every molecule that was proposed, in order of batch and rank.

        Each property has the column `PROPERTY_UNIT`, as in `moldflow export`, and each prediction
        `prediction_mean_PROPERTY_UNIT` and `prediction_std_PROPERTY_UNIT`.
        """
        names = {row.name: (_column(row.name, row.unit), row.unit) for row in self.properties.itertuples(index=False)}

        def of_prediction(name: str, value: list[float]) -> dict[str, float]:
            return {f"prediction_{part}_{names[name][0]}": number for part, number in zip(("mean", "std"), value)}

        frame = self._read("SELECT * FROM candidates ORDER BY batch, rank")
        frame = _expanded(frame, "properties", lambda name, value: {names[name][0]: value})
        frame = _expanded(frame, "predictions", of_prediction)
        units = {"peak_memory_kib": "KiB"}
        for column, unit in names.values():
            for name in (column, f"prediction_mean_{column}", f"prediction_std_{column}"):
                if unit and name in frame:
                    units[name] = unit
        frame.attrs["units"] = units
        return frame

    @property
    def batches(self) -> pandas.DataFrame:
        """Every batch, with a column `stage.name` for each number that a stage reported."""
        frame = self._read("SELECT * FROM batches ORDER BY batch")
        return _expanded(frame, "metrics", lambda name, value: {name: value})

    @property
    def attempts(self) -> pandas.DataFrame:
        """Every attempt of a task, with its duration in seconds."""
        frame = self._read("SELECT * FROM attempts ORDER BY task, attempt")
        frame["duration"] = (frame["finished"] - frame["started"]).dt.total_seconds()
        frame.attrs["units"] = {"duration": "s", "peak_memory_kib": "KiB"}
        return frame

    @property
    def utilisation(self) -> pandas.DataFrame:
        """Attempts that ran at once in each partition, from each change to the next."""
        return self._read("SELECT * FROM utilisation ORDER BY partition, since")

    def best(self, n: int = 10) -> pandas.DataFrame:
        """Returns the `n` best feasible molecules, the best first.

        With several objectives these are those of the Pareto front, in the order of the first.
        """
        frame, objectives = self.candidates, self.objectives
        first = objectives.iloc[0]
        column = _column(first["property"], first["unit"])
        if len(objectives) > 1:
            frame = frame[frame["on_front"]]
        frame = frame[(frame["status"] == "evaluated") & frame["feasible"].fillna(True)]
        if column not in frame:
            return frame.head(0)
        columns = ["smiles", "name", *(c for c in frame if c in frame.attrs["units"] or c in ("batch", "rank"))]
        frame = frame.sort_values(column, ascending=not first["highest"], kind="stable")
        kept = [c for c in columns if c != "peak_memory_kib"]
        return frame[kept].head(n).reset_index(drop=True)

    def status(self) -> dict[str, Any]:
        """Returns what `moldflow status --json` prints."""
        found: dict[str, Any] = json.loads(_program.call(["status", self.path, "--json"]))
        return found

    def rdkit(self, molecule: str, *, method: str | None = None) -> Mol:
        """Returns a molecule, given by its name or canonical SMILES, as an RDKit object.

        It has all hydrogens and a conformer if there is a geometry whose atoms and bonds are those of
        the SMILES, and what is known as properties. Needs RDKit: `pip install moldflow[rdkit]`.
        """
        return _molecules.rdkit_molecule(self._molecule(molecule, method))

    def ase(self, molecule: str, *, method: str | None = None) -> Atoms:
        """Returns a molecule, given by its name or canonical SMILES, as ASE atoms.

        The energy of the method is there as `get_potential_energy()`, in eV as ASE wants it; all
        quantities are in `info`, in atomic units. Needs ASE: `pip install moldflow[ase]`.
        """
        return _molecules.ase_atoms(self._molecule(molecule, method))

    def rdkit_molecules(self) -> dict[str, Mol]:
        """Returns every evaluated molecule as an RDKit object, by its SMILES. See `rdkit`."""
        return {smiles: self.rdkit(smiles) for smiles in self._evaluated()}

    def ase_atoms(self) -> dict[str, Atoms]:
        """Returns every evaluated molecule that has a geometry as ASE atoms, by its SMILES. See `ase`."""
        found = {smiles: self._molecule(smiles, None) for smiles in self._evaluated()}
        return {smiles: _molecules.ase_atoms(known) for smiles, known in found.items() if known.xyz}

    def _evaluated(self) -> list[str]:
        frame = self._read("SELECT DISTINCT smiles FROM candidates WHERE status = 'evaluated'")
        return list(frame["smiles"])

    def _molecule(self, molecule: str, method: str | None) -> _molecules.KnownMolecule:
        """What is known of a molecule: the last calculation by the method that has a geometry."""
        with self._database() as database:
            candidate = database.execute(
                "SELECT smiles, name, properties FROM candidates WHERE smiles = ?1 OR smiles IN"
                " (SELECT smiles FROM names WHERE name = ?1 COLLATE NOCASE) ORDER BY properties = '{}', batch LIMIT 1",
                [molecule],
            ).fetchone()
            if candidate is None:
                raise KeyError(f"this run has no molecule `{molecule}`; `run.candidates` lists them")
            smiles, name, properties = candidate
            results = database.execute(
                "SELECT method, xyz, quantities FROM results WHERE smiles = ?1 AND (?2 IS NULL OR method = ?2)"
                " ORDER BY xyz = '', task DESC LIMIT 1",
                [smiles, method],
            ).fetchone()
        if results is None and method is not None:
            raise KeyError(f"the method `{method}` has no result of `{molecule}`")
        by, xyz, quantities = results or (None, "", "{}")
        units = {row.name: row.unit for row in self.properties.itertuples(index=False)}
        values = {_column(name, units[name]): value for name, value in json.loads(properties).items()}
        return _molecules.KnownMolecule(smiles, name, values, by, xyz, json.loads(quantities))


def _column(name: str, unit: str) -> str:
    """The name of a column with its unit, as `moldflow export` writes it."""
    plain = "".join(letter if letter.isalnum() else "_" for letter in unit)
    return f"{name}_{plain}" if plain else name


def _expanded(frame: pandas.DataFrame, column: str, columns: Any) -> pandas.DataFrame:
    """Replaces a column of JSON objects by what `columns` makes of each of their items."""
    rows = [
        {name: value for item in json.loads(text or "{}").items() for name, value in columns(*item).items()}
        for text in frame[column]
    ]
    more = pandas.DataFrame(rows, index=frame.index)
    return frame.drop(columns=column).join(more[sorted(more.columns)])


def open(run_dir: str | os.PathLike[str]) -> Run:
    """Opens a run directory for reading, whether the run is in progress or not."""
    return Run(run_dir)


def run(
    campaign: str | os.PathLike[str],
    *,
    set: Mapping[str, Setting] | None = None,
    site: str | os.PathLike[str] | None = None,
    seed: int | None = None,
    schedule: str | None = None,
    run_dir: str | os.PathLike[str] | None = None,
    runs_dir: str | os.PathLike[str] | None = None,
    cache: str | os.PathLike[str] | None = None,
    from_: str | os.PathLike[str] | None = None,
) -> Run:
    """Runs a campaign to its end and returns the run.

    The arguments are the options of `moldflow run`; `set` holds the values of `--set`.

    Raises ProgramError if the campaign has errors, or the run ended without a result.
    """
    options = _program.options(
        set, site=site, seed=seed, schedule=schedule, run_dir=run_dir, runs_dir=runs_dir, cache=cache, from_=from_
    )
    return _ended(_program.call(["run", campaign, "--json", "--quiet", *options]))


def resume(run_dir: str | os.PathLike[str], *, set: Mapping[str, Setting] | None = None) -> Run:
    """Continues a run to its end and returns it.

    `set` holds the values of `--set`, by which a run that has ended goes on: `{"stop.evaluations": 500}`.
    """
    return _ended(_program.call(["resume", run_dir, "--json", "--quiet", *_program.options(set)]))


def _ended(printed: str) -> Run:
    return Run(json.loads(printed)["run_dir"])
