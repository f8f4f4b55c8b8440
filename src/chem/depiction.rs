//! Drawings: the structural formula of a molecule as SVG, and the atoms that are to be joined in a
//! picture of a geometry.

use super::bonds::covalent_radius;
use super::{Geometry, Molecule};

/// Distance up to which atoms are joined, as a multiple of the sum of their covalent radii.
const NEAR: f64 = 1.25;
/// Covalent radius of other elements, angstrom.
const OTHER: f64 = 1.4;

/// End of what the toolkit writes before its drawing.
const HEADER: &str = "<!-- END OF HEADER -->";
/// Beginning of its background.
const BACKGROUND: &str = "<rect";
/// Its colour of carbon.
const BLACK: &str = "#000000";

impl Molecule {
    /// Returns an `<svg>` element with the molecule's structural formula, to be put into a page: hidden
    /// from screen readers, without a background, black in the colour of the text around it. `width`
    /// and `height` are in pixels. None if the toolkit cannot draw it.
    pub fn depiction(&self, width: u32, height: u32) -> Option<String> {
        let svg = self.inner().to_svg(width, height).ok()?;
        let (_, drawn) = svg.split_once(HEADER)?;
        let lines = drawn.lines().filter(|line| !line.starts_with(BACKGROUND));
        let drawn: String = lines
            .map(|line| line.replace(BLACK, "currentColor"))
            .collect();
        Some(format!(
            "<svg viewBox=\"0 0 {width} {height}\" aria-hidden=\"true\">{drawn}"
        ))
    }
}

impl Geometry {
    /// Returns the pairs of atoms that are as near as bonded ones, by their numbers from 0.
    pub fn near_atoms(&self) -> Vec<(usize, usize)> {
        let radius = |n: usize| covalent_radius(&self.atoms[n].0).unwrap_or(OTHER);
        let square = |a: usize, b: usize| {
            let (a, b) = (self.atoms[a].1, self.atoms[b].1);
            a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>()
        };
        let pairs = (0..self.atoms.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
        let near =
            |&(a, b): &(usize, usize)| square(a, b) < (NEAR * (radius(a) + radius(b))).powi(2);
        pairs.filter(near).collect()
    }
}
