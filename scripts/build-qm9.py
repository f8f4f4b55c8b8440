#!/usr/bin/env python3
"""Rebuilds data/qm9.csv.gz from the Python package qm9pack 1.0.3, its SMILES canonical by RDKit.

    pip install rdkit==2026.9.1
    pip download --no-deps qm9pack==1.0.3
    scripts/build-qm9.py qm9pack-1.0.3-py3-none-any.whl data/qm9.csv.gz
"""

import csv
import gzip
import hashlib
import io
import sys
import zipfile

from rdkit import Chem, RDLogger

PARTS = [f"qm9pack/data/qm9_part{part}.csv" for part in (1, 2, 3)]
WHEEL_SHA256 = "1d88c2988007c6778e717ee3224cf511bd60e10732ebe3b7ed500ea5af05c9f0"
# Columns of the package, digits untouched.
COLUMNS = {
    "u0_hartree": "InternalEnergy_0K_au",
    "gap_hartree": "HOMO_LUMO_gap_au",
    "polarizability_bohr3": "Polarizability_bohr3",
}


def lines(wheel):
    yield ",".join(["index", "smiles", *COLUMNS]) + "\n"
    for part in PARTS:
        with wheel.open(part) as raw:
            for row in csv.DictReader(io.TextIOWrapper(raw, "utf-8", newline="")):
                smiles = Chem.MolToSmiles(Chem.MolFromSmiles(row["SMILES"]))
                numbers = [row[column] for column in COLUMNS.values()]
                yield ",".join([row["Index"], smiles, *numbers]) + "\n"


def main(source, target):
    digest = hashlib.sha256(open(source, "rb").read()).hexdigest()
    if digest != WHEEL_SHA256:
        sys.exit(f"{source}: sha256 is {digest}, not {WHEEL_SHA256}: not qm9pack 1.0.3")
    RDLogger.DisableLog("rdApp.*")
    csv.field_size_limit(2**31 - 1)
    with zipfile.ZipFile(source) as wheel:
        text = "".join(lines(wheel)).encode()
    packed = gzip.compress(text, compresslevel=9, mtime=0)
    with open(target, "wb") as out:
        out.write(packed)
    molecules = text.count(b"\n") - 1
    print(f"{molecules} molecules, {len(text)} bytes, {len(packed)} packed")
    print(f"sha256 of the text   {hashlib.sha256(text).hexdigest()}")
    print(f"sha256 of the file   {hashlib.sha256(packed).hexdigest()}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
