"""Energy of a molecule by its bonds: the sum of mean bond enthalpies, found from the distances of a
geometry. Crude, and there to be replaced: see docs/python.md."""

# Covalent radii in angstrom (B. Cordero et al., Dalton Trans. 2008, 2832).
RADII = {"H": 0.31, "C": 0.76, "N": 0.71, "O": 0.66, "F": 0.57}

# Mean bond enthalpies in kJ/mol of single, double and triple bonds, as in textbooks.
ENTHALPIES = {
    "CC": (348, 614, 839), "CH": (413,), "CN": (293, 615, 891), "CO": (358, 799, 1072),
    "CF": (485,), "HH": (436,), "HN": (391,), "HO": (463,), "FH": (567,), "NN": (163, 418, 941),
    "NO": (201, 607), "FN": (272,), "OO": (146, 495), "FO": (190,), "FF": (155,),
}


class UnsupportedMolecule(Exception):
    """An exception of this name means: not for this molecule. It is not tried again."""


def energy(molecule):
    """Minus the energy of all bonds, in kJ/mol; free atoms have none."""
    symbols, positions = molecule["symbols"], molecule["positions"]
    for symbol in symbols:
        if symbol not in RADII:
            raise UnsupportedMolecule(f"no bond enthalpies of {symbol}")
    total = 0.0
    for i, one in enumerate(symbols):
        for j in range(i):
            other = symbols[j]
            distance = sum((a - b) ** 2 for a, b in zip(positions[i], positions[j])) ** 0.5
            length = distance / (RADII[one] + RADII[other])
            if length < 1.25:
                orders = ENTHALPIES["".join(sorted(one + other))]
                order = 3 if length < 0.83 else 2 if length < 0.93 else 1
                total += orders[min(order, len(orders)) - 1]
    return -total
