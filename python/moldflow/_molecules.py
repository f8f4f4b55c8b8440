"""Molecules of a run as objects of RDKit and ASE, which are imported when they are needed."""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ase import Atoms
    from rdkit.Chem import Mol

EV_PER_HARTREE = 27.211386245988
"""CODATA 2018, as the program has it."""

_BROKEN = 1.35
"""Longest distance of bonded atoms, as a multiple of the sum of their covalent radii."""


@dataclass(frozen=True)
class KnownMolecule:
    """What a run knows of a molecule."""

    smiles: str
    name: str | None
    properties: dict[str, float]
    """Values by name with unit."""
    method: str | None
    """Method of the calculation that the rest is of."""
    xyz: str
    """Geometry in the XYZ format, angstrom; empty if there is none."""
    quantities: dict[str, float]
    """In atomic units."""

    def geometry(self) -> tuple[list[str], list[list[float]]]:
        """Returns element symbols, and positions in angstrom."""
        rows = [line.split() for line in self.xyz.splitlines()[2:]]
        return [row[0] for row in rows], [[float(x) for x in row[1:4]] for row in rows]


def rdkit_molecule(known: KnownMolecule) -> Mol:
    """Returns the molecule with its properties, and a conformer if the geometry fits."""
    try:
        from rdkit import Chem
        from rdkit.Geometry import Point3D
    except ImportError as error:
        raise ImportError("molecules as RDKit objects need RDKit: `pip install moldflow[rdkit]`") from error
    molecule = Chem.MolFromSmiles(known.smiles)
    symbols, positions = known.geometry()
    if symbols:
        explicit = Chem.AddHs(molecule)
        if _fits(explicit, symbols, positions):
            molecule = explicit
            conformer = Chem.Conformer(len(positions))
            for atom, position in enumerate(positions):
                conformer.SetAtomPosition(atom, Point3D(*position))
            molecule.AddConformer(conformer, assignId=True)
            Chem.AssignStereochemistryFrom3D(molecule)
    molecule.SetProp("_Name", known.name or known.smiles)
    molecule.SetProp("smiles", known.smiles)
    for name, value in known.properties.items():
        molecule.SetDoubleProp(name, value)
    for name, value in known.quantities.items():
        molecule.SetDoubleProp(f"{known.method}.{name}", value)
    return molecule


def _fits(molecule: Mol, symbols: list[str], positions: list[list[float]]) -> bool:
    """Returns true if the atoms are those of the molecule in order, and none of its bonds is broken."""
    from rdkit import Chem

    if [atom.GetSymbol() for atom in molecule.GetAtoms()] != symbols:
        return False
    radius = Chem.GetPeriodicTable().GetRcovalent
    return all(
        math.dist(positions[bond.GetBeginAtomIdx()], positions[bond.GetEndAtomIdx()])
        < _BROKEN * (radius(bond.GetBeginAtom().GetAtomicNum()) + radius(bond.GetEndAtom().GetAtomicNum()))
        for bond in molecule.GetBonds()
    )


def ase_atoms(known: KnownMolecule) -> Atoms:
    """Returns the atoms of the geometry, with the energy as the result of a calculator."""
    try:
        from ase import Atoms
        from ase.calculators.singlepoint import SinglePointCalculator
    except ImportError as error:
        raise ImportError("molecules as ASE atoms need ASE: `pip install moldflow[ase]`") from error
    symbols, positions = known.geometry()
    if not symbols:
        raise ValueError(f"this run has no geometry of `{known.smiles}`")
    atoms = Atoms(symbols, positions=positions)
    atoms.info = {"smiles": known.smiles, "name": known.name, "method": known.method, **known.properties}
    atoms.info |= {f"{name}_au": value for name, value in known.quantities.items()}
    energy = known.quantities.get("energy")
    if energy is not None:
        atoms.calc = SinglePointCalculator(atoms, energy=energy * EV_PER_HARTREE)
    return atoms
