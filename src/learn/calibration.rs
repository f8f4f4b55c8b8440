//! Calibration: a factor of predicted standard deviations, from errors.

/// Standard deviations from the mean within which half of a normal distribution lies.
const WITHIN_50: f64 = 0.674_489_750_196_082;
/// The same for 90 %.
const WITHIN_90: f64 = 1.644_853_626_951_472;
/// Number of errors for which the factor 1 counts.
const UNIT_ERRORS: f64 = 3.0;

/// Factor of the standard deviations such that the errors, in standard deviations, have the median and
/// the 90 % quantile of a normal distribution as nearly as one factor can; with few errors it stays
/// near 1, with none it is 1. Errors have heavier tails than a normal distribution.
pub fn calibration(errors: &[f64]) -> f64 {
    let mut sizes: Vec<f64> = errors.iter().map(|error| error.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    let Some(last) = sizes.len().checked_sub(1) else {
        return 1.0;
    };
    let quantile = |fraction: f64| sizes[(fraction * last as f64).round() as usize];
    let factor = 0.5 * (quantile(0.5) / WITHIN_50 + quantile(0.9) / WITHIN_90);
    let count = sizes.len() as f64;
    (count * factor + UNIT_ERRORS) / (count + UNIT_ERRORS)
}
