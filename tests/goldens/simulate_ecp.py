"""Hartree-Fock energies with effective core potentials by PySCF, for tests/simulate/nwchem_checks.rs.

    pip install pyscf==2.14.0
    python tests/goldens/simulate_ecp.py

Geometries in angstrom are written below; molecules are restricted, free atoms unrestricted in their ground-state
multiplicity. Each energy is followed to a stable minimum. Sets are named as NWChem names them; PySCF's own libraries hold
both the functions and the potentials.
"""

import json
import pathlib

import pyscf
from pyscf import gto, scf

OUT = pathlib.Path(__file__).with_name("simulate_ecp.json")
UNPAIRED = {"H": 1, "C": 2, "Cl": 1, "Br": 1, "I": 1}
LENGTHS = {"Cl": 1.78, "Br": 1.94, "I": 2.14}
# NWChem's name, PySCF's name of the functions, and of the potentials.
SETS = {
    "def2-svp": ("def2-svp", "def2-svp"),
    "def2-tzvp": ("def2-tzvp", "def2-tzvp"),
    "lanl2dz_ecp": ("lanl2dz", "lanl2dz"),
    "crenbl_ecp": ("crenbl", "crenbl"),
    "sbkjc_vdz_ecp": ("sbkjc", "sbkjc"),
}
CASES = [
    ("def2-svp", "I"),
    ("def2-tzvp", "I"),
    ("def2-tzvp", "Br"),
    ("lanl2dz_ecp", "I"),
    ("lanl2dz_ecp", "Br"),
    ("lanl2dz_ecp", "Cl"),
    ("crenbl_ecp", "Br"),
    ("sbkjc_vdz_ecp", "Cl"),
]


def halomethane(halogen):
    carbon = [["C", [0.0, 0.0, 0.0]], [halogen, [0.0, 0.0, LENGTHS[halogen]]]]
    hydrogens = [[1.03, 0.0, -0.34], [-0.515, 0.892, -0.34], [-0.515, -0.892, -0.34]]
    return carbon + [["H", position] for position in hydrogens]


def energy(atoms, names, spin=0):
    basis, ecp = names
    with_ecp = {s: ecp for s, _ in atoms if gto.basis.load_ecp(ecp, s)} if ecp else {}
    mol = gto.M(atom=atoms, basis=basis, ecp=with_ecp, spin=spin, unit="angstrom", verbose=0)
    field = scf.UHF(mol) if spin else scf.RHF(mol)
    field.conv_tol = 1e-11
    field.kernel()
    for _ in range(5):
        orbitals, _, stable, _ = field.stability(return_status=True)
        if stable:
            break
        field.kernel(field.make_rdm1(orbitals, field.mo_occ))
    assert field.converged
    return field.e_tot, mol.nelectron


def main():
    entries = []
    for name, halogen in CASES:
        atoms = halomethane(halogen)
        try:
            total, electrons = energy(atoms, SETS[name])
            free = {
                s: energy([[s, [0.0, 0.0, 0.0]]], SETS[name], UNPAIRED[s])[0] for s in ("H", "C", halogen)
            }
        except Exception as e:
            print(name, halogen, repr(e)[:150])
            continue
        bound = total - free["C"] - 3 * free["H"] - free[halogen]
        print(name, halogen, total, electrons, bound, flush=True)
        entries.append(
            {
                "smiles": f"C{halogen}",
                "basis": name,
                "geometry": atoms,
                "electrons": electrons,
                "total_energy_hartree": total,
                "atoms_hartree": free,
                "atomization_energy_hartree": bound,
            }
        )
    lines = ",\n".join(f"    {json.dumps(entry)}" for entry in entries)
    origin = json.dumps(f"PySCF {pyscf.__version__}, tests/goldens/simulate_ecp.py")
    OUT.write_text(f'{{\n  "origin": {origin},\n  "molecules": [\n{lines}\n  ]\n}}\n')


main()
