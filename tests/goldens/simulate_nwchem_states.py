#!/usr/bin/env python3
"""Ions, radicals, orbital energies, dipole moments and solvation by PySCF, for tests/simulate/nwchem_states.rs.

    pip install pyscf==2.14.0
    tests/goldens/simulate_nwchem_states.py > tests/goldens/simulate_nwchem_states.json

Charge and spin are of the whole molecule. Of open shells, `homo` is the highest occupied and `lumo` the lowest unoccupied
orbital of either spin; the dipole moment of an ion is about its centre of mass. `solvation_hartree` is by C-PCM in water
(dielectric constant 78.355) with the radii that NWChem uses: the model is that of NWChem's COSMO, (eps - 1) / eps, but the
surface is cut into other pieces.
"""

import json

import numpy
import pyscf
from pyscf import dft, gto, scf
from pyscf.data import radii

WATER = "O 0 0 0.1173; H 0 0.7572 -0.4692; H 0 -0.7572 -0.4692"
METHYL = "C 0 0 0; H 1.08 0 0; H -0.54 0.93531 0; H -0.54 -0.93531 0"
METHOXIDE = "C 0 0 -0.02; O 0 0 1.31; H 1.05 0 -0.52; H -0.525 0.90933 -0.52; H -0.525 -0.90933 -0.52"
AMMONIUM = (
    "C 0 0 0; N 0 0 1.51; H 1.03 0 -0.35; H -0.515 0.892 -0.35; H -0.515 -0.892 -0.35; "
    "H -0.95 0 1.87; H 0.475 0.8227 1.87; H 0.475 -0.8227 1.87"
)
OXYGEN = "O 0 0 0; O 0 0 1.21"
FORMALDEHYDE = "C 0 0 0; O 0 0 1.2; H 0 0.93 -0.55; H 0 -0.93 -0.55"
# SMILES, settings of the engine, geometry in angstrom, charge, unpaired electrons, method.
CASES = [
    ("O", {}, WATER, 0, 0, scf.RHF),
    ("C=O", {}, FORMALDEHYDE, 0, 0, scf.RHF),
    ("C=O", {"method": "b3lyp"}, FORMALDEHYDE, 0, 0, dft.RKS),
    ("C[NH3+]", {}, AMMONIUM, 1, 0, scf.RHF),
    ("C[O-]", {}, METHOXIDE, -1, 0, scf.RHF),
    ("[CH3]", {}, METHYL, 0, 1, scf.UHF),
    ("[CH3]", {"open_shells": "restricted"}, METHYL, 0, 1, scf.ROHF),
    ("[CH3]", {"method": "b3lyp"}, METHYL, 0, 1, dft.UKS),
    ("[CH3]", {"method": "b3lyp", "open_shells": "restricted"}, METHYL, 0, 1, dft.ROKS),
    ("[CH3]", {"charge": 1}, METHYL, 1, 0, scf.RHF),
    ("[O][O]", {}, OXYGEN, 0, 2, scf.UHF),
    ("O=O", {"multiplicity": 3}, OXYGEN, 0, 2, scf.UHF),
    ("O", {"charge": 1}, WATER, 1, 1, scf.UHF),
    ("C=O", {"charge": 1}, FORMALDEHYDE, 1, 1, scf.UHF),
]
SOLVATED = [("O", WATER, 0), ("C=O", FORMALDEHYDE, 0), ("C[NH3+]", AMMONIUM, 1), ("C[O-]", METHOXIDE, -1)]
# Angstrom, as NWChem 7.0.2 prints them.
COSMO_RADII = {"H": 1.30, "C": 2.00, "N": 1.83, "O": 1.72}


def molecule(atoms, charge, spin):
    return gto.M(atom=atoms, basis="3-21g", charge=charge, spin=spin, cart=True, verbose=0)


def converged(field):
    field.conv_tol = 1e-11
    field.kernel()
    assert field.converged
    return field


def frontier(field):
    """Highest occupied and lowest unoccupied orbital of either spin."""
    energies, occupations = numpy.ravel(field.mo_energy), numpy.ravel(field.mo_occ)
    return max(energies[occupations > 0.5]), min(energies[occupations < 0.5])


def dipole(field):
    mol = field.mol
    masses = mol.atom_mass_list(isotope_avg=True)
    centre = masses @ mol.atom_coords() / masses.sum()
    moment = field.dip_moment(unit="AU", verbose=0) - mol.charge * centre
    return numpy.linalg.norm(moment)


def state(smiles, settings, atoms, charge, spin, method):
    field = method(molecule(atoms, charge, spin))
    if "method" in settings:
        field.xc = settings["method"]
        field.grids.level = 5
    converged(field)
    homo, lumo = frontier(field)
    return {
        "smiles": smiles,
        "settings": settings,
        "geometry": geometry(field.mol),
        "energy_hartree": field.e_tot,
        "homo_hartree": homo,
        "lumo_hartree": lumo,
        "dipole_atomic_units": dipole(field),
    }


def geometry(mol):
    return [[mol.atom_symbol(i), list(position)] for i, position in enumerate(mol.atom_coords(unit="angstrom"))]


def solvated(smiles, atoms, charge):
    mol = molecule(atoms, charge, 0)
    gas = converged(scf.RHF(mol))
    field = scf.RHF(mol).PCM()
    field.with_solvent.method = "C-PCM"
    field.with_solvent.eps = 78.355
    field.with_solvent.lebedev_order = 29
    table = radii.VDW.copy()
    for symbol, radius in COSMO_RADII.items():
        table[gto.charge(symbol)] = radius / radii.BOHR
    field.with_solvent.vdw_scale = 1.0
    field.with_solvent.radii_table = table
    converged(field)
    return {"smiles": smiles, "geometry": geometry(mol), "solvation_hartree": field.e_tot - gas.e_tot}


def main():
    states = [state(*case) for case in CASES]
    solutions = [solvated(*case) for case in SOLVATED]

    def lines(rows):
        return ",\n".join(f"  {json.dumps(row, default=float)}" for row in rows)

    origin = json.dumps(f"PySCF {pyscf.__version__}, tests/goldens/simulate_nwchem_states.py")
    print(f'{{\n "origin": {origin},\n "states": [\n{lines(states)}\n ],\n "solvated": [\n{lines(solutions)}\n ]\n}}')


if __name__ == "__main__":
    main()
