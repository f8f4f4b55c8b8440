//! Harmonic vibrations, from a Hessian.
//!
//! Programs that always project six motions out of the Hessian lose a vibration of molecules that
//! are linear but for rounding errors: the rotation about the axis is then the bend. Here the sixth
//! motion is projected out only if the molecule is clearly bent.

use faer::{Mat, Side};

/// Electron masses per dalton, CODATA 2018.
pub(super) const ELECTRON_MASSES_PER_DALTON: f64 = 1_822.888_486_209;
/// Wavenumber in 1/cm of a vibration whose energy quantum is one hartree, CODATA 2018.
const PER_CM_PER_HARTREE: f64 = 219_474.631_363_20;
/// Largest distance, in bohr, of an atom from the axis of a molecule that counts as linear. It is
/// the distance of a hydrogen in a bend of 5 degrees.
const LINEAR: f64 = 0.2;
/// Imaginary wavenumber, in 1/cm, below which a vibration counts as numerical noise of a soft
/// rotor.
const SADDLE: f64 = 50.0;

/// Mass and position of an atom.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Nucleus {
    /// Mass in dalton.
    pub mass: f64,
    /// Position in bohr.
    pub position: [f64; 3],
}

/// Reason for which a molecule has no vibrations.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum VibrationError {
    #[error("{found} numbers in the Hessian of {atoms} atoms, which has {expected}")]
    Size {
        atoms: usize,
        found: usize,
        expected: usize,
    },
    #[error("the Hessian has no eigenvalues")]
    Eigenvalues,
    #[error("its geometry is a saddle point: a vibration has {per_cm:.0}i/cm")]
    Saddle { per_cm: f64 },
}

/// Energy quanta in hartree of the real vibrations, from the lower triangle of the Hessian in
/// hartree/bohr^2, row by row.
///
/// # Errors
///
/// The Hessian has another size, or the geometry is a saddle point.
pub(super) fn vibrations(nuclei: &[Nucleus], triangle: &[f64]) -> Result<Vec<f64>, VibrationError> {
    let quanta = quanta(nuclei, triangle)?;
    match quanta.first() {
        Some(lowest) if -lowest * PER_CM_PER_HARTREE > SADDLE => Err(VibrationError::Saddle {
            per_cm: -lowest * PER_CM_PER_HARTREE,
        }),
        _ => Ok(quanta
            .into_iter()
            .filter(|quantum| *quantum > 0.0)
            .collect()),
    }
}

/// Energy quanta of all vibrations in hartree, ascending; those of imaginary ones are negative.
fn quanta(nuclei: &[Nucleus], triangle: &[f64]) -> Result<Vec<f64>, VibrationError> {
    let (atoms, size) = (nuclei.len(), 3 * nuclei.len());
    let expected = size * (size + 1) / 2;
    if triangle.len() != expected {
        let found = triangle.len();
        return Err(VibrationError::Size {
            atoms,
            found,
            expected,
        });
    }
    let weight = |i: usize| (nuclei[i / 3].mass * ELECTRON_MASSES_PER_DALTON).sqrt();
    let hessian = Mat::from_fn(size, size, |i, j| {
        let (row, column) = (i.max(j), i.min(j));
        triangle[row * (row + 1) / 2 + column] / (weight(i) * weight(j))
    });
    let rigid = rigid_motions(nuclei).ok_or(VibrationError::Eigenvalues)?;
    // Rigid motions get a curvature larger than that of any vibration, so they come last.
    const APART: f64 = 1e3;
    let out = Mat::from_fn(size, rigid.len(), |i, k| rigid[k][i]);
    let inside = Mat::<f64>::identity(size, size) - &out * out.transpose();
    let projected = &inside * hessian * &inside + (&out * out.transpose()) * faer::Scale(APART);
    let curvatures = projected
        .self_adjoint_eigenvalues(Side::Lower)
        .map_err(|_| VibrationError::Eigenvalues)?;
    let vibrations = &curvatures[..size - rigid.len()];
    Ok(vibrations
        .iter()
        .map(|curvature| curvature.abs().sqrt().copysign(*curvature))
        .collect())
}

/// Rotation of a molecule as a rigid body.
pub(super) struct RigidRotor {
    /// Moments of inertia in dalton bohr^2, ascending.
    pub moments: [f64; 3],
    /// True if all atoms lie on an axis, or nearly so.
    pub is_linear: bool,
    /// Positions relative to the centre of mass, in bohr.
    pub arms: Vec<[f64; 3]>,
    axes: [[f64; 3]; 3],
}

impl RigidRotor {
    /// Rotation of these nuclei; None if their positions are not finite.
    pub fn new(nuclei: &[Nucleus]) -> Option<Self> {
        let mass: f64 = nuclei.iter().map(|n| n.mass).sum();
        let centre: [f64; 3] = std::array::from_fn(|x| {
            nuclei.iter().map(|n| n.mass * n.position[x]).sum::<f64>() / mass
        });
        let arm = |n: &Nucleus| -> [f64; 3] { std::array::from_fn(|x| n.position[x] - centre[x]) };
        let arms: Vec<[f64; 3]> = nuclei.iter().map(arm).collect();
        let inertia = Mat::from_fn(3, 3, |x, y| {
            let terms = nuclei.iter().zip(&arms).map(|(n, r)| {
                let square: f64 = r.iter().map(|c| c * c).sum();
                n.mass * (if x == y { square } else { 0.0 } - r[x] * r[y])
            });
            terms.sum::<f64>()
        });
        let eigen = inertia.self_adjoint_eigen(Side::Lower).ok()?;
        let axis = |k: usize| -> [f64; 3] { std::array::from_fn(|x| eigen.U()[(x, k)]) };
        // The axis with the smallest moment of inertia.
        let long = axis(0);
        let is_linear = arms.iter().all(|arm| length(cross(*arm, long)) < LINEAR);
        Some(Self {
            moments: std::array::from_fn(|k| eigen.S()[k]),
            is_linear,
            axes: std::array::from_fn(axis),
            arms,
        })
    }
}

/// Orthonormal mass-weighted translations and rotations: six, or five of a linear molecule, or
/// three of an atom.
fn rigid_motions(nuclei: &[Nucleus]) -> Option<Vec<Vec<f64>>> {
    let rotor = RigidRotor::new(nuclei)?;
    let mut motions = Vec::new();
    for x in 0..3 {
        let unit = |i: usize| {
            if i % 3 == x {
                nuclei[i / 3].mass.sqrt()
            } else {
                0.0
            }
        };
        motions.push((0..3 * nuclei.len()).map(unit).collect::<Vec<_>>());
    }
    let rotations = match (nuclei.len(), rotor.is_linear) {
        (1, _) => 3..3,
        (_, true) => 1..3,
        (_, false) => 0..3,
    };
    for k in rotations {
        let turned = nuclei.iter().zip(&rotor.arms).flat_map(|(n, arm)| {
            let direction = cross(rotor.axes[k], *arm);
            direction.map(|c| c * n.mass.sqrt())
        });
        motions.push(turned.collect());
    }
    Some(orthonormal(motions))
}

/// Length of a vector.
pub(super) fn length(vector: [f64; 3]) -> f64 {
    vector.iter().map(|c| c * c).sum::<f64>().sqrt()
}

/// Vector product.
pub(super) fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

/// Gram-Schmidt orthonormalisation.
fn orthonormal(vectors: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let mut found: Vec<Vec<f64>> = Vec::new();
    for mut vector in vectors {
        for other in &found {
            let overlap: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
            vector
                .iter_mut()
                .zip(other)
                .for_each(|(a, b)| *a -= overlap * b);
        }
        let length = vector.iter().map(|a| a * a).sum::<f64>().sqrt();
        vector.iter_mut().for_each(|a| *a /= length);
        found.push(vector);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::property::{ENTHALPY, GIBBS};
    use crate::simulate::thermochemistry;

    /// Results of PySCF, written by `tests/goldens/simulate_vibrations.py`.
    const GOLDEN: &str = include_str!("../../tests/goldens/simulate_vibrations.json");

    fn numbers(value: &serde_json::Value) -> Vec<f64> {
        let values = value.as_array().unwrap().iter();
        values.map(|number| number.as_f64().unwrap()).collect()
    }

    #[test]
    fn no_vibration_is_lost_be_the_molecule_linear_or_bent_by_rounding() {
        let golden: serde_json::Value = serde_json::from_str(GOLDEN).unwrap();
        let mut shapes = 0;
        for molecule in golden["molecules"].as_array().unwrap() {
            let smiles = &molecule["smiles"];
            let masses = numbers(&molecule["masses"]);
            for shape in molecule["geometries"].as_array().unwrap() {
                let positions = shape["bohr"].as_array().unwrap().iter().map(numbers);
                let nuclei: Vec<Nucleus> = positions
                    .zip(&masses)
                    .map(|(position, mass)| Nucleus {
                        mass: *mass,
                        position: position.try_into().unwrap(),
                    })
                    .collect();
                let hessian = numbers(&shape["hessian"]);
                let found = quanta(&nuclei, &hessian).unwrap();
                assert_eq!(
                    found.len() as u64,
                    molecule["modes"].as_u64().unwrap(),
                    "{smiles}"
                );
                let multiplicity = molecule["multiplicity"].as_u64().unwrap() as u32;
                let thermochemistry =
                    thermochemistry::of_a_molecule(&nuclei, &hessian, multiplicity);
                let thermochemistry = thermochemistry.unwrap();
                let error =
                    thermochemistry.zero_point - molecule["zero_point_hartree"].as_f64().unwrap();
                // 0.006 kcal/mol; a lost bend is a hundred times that.
                assert!(error.abs() < 1e-5, "{smiles}: {error} hartree off");
                let found = thermochemistry.quantities(0.0);
                for name in [ENTHALPY, GIBBS] {
                    let expected = molecule[name].as_f64().unwrap();
                    let error = found[name] - expected;
                    assert!(error.abs() < 1e-5, "{smiles}, {name}: {error} hartree off");
                }
                shapes += 1;
            }
        }
        assert_eq!(shapes, 16);
    }

    #[test]
    fn a_saddle_point_and_half_a_hessian_have_no_vibrations() {
        let hydrogen = |z| Nucleus {
            mass: 1.00783,
            position: [0.0, 0.0, z],
        };
        let nuclei = [hydrogen(0.0), hydrogen(1.4)];
        let mut triangle = [0.0; 21];
        // z of the first, z of the second with that of the first, z of the second.
        [triangle[5], triangle[17], triangle[20]] = [-0.37, 0.37, -0.37];
        let found = vibrations(&nuclei, &triangle);
        assert!(
            matches!(found, Err(VibrationError::Saddle { .. })),
            "{found:?}"
        );
        let found = vibrations(&nuclei, &triangle[..20]);
        assert!(
            matches!(found, Err(VibrationError::Size { .. })),
            "{found:?}"
        );
        assert_eq!(vibrations(&nuclei[..1], &[0.0; 6]), Ok(vec![]));
    }
}
