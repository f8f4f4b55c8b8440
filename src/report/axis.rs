//! An axis of a chart: a range with round numbers on it.

/// Largest absolute value that is drawn: no energy in hartree is that large.
const MOST: f64 = 1e6;
/// Approximate number of ticks.
const TICKS: f64 = 5.0;

/// A range that begins and ends at round numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// Label, with the unit of the values.
    pub label: String,
    /// First end, in units of `step`.
    first: i64,
    /// Last end, in units of `step`.
    last: i64,
    /// 1, 2 or 5 times a power of ten.
    step: f64,
}

impl Axis {
    /// Returns an axis that holds all `values` up to 1e6 in size; from 0 to 1 if there are none.
    pub fn around(label: &str, values: impl IntoIterator<Item = f64>) -> Self {
        let range = values.into_iter().filter(|v| is_drawable(*v));
        let range = range.fold(None, |range, v| {
            let (low, high) = range.unwrap_or((v, v));
            Some((v.min(low), v.max(high)))
        });
        let (low, high) = range.unwrap_or((0.0, 1.0));
        let size = low.abs().max(high.abs()).max(1.0);
        // Values that differ by less than this share of their size are drawn as equal.
        let are_equal = high - low < 1e-6 * size;
        let widen = if are_equal { 0.1 * size } else { 0.0 };
        Self::of(label, low - widen, high + widen, 0.0)
    }

    /// Returns an axis of whole numbers from zero to `most` or a little more.
    pub fn counting(label: &str, most: usize) -> Self {
        Self::of(label, 0.0, most.max(1) as f64, 1.0)
    }

    fn of(label: &str, low: f64, high: f64, least_step: f64) -> Self {
        let step = round_step((high - low) / TICKS).max(least_step);
        Self {
            label: label.to_owned(),
            first: (low / step).floor() as i64,
            last: (high / step).ceil() as i64,
            step,
        }
    }

    /// Returns the position of a value on the axis, from 0 to 1; None outside.
    pub fn place(&self, value: f64) -> Option<f64> {
        let place = (value / self.step - self.first as f64) / (self.last - self.first) as f64;
        (-1e-9..=1.0 + 1e-9).contains(&place).then_some(place)
    }

    /// Iterates over the round numbers on it, both ends included, with their texts.
    pub fn ticks(&self) -> impl Iterator<Item = (f64, String)> {
        let decimals = (-self.step.log10().floor()).max(0.0) as usize;
        (self.first..=self.last).map(move |n| {
            let tick = n as f64 * self.step;
            (tick, format!("{tick:.decimals$}"))
        })
    }

    /// Returns the value at its first end.
    pub fn low(&self) -> f64 {
        self.first as f64 * self.step
    }

    /// Returns the value at its last end.
    pub fn high(&self) -> f64 {
        self.last as f64 * self.step
    }
}

fn is_drawable(value: f64) -> bool {
    value.abs() <= MOST
}

/// Returns the least of 1, 2 and 5 times a power of ten that is not below `step`.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powi(step.log10().floor() as i32);
    let times = [1.0, 2.0, 5.0].into_iter().find(|n| step <= n * power);
    times.unwrap_or(10.0) * power
}
