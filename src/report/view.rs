//! Three-dimensional view of a molecule, as SVG: what the page shows before, or without, a turn by
//! the pointer. `templates/report.js` draws in the same way.

use std::fmt::Write;

use handlebars::html_escape;
use serde::Serialize;

use crate::chem::Geometry;

/// Size of the picture, pixels.
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 300.0;
/// Margin around the sphere that holds all atoms, pixels.
const MARGIN: f64 = 20.0;
/// Most pixels for an angstrom.
const LARGEST_SCALE: f64 = 45.0;
/// Turns after which the view is towards the largest face, but not along bonds: radians.
const TILT: [f64; 2] = [0.35, 0.25];

type Vector = [f64; 3];

/// A geometry, ready to be drawn.
#[derive(Serialize)]
pub(super) struct View {
    /// File in the XYZ format.
    pub xyz: String,
    /// Bonded atoms, from 0: `0-1 1-2`.
    bonds: String,
    /// Rows of the rotation of the first view, nine numbers separated by blanks.
    turn: String,
    /// Picture.
    pub svg: String,
}

impl View {
    /// Returns the view of the geometry in a file in the XYZ format; None if the file is not readable
    /// or has no atom. `title`: description for screen readers.
    pub fn of(xyz: &str, title: &str) -> Option<Self> {
        let geometry = Geometry::from_xyz(xyz).ok()?;
        if geometry.atoms.is_empty() {
            return None;
        }
        let bonds = geometry.near_atoms();
        let turn = first_turn(&geometry);
        let pairs = bonds.iter().map(|(from, to)| format!("{from}-{to}"));
        let numbers = turn.iter().flatten().map(|x| format!("{x:.4}"));
        Some(Self {
            xyz: xyz.to_owned(),
            bonds: pairs.collect::<Vec<_>>().join(" "),
            turn: numbers.collect::<Vec<_>>().join(" "),
            svg: svg(&geometry, &bonds, &turn, title),
        })
    }
}

/// Returns the atoms' positions from their centre.
fn centred(geometry: &Geometry) -> Vec<Vector> {
    let count = geometry.atoms.len() as f64;
    let mean = |axis: usize| geometry.atoms.iter().map(|atom| atom.1[axis]).sum::<f64>() / count;
    let centre = [mean(0), mean(1), mean(2)];
    let atoms = geometry.atoms.iter();
    atoms
        .map(|(_, at)| std::array::from_fn(|axis| at[axis] - centre[axis]))
        .collect()
}

/// Rotation that lays the longest direction of a molecule along x and the next along y, tilted.
fn first_turn(geometry: &Geometry) -> [Vector; 3] {
    let places = centred(geometry);
    let longest = longest(&places, [1.0, 0.7, 0.3]);
    let flat = places.iter().map(|at| {
        let along = dot(*at, longest);
        std::array::from_fn(|axis| at[axis] - along * longest[axis])
    });
    let flat: Vec<Vector> = flat.collect();
    let start = cross(longest, [0.3, 0.5, 0.8]);
    let next = longest_across(&flat, start, longest);
    let turn = [longest, next, cross(longest, next)];
    let [x, y] = TILT;
    let about_x = [
        [1.0, 0.0, 0.0],
        [0.0, x.cos(), -x.sin()],
        [0.0, x.sin(), x.cos()],
    ];
    let about_y = [
        [y.cos(), 0.0, y.sin()],
        [0.0, 1.0, 0.0],
        [-y.sin(), 0.0, y.cos()],
    ];
    product(about_x, product(about_y, turn))
}

/// Direction in which places are spread most: power iteration on their covariance.
fn longest(places: &[Vector], start: Vector) -> Vector {
    let step = |axis: Vector| {
        let sum = places.iter().fold([0.0; 3], |sum: Vector, at| {
            let along = dot(*at, axis);
            std::array::from_fn(|n| sum[n] + along * at[n])
        });
        unit(sum).unwrap_or(axis)
    };
    (0..60).fold(unit(start).unwrap_or([1.0, 0.0, 0.0]), |axis, _| step(axis))
}

/// The same among directions at right angles to `to`.
fn longest_across(places: &[Vector], start: Vector, to: Vector) -> Vector {
    let axis = longest(places, start);
    let along = dot(axis, to);
    let across = unit(std::array::from_fn(|n| axis[n] - along * to[n]));
    // A start that happens to be parallel has an axis of the frame beside it.
    let beside = || unit(cross(to, [0.0, 0.0, 1.0])).or_else(|| unit(cross(to, [0.0, 1.0, 0.0])));
    across.or_else(beside).unwrap_or([0.0, 1.0, 0.0])
}

fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: Vector, b: Vector) -> Vector {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

fn unit(a: Vector) -> Option<Vector> {
    let length = dot(a, a).sqrt();
    (length > 1e-9).then(|| a.map(|x| x / length))
}

fn product(a: [Vector; 3], b: [Vector; 3]) -> [Vector; 3] {
    a.map(|row| std::array::from_fn(|n| (0..3).map(|k| row[k] * b[k][n]).sum()))
}

/// An atom or a bond, with its depth.
struct Shape {
    depth: f64,
    element: String,
}

fn svg(geometry: &Geometry, bonds: &[(usize, usize)], turn: &[Vector; 3], title: &str) -> String {
    let places = centred(geometry);
    let radius = places
        .iter()
        .map(|at| dot(*at, *at).sqrt())
        .fold(0.5, f64::max);
    let scale = ((HEIGHT / 2.0 - MARGIN) / radius).min(LARGEST_SCALE);
    let turned = places
        .iter()
        .map(|at| turn.map(|row| scale * dot(row, *at)));
    let turned: Vec<Vector> = turned.collect();
    let pixel = |n: usize| (WIDTH / 2.0 + turned[n][0], HEIGHT / 2.0 - turned[n][1]);
    let atoms = geometry.atoms.iter().enumerate().map(|(n, (symbol, _))| {
        let (x, y) = pixel(n);
        Shape {
            depth: turned[n][2],
            element: atom(symbol, (x, y), scale),
        }
    });
    let bonds = bonds.iter().map(|(from, to)| {
        let ((x, y), (to_x, to_y)) = (pixel(*from), pixel(*to));
        let width = 0.16 * scale;
        Shape {
            depth: f64::midpoint(turned[*from][2], turned[*to][2]),
            element: format!(
                "<path class=\"stick\" stroke-width=\"{width:.1}\" d=\"M{x:.1} {y:.1}L{to_x:.1} {to_y:.1}\"/>"
            ),
        }
    });
    let mut shapes: Vec<Shape> = bonds.chain(atoms).collect();
    shapes.sort_by(|a, b| a.depth.total_cmp(&b.depth));
    let mut svg = format!(
        "<svg id=\"view\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\"><title>{}</title>\n<g>",
        html_escape(title)
    );
    shapes.iter().for_each(|shape| svg.push_str(&shape.element));
    svg + "</g></svg>"
}

/// A circle, with the symbol of an element other than carbon and hydrogen.
fn atom(symbol: &str, (x, y): (f64, f64), scale: f64) -> String {
    let symbol = html_escape(symbol);
    let radius = scale * if symbol == "H" { 0.24 } else { 0.36 };
    let mut circle =
        format!("<circle class=\"atom {symbol}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\"/>");
    if symbol != "H" && symbol != "C" {
        let (foot, size) = (y + 0.35 * radius, radius);
        let _ = write!(
            circle,
            "<text class=\"symbol\" x=\"{x:.1}\" y=\"{foot:.1}\" font-size=\"{size:.1}\" text-anchor=\"middle\">{symbol}</text>"
        );
    }
    circle
}
