"""The orbital basis sets of NWChem 7.0.2 for the elements of moldflow, with their effective core potentials.

    python data/nwchem-bases.py /usr/share/nwchem/libraries > data/nwchem-bases.tsv    # Debian: nwchem-data 7.0.2

Each line: the name of a file of the library, the elements that it has functions for (with the electrons that its effective
core potential replaces), and the file that holds the potential. Sets that only complete others (fitting, polarization, diffuse)
are left out. Where a file has no potentials of its own, they are those that its authors published it with: COMPANIONS. `?`
stands behind an element whose potential the library lacks.
"""

import pathlib
import re
import sys

ELEMENTS = "H B C N O F P S Cl Br I".split()
NO_ORBITALS = re.compile(r"fitting|optri|-ri$|_tight$|-ri_|_diffuse$|^(.*_)?polarization$|^pople|^chipman|^rel-|^minis-bsip1$")
COMPANIONS = [
    (re.compile(r"^def2-"), "def2-ecp"),  # Weigend and Ahlrichs 2005
    (re.compile(r"^dhf-"), "dhf-ecp"),
    (re.compile(r"^lanl2dzdp_ecp$"), "lanl2dz_ecp"),  # Check et al. 2001: polarization and diffuse functions for LANL2DZ
    (re.compile(r"^p?sbkjc"), "sbkjc_ecp"),  # Stevens et al. 1984, 1992; Cundari and Stevens 1993
    (re.compile(r"^lanl08|^lanl2tz|^modified_lanl2dz"), "lanl2dz_ecp"),  # Roy, Hay and Martin 2008: on the potentials of LANL2DZ
    (re.compile(r"^sdb-"), "sdb_rlc_ecp"),  # Martin and Sundermann 2001
]


def blocks(path):
    """(`basis` or `ecp`, element, text) of a file."""
    text = path.read_text(errors="replace")
    for block in re.split(r"(?im)^(?=\s*(?:basis|ecp)\b)", text):
        head = re.match(r'(?i)\s*(basis|ecp)\s+"?([A-Za-z]+)_', block)
        if head and head[2].capitalize() in ELEMENTS:
            yield head[1].lower(), head[2].capitalize(), block


def potentials(path):
    """Electrons that the potentials of a file replace, by element."""
    found = {}
    for kind, element, block in blocks(path):
        replaced = re.search(r"(?i)nelec\s+(\d+)", block)
        if kind == "ecp" and replaced:
            found[element] = int(replaced[1])
    return found


def main(library):
    for path in sorted(library.iterdir()):
        name = path.name
        if path.is_dir() or NO_ORBITALS.search(name) or name.startswith("qmmm"):
            continue
        functions = {element for kind, element, _ in blocks(path) if kind == "basis"}
        if not functions:
            continue
        companion = next((file for pattern, file in COMPANIONS if pattern.search(name)), name)
        replaced = potentials(library / companion)
        has = [e for e in ELEMENTS if e in functions]
        missing = "?" if re.search(r"-pp$", name) else ""
        words = [f"{e}-{replaced[e]}" if e in replaced else e + missing for e in has]
        potential = companion if any(e in replaced for e in has) else ""
        print(name, " ".join(words), potential, sep="\t")


main(pathlib.Path(sys.argv[1]))
