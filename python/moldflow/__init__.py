"""Runs of moldflow in Python: start them, and read their results.

    import moldflow

    run = moldflow.run("campaign.yml", set={"search_size": 20})
    run = moldflow.open("runs/24Nov26-202319-a04ccd")
    print(run.best(5))

`moldflow.functions` helps to write functions for methods with `engine: python`.
"""
from importlib.metadata import PackageNotFoundError, version as _version

from ._program import ProgramError, check, plan, program
from ._run import Run, open, resume, run

__all__ = ["ProgramError", "Run", "check", "open", "plan", "program", "resume", "run"]

try:
    __version__ = _version("moldflow")
except PackageNotFoundError:
    # Imported from a source tree.
    __version__ = "0"
