"""Calls of the program `moldflow`."""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Setting = str | int | float | bool
"""Value of a param or of another key of a campaign."""


class ProgramError(RuntimeError):
    """The program ended with an error. The message is what it printed.

    `status` is its exit status; the README says what each means.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def program() -> str:
    """Returns the path of the program: that of this environment, or the first on PATH.

    The environment variable `MOLDFLOW_PROGRAM` names another one.
    """
    named = os.environ.get("MOLDFLOW_PROGRAM")
    own = Path(sysconfig.get_path("scripts"), "moldflow")
    found = named or (str(own) if own.exists() else shutil.which("moldflow"))
    if found is None:
        raise FileNotFoundError(
            "the program `moldflow` is neither in this environment nor on PATH: "
            "`pip install .` installs it with this package"
        )
    return found


def call(arguments: Sequence[str | os.PathLike[str]], accept: Sequence[int] = (0,)) -> str:
    """Returns what the program prints to stdout. Its progress goes to stderr.

    Raises ProgramError if its exit status is not one of `accept`.
    """
    command = [program(), *(os.fspath(argument) for argument in arguments)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode not in accept:
        raise ProgramError(done.stderr.strip() or f"moldflow ended with status {done.returncode}", done.returncode)
    return done.stdout


def options(settings: Mapping[str, Setting] | None, **named: Setting | os.PathLike[str] | None) -> list[str]:
    """Returns `--set` for each setting, and an option for each named value that is not None."""
    arguments = []
    for path, value in (settings or {}).items():
        arguments += ["--set", f"{path}={_word(value)}"]
    for name, word in named.items():
        if word is not None:
            arguments += [f"--{name.rstrip('_').replace('_', '-')}", _word(word)]
    return arguments


def _word(value: Setting | os.PathLike[str]) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


def check(
    campaign: str | os.PathLike[str],
    *,
    set: Mapping[str, Setting] | None = None,
    site: str | os.PathLike[str] | None = None,
) -> str:
    """Validates a campaign and returns what `moldflow check` prints: its stages and counts of molecules.

    Raises ProgramError with all errors of the campaign, each with its line and a hint.
    """
    return call(["check", campaign, *options(set, site=site)])


def plan(
    campaign: str | os.PathLike[str],
    *,
    set: Mapping[str, Setting] | None = None,
    site: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Returns the task graph of a campaign with recipes, counts and core-hours: `moldflow plan --format json`.

    Raises ProgramError with all errors of the campaign.
    """
    planned: dict[str, Any] = json.loads(call(["plan", campaign, "--format", "json", *options(set, site=site)]))
    return planned
