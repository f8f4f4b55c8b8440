"""Types of the package, and the notebooks of `examples`."""
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import moldflow

ROOT = Path(__file__).parents[2]


def test_types_are_complete() -> None:
    folder = Path(moldflow.__file__).parent
    assert (folder / "py.typed").exists()
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml", "--no-incremental"],
        capture_output=True, text=True, cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("notebook", sorted((ROOT / "examples").glob("*.ipynb")), ids=lambda path: path.name)
def test_notebooks_run(notebook: Path, tmp_path: Path) -> None:
    assert find_spec("ipykernel")
    book = nbformat.read(notebook, as_version=4)
    assert all(not cell.get("outputs") for cell in book.cells), "clear the outputs before a commit"
    NotebookClient(book, timeout=300, resources={"metadata": {"path": ROOT / "examples"}}).execute()
    shown = [output for cell in book.cells for output in cell.get("outputs", [])]
    assert not any(output["output_type"] == "error" for output in shown)
    tables = [output for output in shown if "text/html" in output.get("data", {})]
    assert tables
