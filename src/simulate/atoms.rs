//! Free atoms: the atomic references of a campaign, spins, and GFN2-xTB energies in closed form.

use sci_form::xtb::gfn2_params::{EV_TO_HARTREE, GAM3_SHELL, Gfn2ElementParams, get_gfn2_params};

use crate::chem::atomic_number;

/// Boltzmann's constant times the 300 K of GFN2-xTB's electronic temperature, hartree.
const THERMAL_ENERGY: f64 = 300.0 * 3.166_808_578_545_117e-6;

/// SMILES of the free atoms whose energies are the atomic references: hydrogen and the given
/// elements.
pub fn atomic_reference_smiles(elements: &[String]) -> Vec<String> {
    let mut symbols = vec!["H"];
    for element in elements {
        if !symbols.contains(&element.as_str()) {
            symbols.push(element);
        }
    }
    symbols.iter().map(|symbol| format!("[{symbol}]")).collect()
}

/// Number of unpaired electrons of a main-group atom in its ground state, by Hund's first rule;
/// None for other elements.
pub(crate) fn ground_state_unpaired_electrons(symbol: &str) -> Option<u32> {
    match symbol {
        "H" | "Li" | "Na" | "B" | "Al" | "F" | "Cl" | "Br" | "I" => Some(1),
        "C" | "Si" | "Ge" | "O" | "S" | "Se" => Some(2),
        "N" | "P" | "As" => Some(3),
        "He" | "Ne" | "Ar" | "Kr" | "Xe" => Some(0),
        _ => None,
    }
}

/// GFN2-xTB energy of a free main-group atom in its ground state, hartree; None for elements
/// without parameters or a known ground state.
///
/// C. Bannwarth et al., J. Chem. Theory Comput. 15, 1652 (2019): a single atom has no repulsion
/// (eq. 9), dispersion (eq. 31) or anisotropic electrostatics (eq. 24, since its p shell is filled
/// evenly). The remaining terms are the levels (eq. 17), the isotropic second and third order in
/// the shell charges (eqs. 22 and 30) and the electronic free energy (eq. 11). The library's solver
/// cannot compute them, as it fills every shell with pairs.
pub(super) fn gfn2_energy(symbol: &str) -> Option<f64> {
    let params = get_gfn2_params(atomic_number(symbol)?)?;
    let unpaired = f64::from(ground_state_unpaired_electrons(symbol)?);
    let occupations = s_then_p(params)?;
    let shells = 0..params.nshell;
    let charge = |i: usize| params.ref_occ[i] - occupations[i];
    let hardness = |i: usize| params.hubbard * params.shell_hubbard[i];
    let mut energy = entropy_term(&occupations, params, unpaired);
    for i in shells.clone() {
        energy += occupations[i] * params.selfenergy[i] * EV_TO_HARTREE;
        let derivative = params.gam3 * GAM3_SHELL[usize::from(params.ang_shell[i])][0];
        energy += derivative * charge(i).powi(3) / 3.0;
        for j in shells.clone() {
            // On one atom the Klopman-Ohno interaction is the mean of the two hardnesses.
            energy += 0.5 * charge(i) * charge(j) * 0.5 * (hardness(i) + hardness(j));
        }
    }
    Some(energy)
}

/// Number of electrons in each shell: s is filled, p has the rest, d is empty. None if p is too
/// small.
fn s_then_p(params: &Gfn2ElementParams) -> Option<[f64; 3]> {
    let mut left = f64::from(params.n_valence);
    let mut occupations = [0.0; 3];
    for angular_momentum in 0..2 {
        let shell = (0..params.nshell).find(|&i| params.ang_shell[i] == angular_momentum);
        if let Some(shell) = shell {
            occupations[shell] = left.min(f64::from(4 * angular_momentum + 2));
            left -= occupations[shell];
        }
    }
    (left == 0.0).then_some(occupations)
}

/// -T S of the electrons in hartree, distributed evenly over the three p orbitals of each spin.
fn entropy_term(occupations: &[f64; 3], params: &Gfn2ElementParams, unpaired: f64) -> f64 {
    let Some(p) = (0..params.nshell).find(|&i| params.ang_shell[i] == 1) else {
        return 0.0;
    };
    let of_spin = |electrons: f64| {
        let filled = electrons / 6.0;
        [filled, 1.0 - filled]
            .iter()
            .filter(|f| **f > 0.0)
            .map(|f| 3.0 * f * f.ln())
            .sum::<f64>()
    };
    THERMAL_ENERGY * (of_spin(occupations[p] + unpaired) + of_spin(occupations[p] - unpaired))
}
