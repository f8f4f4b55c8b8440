//! Pareto dominance, ranking and hypervolume of points whose coordinates are all minimised.

use std::cmp::Ordering;

/// Returns true if `one` is nowhere worse than `other`, and somewhere better.
pub fn dominates(one: &[f64], other: &[f64]) -> bool {
    let pairs = || one.iter().zip(other);
    pairs().all(|(a, b)| a <= b) && pairs().any(|(a, b)| a < b)
}

/// Returns the indices of the points, the best first: by non-dominated front, then by crowding
/// distance, the largest first, then by index (K. Deb et al., IEEE Trans. Evol. Comput. 6, 182,
/// 2002).
pub fn ranked(points: &[&[f64]]) -> Vec<usize> {
    let mut order = Vec::with_capacity(points.len());
    for front in fronts(points) {
        let distances = crowding(points, &front);
        let mut placed: Vec<(f64, usize)> = distances.into_iter().zip(front).collect();
        placed.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        order.extend(placed.into_iter().map(|(_, index)| index));
    }
    order
}

/// Returns the non-dominated fronts, the best first, by efficient non-dominated sorting (X. Zhang et
/// al., IEEE Trans. Evol. Comput. 19, 201, 2015): in lexicographic order a point can be dominated
/// only by points before it.
fn fronts(points: &[&[f64]]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|a, b| lexicographic(points[*a], points[*b]).then(a.cmp(b)));
    let mut fronts: Vec<Vec<usize>> = Vec::new();
    for index in order {
        let is_dominated = |front: &Vec<usize>| {
            // With two coordinates the last of a front has the lowest second one.
            let rivals = match points[index].len() {
                2 => &front[front.len() - 1..],
                _ => front.as_slice(),
            };
            let mut rivals = rivals.iter().rev();
            rivals.any(|rival| dominates(points[*rival], points[index]))
        };
        // A point that no point of a front dominates is dominated by none of a later front.
        let place = fronts.partition_point(is_dominated);
        match fronts.get_mut(place) {
            Some(front) => front.push(index),
            None => fronts.push(vec![index]),
        }
    }
    fronts
}

fn lexicographic(one: &[f64], other: &[f64]) -> Ordering {
    let mut pairs = one.iter().zip(other);
    let first = pairs.find_map(|(a, b)| Some(a.total_cmp(b)).filter(|o| o.is_ne()));
    first.unwrap_or(Ordering::Equal)
}

/// Crowding distance of each point of a front: the sum over the coordinates of the gap between its
/// neighbours, in units of the front's extent; infinite at the ends.
fn crowding(points: &[&[f64]], front: &[usize]) -> Vec<f64> {
    let mut distances = vec![0.0; front.len()];
    let coordinates = front.first().map_or(0, |first| points[*first].len());
    (0..coordinates).for_each(|axis| {
        let at = |place: usize| points[front[place]][axis];
        let mut order: Vec<usize> = (0..front.len()).collect();
        order.sort_by(|a, b| at(*a).total_cmp(&at(*b)).then(front[*a].cmp(&front[*b])));
        let (first, last) = (order[0], order[order.len() - 1]);
        let extent = at(last) - at(first);
        for three in order.windows(3) {
            if extent > 0.0 {
                distances[three[1]] += (at(three[2]) - at(three[0])) / extent;
            }
        }
        distances[first] = f64::INFINITY;
        distances[last] = f64::INFINITY;
    });
    distances
}

/// Volume that the points dominate within `reference`, exact: by slices along the last coordinate
/// (L. While et al., IEEE Trans. Evol. Comput. 10, 29, 2006). Points that are not better than the
/// reference in every coordinate add nothing.
pub fn hypervolume(points: &[&[f64]], reference: &[f64]) -> f64 {
    let within = |point: &&&[f64]| point.iter().zip(reference).all(|(p, r)| p < r);
    let mut inside: Vec<&[f64]> = points.iter().filter(within).copied().collect();
    let Some(last) = reference.len().checked_sub(1) else {
        return 0.0;
    };
    inside.sort_by(|a, b| a[last].total_cmp(&b[last]).then(lexicographic(a, b)));
    volume(&inside, reference)
}

/// Volume of points inside the reference, in the order of their last coordinate.
fn volume(points: &[&[f64]], reference: &[f64]) -> f64 {
    let last = reference.len() - 1;
    if last == 0 {
        return points.first().map_or(0.0, |point| reference[0] - point[0]);
    }
    let mut total = 0.0;
    // The points so far in the order of the coordinate before.
    let mut slice: Vec<&[f64]> = Vec::new();
    for (index, point) in points.iter().enumerate() {
        let place = slice.partition_point(|other| other[last - 1] <= point[last - 1]);
        slice.insert(place, point);
        let next = points.get(index + 1).map_or(reference[last], |p| p[last]);
        if next > point[last] {
            total += volume(&slice, &reference[..last]) * (next - point[last]);
        }
    }
    total
}

/// Hypervolume that a point adds to a front.
pub fn improvement(point: &[f64], front: &[&[f64]], reference: &[f64]) -> f64 {
    if front.iter().any(|other| dominates(other, point)) {
        return 0.0;
    }
    let with: Vec<&[f64]> = front.iter().copied().chain([point]).collect();
    (hypervolume(&with, reference) - hypervolume(front, reference)).max(0.0)
}
