"""Harmonic vibrations and thermochemistry from analytic Hessians by PySCF, for tests/simulate/nwchem.rs and src/simulate/vibrations.rs.

    pip install pyscf==2.14.0 geometric==1.1.1
    python tests/goldens/simulate_vibrations.py

HF/3-21G, standard atomic weights. Each geometry is relaxed by geomeTRIC, then its Hessian is computed as it is
and, of a linear molecule, bent at one atom by 1e-4 degrees. The zero-point energy is half the sum over the
3N-5 (linear) or 3N-6 largest eigenvalues of the mass-weighted Hessian at the relaxed geometry, which is not projected.
`enthalpy` and `gibbs` at 298.15 K and 1 atm, without the electronic energy, are of PySCF's `thermo`, with the
degeneracy of the spin and the symmetry number of the point group (PySCF finds less symmetry in a relaxed geometry).
Open shells are unrestricted.
"""

import json
import pathlib

import numpy as np
import pyscf
from pyscf import gto, scf
from pyscf.geomopt.geometric_solver import optimize
from pyscf.hessian import thermo

OUT = pathlib.Path(__file__).with_name("simulate_vibrations.json")
DALTON = 1822.888486209
TEMPERATURE, PRESSURE = 298.15, 101325.0
BOLTZMANN = 3.1668115634556e-6  # hartree/K
SYMMETRY = {"N#N": 2, "F": 1, "O=C=O": 2, "C#N": 1, "C#C": 2, "O=C=C=C=O": 2, "O": 2, "C=O": 2, "N": 3, "C": 12, "[CH3]": 6, "[O][O]": 2}
# SMILES, guess in angstrom, whether it is linear, unpaired electrons if there are any.
MOLECULES = [
    ("N#N", "N 0 0 0; N 0 0 1.1", True),
    ("F", "F 0 0 0; H 0 0 0.94", True),
    ("O=C=O", "C 0 0 0; O 0 0 1.16; O 0 0 -1.16", True),
    ("C#N", "C 0 0 0; N 0 0 1.14; H 0 0 -1.05", True),
    ("C#C", "C 0 0 0; C 0 0 1.19; H 0 0 -1.05; H 0 0 2.24", True),
    ("O=C=C=C=O", "O 0 0 -2.42; C 0 0 -1.26; C 0 0 0; C 0 0 1.26; O 0 0 2.42", True),
    ("O", "O 0 0 0; H 0 0.76 0.59; H 0 -0.76 0.59", False),
    ("C=O", "C 0 0 0; O 0 0 1.2; H 0 0.93 -0.55; H 0 -0.93 -0.55", False),
    ("N", "N 0 0 0.1; H 0.94 0 -0.27; H -0.47 0.814 -0.27; H -0.47 -0.814 -0.27", False),
    ("C", "C 0 0 0; H 0.63 0.63 0.63; H 0.63 -0.63 -0.63; H -0.63 0.63 -0.63; H -0.63 -0.63 0.63", False),
    ("[CH3]", "C 0 0 0; H 1.08 0 0; H -0.54 0.935 0; H -0.54 -0.935 0", False, 1),
    ("[O][O]", "O 0 0 0; O 0 0 1.21", True, 2),
]


def hessian(mol):
    """Hartree-Fock calculation, and the Hessian in hartree/bohr^2."""
    field = hartree_fock(mol)
    field.conv_tol = 1e-12
    field.kernel()
    blocks = field.Hessian().kernel()
    size = 3 * mol.natm
    return field, blocks, np.transpose(blocks, (0, 2, 1, 3)).reshape(size, size)


def hartree_fock(mol):
    return scf.UHF(mol) if mol.spin else scf.RHF(mol)


def thermochemistry(field, blocks, symmetry):
    """Enthalpy and Gibbs energy without the electronic energy."""
    modes = thermo.harmonic_analysis(field.mol, blocks)
    found = thermo.thermo(field, modes["freq_au"], TEMPERATURE, PRESSURE)
    enthalpy, gibbs = (float(found[name][0] - field.e_tot) for name in ("H_tot", "G_tot"))
    return enthalpy, gibbs + BOLTZMANN * TEMPERATURE * float(np.log(symmetry / found["sym_number"][0]))


def main():
    entries = []
    for smiles, guess, is_linear, *unpaired in MOLECULES:
        mol = gto.M(atom=guess, basis="3-21g", cart=True, verbose=0, spin=sum(unpaired))
        field = hartree_fock(mol)
        field.conv_tol = 1e-11
        mol = optimize(field, convergence_gmax=1e-6, convergence_grms=1e-6)
        field, blocks, matrix = hessian(mol)
        enthalpy, gibbs = thermochemistry(field, blocks, SYMMETRY[smiles])
        masses = mol.atom_mass_list(isotope_avg=True)
        weights = np.sqrt(np.repeat(masses, 3) * DALTON)
        curvatures = np.linalg.eigvalsh(matrix / np.outer(weights, weights))
        count = 3 * mol.natm - (5 if is_linear else 6)
        zero_point = 0.5 * np.sum(np.sqrt(curvatures[-count:]))
        entry = {
            "smiles": smiles,
            "multiplicity": mol.spin + 1,
            "energy_hartree": field.e_tot,
            "zero_point_hartree": zero_point,
            "enthalpy": enthalpy,
            "gibbs": gibbs,
            "modes": count,
            "masses": [float(m) for m in masses],
            "geometries": [],
        }
        shapes = [mol.atom_coords()]
        if is_linear and mol.natm > 2:
            bent = mol.atom_coords()
            off = np.cross(bent[1] - bent[0], [1.0, 0.3, 0.2])
            bent[2] += off / np.linalg.norm(off) * np.radians(1e-4) * np.linalg.norm(bent[2] - bent[0])
            shapes.append(bent)
        for positions in shapes:
            shaped = mol.set_geom_(positions, unit="bohr", inplace=False)
            _, _, matrix = hessian(shaped)
            triangle = [float(f"{matrix[i, j]:.9g}") for i in range(len(matrix)) for j in range(i + 1)]
            entry["geometries"].append({"bohr": positions.tolist(), "hessian": triangle})
        print(smiles, field.e_tot, zero_point, enthalpy, gibbs, flush=True)
        entries.append(entry)
    lines = ",\n".join(f"    {json.dumps(entry)}" for entry in entries)
    origin = json.dumps(f"PySCF {pyscf.__version__}, tests/goldens/simulate_vibrations.py")
    OUT.write_text(f'{{\n  "origin": {origin},\n  "molecules": [\n{lines}\n  ]\n}}\n')


main()
