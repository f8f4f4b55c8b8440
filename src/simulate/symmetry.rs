//! Rotational symmetry number of a geometry.

use super::vibrations::{Nucleus, RigidRotor, cross, length};

/// Largest distance in bohr between an atom that a rotation has moved and the atom in whose place
/// it comes: that of relaxed geometries and of xtb.
const TOLERANCE: f64 = 0.1;

/// Number of proper rotations that turn a molecule into itself.
pub(super) fn symmetry_number(nuclei: &[Nucleus], rotor: &RigidRotor) -> u32 {
    let arms = &rotor.arms;
    // The isotope decides, so atoms of different mass never stand for each other.
    let alike = |a: usize, b: usize| nuclei[a].mass == nuclei[b].mass;
    let maps_onto_itself = |turn: &dyn Fn([f64; 3]) -> [f64; 3]| {
        (0..arms.len()).all(|atom| {
            let turned = turn(arms[atom]);
            (0..arms.len()).any(|other| alike(atom, other) && near(turned, arms[other]))
        })
    };
    if rotor.is_linear {
        // Half a turn about an axis across the molecule is its inversion.
        return 1 + u32::from(maps_onto_itself(&|arm| arm.map(|x| -x)));
    }
    let Some((first, second, frame)) = reference(arms) else {
        return 1;
    };
    let mut rotations = 0;
    for image in (0..arms.len()).filter(|image| alike(first, *image)) {
        for next in (0..arms.len()).filter(|next| alike(second, *next)) {
            if !same_triangle(arms, (first, second), (image, next)) {
                continue;
            }
            let Some(onto) = axes(arms[image], arms[next]) else {
                continue;
            };
            let turn = |arm: [f64; 3]| {
                let parts = frame.map(|axis| dot(axis, arm));
                std::array::from_fn(|x| (0..3).map(|k| parts[k] * onto[k][x]).sum())
            };
            rotations += u32::from(maps_onto_itself(&turn));
        }
    }
    // A distorted geometry maps onto itself at least without a rotation.
    rotations.max(1)
}

/// Axes at right angles, of length one.
type Axes = [[f64; 3]; 3];

/// Two atoms that fix a rotation, as far from the centre and from one line with it as possible.
fn reference(arms: &[[f64; 3]]) -> Option<(usize, usize, Axes)> {
    let pairs = (0..arms.len()).flat_map(|a| (0..arms.len()).map(move |b| (a, b)));
    let area = |(a, b): &(usize, usize)| length(cross(arms[*a], arms[*b]));
    let (a, b) = pairs.max_by(|p, q| area(p).total_cmp(&area(q)))?;
    Some((a, b, axes(arms[a], arms[b])?))
}

/// Axes along `a`, in the plane of `a` and `b`, and across it; None if there is no such plane.
fn axes(a: [f64; 3], b: [f64; 3]) -> Option<Axes> {
    let unit = |v: [f64; 3]| {
        let size = length(v);
        (size > 1e-6).then(|| v.map(|x| x / size))
    };
    let along = unit(a)?;
    let across = unit(cross(a, b))?;
    Some([along, cross(across, along), across])
}

/// Returns true if two pairs of atoms form equal triangles with the centre.
fn same_triangle(arms: &[[f64; 3]], (a, b): (usize, usize), (c, d): (usize, usize)) -> bool {
    let apart = |a: usize, b: usize| length(std::array::from_fn(|x| arms[a][x] - arms[b][x]));
    let close = |x: f64, y: f64| (x - y).abs() < 2.0 * TOLERANCE;
    close(length(arms[a]), length(arms[c]))
        && close(length(arms[b]), length(arms[d]))
        && close(apart(a, b), apart(c, d))
}

fn near(a: [f64; 3], b: [f64; 3]) -> bool {
    length(std::array::from_fn(|x| a[x] - b[x])) < TOLERANCE
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chem::units::angstrom_to_bohr;

    fn number(atoms: &[(f64, [f64; 3])]) -> u32 {
        let nuclei: Vec<Nucleus> = atoms
            .iter()
            .map(|(mass, position)| Nucleus {
                mass: *mass,
                position: position.map(angstrom_to_bohr),
            })
            .collect();
        symmetry_number(&nuclei, &RigidRotor::new(&nuclei).unwrap())
    }

    /// Atoms of a mass at a height, on a regular polygon whose first corner is at an angle.
    fn polygon(mass: f64, n: usize, radius: f64, height: f64, angle: f64) -> Vec<(f64, [f64; 3])> {
        (0..n)
            .map(|k| {
                let turn = angle + 2.0 * std::f64::consts::PI * k as f64 / n as f64;
                (mass, [radius * turn.cos(), radius * turn.sin(), height])
            })
            .collect()
    }

    /// G. Herzberg, Infrared and Raman Spectra (1945), table 140.
    #[test]
    fn symmetry_numbers_are_those_of_the_point_groups() {
        let (h, c, n, o) = (1.00783, 12.0, 14.00307, 15.99491);
        let methane = |masses: [f64; 4]| {
            let signs = [
                [1.0, 1.0, 1.0],
                [1.0, -1.0, -1.0],
                [-1.0, 1.0, -1.0],
                [-1.0, -1.0, 1.0],
            ];
            let hydrogens = masses.into_iter().zip(signs.map(|s| s.map(|x| 0.63 * x)));
            hydrogens.chain([(c, [0.0; 3])]).collect::<Vec<_>>()
        };
        let benzene = [polygon(c, 6, 1.39, 0.0, 0.1), polygon(h, 6, 2.47, 0.0, 0.1)].concat();
        let ethane = |twist: f64| {
            let ends = [
                polygon(h, 3, 1.02, 1.16, 0.0),
                polygon(h, 3, 1.02, -1.16, twist),
            ];
            [
                ends.concat(),
                vec![(c, [0.0, 0.0, 0.76]), (c, [0.0, 0.0, -0.76])],
            ]
            .concat()
        };
        let ammonia = [polygon(h, 3, 0.94, -0.27, 0.0), vec![(n, [0.0, 0.0, 0.11])]].concat();
        let water = vec![
            (o, [0.0, 0.0, 0.117]),
            (h, [0.0, 0.757, -0.469]),
            (h, [0.0, -0.757, -0.469]),
        ];
        let hydroxyl = |x: f64| (h, [x, 0.87 * x.signum(), 0.46]);
        let peroxide = vec![
            (o, [0.73, 0.0, 0.0]),
            (o, [-0.73, 0.0, 0.0]),
            hydroxyl(0.97),
            hydroxyl(-0.97),
        ];
        let dioxide = vec![(c, [0.0; 3]), (o, [0.0, 0.0, 1.16]), (o, [0.0, 0.0, -1.16])];
        let cyanide = vec![(c, [0.0; 3]), (n, [0.0, 0.0, 1.16]), (h, [0.0, 0.0, -1.06])];
        for (name, atoms, expected) in [
            ("water", water, 2),
            ("hydrogen peroxide", peroxide, 2),
            ("ammonia", ammonia, 3),
            ("methane", methane([h; 4]), 12),
            ("trideuteromethane", methane([h, 2.014, 2.014, 2.014]), 3),
            ("dideuteromethane", methane([h, h, 2.014, 2.014]), 2),
            ("benzene", benzene, 12),
            ("staggered ethane", ethane(std::f64::consts::PI), 6),
            ("ethane between", ethane(2.6), 6),
            ("carbon dioxide", dioxide, 2),
            ("hydrogen cyanide", cyanide, 1),
        ] {
            assert_eq!(number(&atoms), expected, "{name}");
        }
    }
}
