"""Functions for methods with `engine: python`: types, exceptions, and calls for tests.

    from moldflow.functions import Molecule, call

    def energy(molecule: Molecule) -> dict[str, float]: ...

    call("lengths:both", {"smiles": "CCO", "charge": 0, "multiplicity": 1})

`call` does what the program does: it starts an interpreter, loads the function there, and sends the
input as JSON. docs/python.md says what each kind of function is given and returns.
"""
from __future__ import annotations

import json
import math
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from . import _bridge


class Molecule(TypedDict):
    """Argument of a function of a `simulate` method."""

    smiles: str
    """Canonical SMILES; a free atom is `[C]`."""
    charge: int
    """Elementary charges."""
    multiplicity: int
    """2S + 1."""
    symbols: NotRequired[list[str]]
    """Element symbols in atom order; only with `geometry: true`."""
    positions: NotRequired[list[list[float]]]
    """Positions of the atoms in angstrom; only with `geometry: true`."""


class Context(TypedDict):
    """Argument of a function of a `generate` method."""

    best: list[tuple[str, float]]
    """SMILES and cost of the best evaluated molecules, the best first."""
    starts: list[str]
    """Further molecules of the source, after rounds with few new ones."""
    elements: list[str]
    max_heavy_atoms: int
    ring_sizes: list[int]
    count: int
    """Molecules that are asked for."""
    seed: int
    state: Any
    """State that the last round returned; None in the first."""


class Proposals(TypedDict):
    """What a function of a `generate` method returns."""

    molecules: list[str]
    state: NotRequired[Any]


Candidate = tuple[str, float, float]
"""SMILES, predicted mean and standard deviation: what a `screen` method ranks."""


class UnsupportedMolecule(Exception):
    """The function does not apply to the molecule, which is not tried again."""


class NotConverged(Exception):
    """The calculation did not converge; the molecule is not tried again."""


class CallError(RuntimeError):
    """The function could not be called, or raised an exception.

    `kind` is `load`, `unsupported`, `not_converged`, `memory`, `answer`, `not_a_number`, `ended`, or
    `raised` for any other exception. The message has the traceback.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def call(
    function: str,
    *input: Any,
    arguments: Mapping[str, Any] | None = None,
    path: Sequence[str | os.PathLike[str]] = (".",),
    interpreter: str = sys.executable,
    timeout: float = 60.0,
) -> Any:
    """Calls `function`, written `module:function`, as the program calls it; returns what it returned.

    It runs in a new interpreter, in an empty folder; input and result pass through JSON, so numbers of
    NumPy arrive as numbers. `path` holds the folders of modules, `arguments` the keyword arguments.
    What the function prints is printed once it has ended.

    Raises CallError if it cannot be loaded or raises an exception, TimeoutError after `timeout` seconds.
    """
    folders = [os.path.abspath(folder) for folder in path]
    with tempfile.TemporaryDirectory() as directory:
        request = {"id": 1, "call": function, "directory": directory, "only_load": False,
                   "input": input, "arguments": dict(arguments or {})}
        line = _answer([{"path": folders, "modules": {}}, request], interpreter, timeout)
        for name, stream in (("program.out", sys.stdout), ("program.err", sys.stderr)):
            printed = Path(directory, name)
            if printed.exists():
                stream.write(printed.read_text())
    if not line:
        raise CallError("ended", f"the interpreter `{interpreter}` ended during `{function}`")
    answer = json.loads(line)
    if "error" in answer:
        raise CallError(answer["error"], answer["message"])
    return _numbers(answer["returned"])


def simulate(
    function: str,
    molecule: Molecule,
    quantities: Sequence[str] = ("energy",),
    **options: Any,
) -> dict[str, Any]:
    """Calls a function of a `simulate` method; returns its quantities, and `positions` if it relaxes.

    `quantities` are the names that the campaign declares. The options are those of `call`.

    Raises CallError as `call` does, and with the kind `answer` if the result is not what a run accepts.
    """
    returned = call(function, molecule, **options)
    if not isinstance(returned, dict) and len(quantities) == 1:
        returned = {quantities[0]: returned}
    if not isinstance(returned, dict):
        raise CallError("answer", f"`{function}` returned {returned!r}, not a dict of {', '.join(quantities)}")
    names = set(returned) - {"positions"}
    if names != set(quantities):
        raise CallError("answer", f"`{function}` returned {sorted(names)}, but {sorted(quantities)} are declared")
    for name in quantities:
        number = returned[name]
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise CallError("answer", f"`{name}` of `{function}` is {number!r}, which is no number")
        if not math.isfinite(number):
            raise CallError("not_a_number", f"`{name}` of `{function}` is {number}")
    return returned


def _answer(lines: list[dict[str, Any]], interpreter: str, timeout: float) -> bytes:
    """Sends lines to an interpreter with the program's bridge, and returns the line that it answers."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        bridge = Path(_bridge.__file__).read_text()
        process = subprocess.Popen([interpreter, "-c", bridge], stdin=theirs.fileno())
        theirs.close()
        try:
            ours.settimeout(timeout)
            ours.sendall(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
            with ours.makefile("rb") as answers:
                return answers.readline()
        except (BrokenPipeError, ConnectionResetError):
            return b""
        finally:
            process.kill()
            process.wait()


def _numbers(value: Any) -> Any:
    """The value with numbers that are not finite, which the bridge writes as text."""
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return float(value) if value in ("nan", "inf", "-inf") else value
