#!/usr/bin/env python3
"""Draws docs/images/top.svg: `moldflow top` at the end of a search, cell by cell as pyte 0.8.2 shows it.

    scripts/draw-top.py target/release/moldflow

The run is campaigns/qm9-atomization.yml with its seed and `schedule: batch`, whose molecules do not depend
on the number of slots. Needs pyte: pip install pyte==0.8.2
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.sax.saxutils import escape

PACKAGE = Path(__file__).resolve().parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(PACKAGE / "tests/support"))

from terminal import Terminal  # noqa: E402

COLUMNS, ROWS = 110, 34
# Size of a cell of a font of 14 px.
WIDTH, HEIGHT = 8.4, 17
# Cells that are filled from below, by eighths.
BARS = "▁▂▃▄▅▆▇█"
COLOURS = {
    "default": "#d8dee9",
    "red": "#ef6b73",
    "green": "#a3d977",
    "brown": "#ebcb8b",
    "blue": "#81a8e0",
    "magenta": "#d59ade",
    "cyan": "#7fd4d4",
}


def finished_run(program, folder):
    """Runs the campaign and returns its directory."""
    run_dir = Path(folder) / "run"
    campaign = PACKAGE / "campaigns/qm9-atomization.yml"
    options = ["--schedule", "batch", "--run-dir", str(run_dir), "--quiet"]
    subprocess.run([program, "run", str(campaign), *options], check=True, stdout=subprocess.DEVNULL)
    return run_dir


def screen_of(program, run_dir):
    """Returns the cells of the screen, row by row."""
    environment = {**os.environ, "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    top = Terminal(COLUMNS, ROWS, [program, "top", str(run_dir)], environment)
    top.wait("q quit")
    while top.read(0.5):
        pass
    cells = [[top.screen.buffer[y][x] for x in range(COLUMNS)] for y in range(ROWS)]
    top.send("q")
    top.finish()
    return cells


def words(row):
    """Joins neighbouring cells of one style that are not blank: column, style, text. Bars stand alone."""
    joined = []
    for x, cell in enumerate(row):
        style = (cell.fg, cell.bold)
        if not cell.data.strip():
            continue
        if cell.data not in BARS and joined:
            begin, before, text = joined[-1]
            if before == style and begin + len(text) == x and text not in BARS:
                joined[-1][2] += cell.data
                continue
        joined.append([x, style, cell.data])
    return joined


def svg(cells):
    """Returns the picture of the cells."""
    width, height = COLUMNS * WIDTH + 20, ROWS * HEIGHT + 20
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
        'aria-label="moldflow top: objective against evaluations, slots, best molecules, queue, failures">',
        f'<rect width="{width:g}" height="{height:g}" rx="8" fill="#20242c"/>',
        '<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14">',
    ]
    for y, row in enumerate(cells):
        for x, (colour, is_bold), text in words(row):
            left, top = 10 + x * WIDTH, 10 + y * HEIGHT
            fill = COLOURS.get(colour, COLOURS["default"])
            if text in BARS:
                tall = HEIGHT * (BARS.index(text) + 1) / 8
                below = top + HEIGHT - tall
                lines.append(f'<rect x="{left:g}" y="{below:g}" width="{WIDTH}" height="{tall:g}" fill="{fill}"/>')
                continue
            length = f' textLength="{len(text) * WIDTH:g}"' if len(text) > 1 else ""
            weight = ' font-weight="bold"' if is_bold else ""
            base = top + 13
            lines.append(f'<text x="{left:g}" y="{base:g}"{length} fill="{fill}"{weight}>{escape(text)}</text>')
    return "\n".join([*lines, "</g>", "</svg>", ""])


def main():
    program = str(Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as folder:
        cells = screen_of(program, finished_run(program, folder))
    (PACKAGE / "docs/images/top.svg").write_text(svg(cells))


if __name__ == "__main__":
    main()
