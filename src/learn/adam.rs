//! Adam (Kingma and Ba, arXiv:1412.6980, algorithm 1), with moments that can be saved and restored.
//!
//! Most rows of the first weight have no gradient in a step, and yet they move as long as they have
//! momentum. They wait: a row takes all its steps without a gradient at once, when it is next read,
//! in closed form. With m and v from before, the k-th of them moves a weight by
//! `rate_k beta_1^k m / (sqrt(v) d_k + epsilon)`, where `d_k = beta_2^(k/2) / sqrt(1 - beta_2^t)`.
//! All together move it by `sum m / (sqrt(v) + shift)`, with `sum` that of `w_k = rate_k beta_1^k /
//! d_k`, and `shift` the mean of `epsilon / d_k` with the weights w_k: equal to first order in
//! `epsilon / sqrt(v)`.

use super::network::{Gradient, QNetwork};

/// Optimiser state of one network.
#[derive(Clone, Debug)]
pub struct Adam {
    /// First moments of the parameters.
    pub first: QNetwork,
    /// Second moments of the parameters.
    pub second: QNetwork,
    /// Number of steps taken.
    pub steps: u64,
    /// Learning rate.
    pub rate: f64,
    /// Number of steps that each row of the first weight has taken.
    row_steps: Vec<u64>,
}

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

impl Adam {
    /// Creates the state before the first step of a network of these widths of input and hidden
    /// layers: all moments are zero.
    pub fn new(inputs: usize, hidden: &[usize], rate: f64) -> Self {
        let zeros = || QNetwork::zeros(inputs, hidden);
        Self::restored(zeros(), zeros(), 0, rate)
    }

    /// State whose rows have taken all steps.
    pub fn restored(first: QNetwork, second: QNetwork, steps: u64, rate: f64) -> Self {
        let first_layer = &first.layers[0];
        let inputs = first_layer.weight.len() / first_layer.bias.len();
        Self {
            first,
            second,
            steps,
            rate,
            row_steps: vec![steps; inputs],
        }
    }

    /// Updates every parameter of `network`, except the rows of the first weight without a gradient,
    /// which wait; those with one must not be waiting.
    pub fn step(&mut self, network: &mut QNetwork, gradient: &Gradient) {
        self.steps += 1;
        let step = Step::new(self.rate, self.steps);
        let moments = self.first.layers.iter_mut().zip(&mut self.second.layers);
        let layers = network.layers.iter_mut().zip(moments);
        for (number, ((layer, (first, second)), slope)) in layers.zip(&gradient.layers).enumerate()
        {
            step.take(
                &mut layer.bias,
                &mut first.bias,
                &mut second.bias,
                &slope.bias,
            );
            let (w, m, v) = (&mut layer.weight, &mut first.weight, &mut second.weight);
            if number > 0 {
                step.take(w, m, v, &slope.weight);
                continue;
            }
            let width = layer.bias.len();
            for (&row, slope) in gradient.rows.iter().zip(slope.weight.chunks_exact(width)) {
                let own = row as usize * width..(row as usize + 1) * width;
                step.take(&mut w[own.clone()], &mut m[own.clone()], &mut v[own], slope);
                self.row_steps[row as usize] = self.steps;
            }
        }
    }

    /// Brings rows of the first weight up to date, which the network is about to read.
    pub fn catch_up(&mut self, network: &mut QNetwork, rows: impl IntoIterator<Item = u32>) {
        let layers = (&mut network.layers[0], &mut self.first.layers[0]);
        let (layer, first, second) = (layers.0, layers.1, &mut self.second.layers[0]);
        let width = layer.bias.len();
        // By the number of steps that a row waited.
        let mut pauses: Vec<Option<Pause>> = Vec::new();
        for row in rows {
            let taken = &mut self.row_steps[row as usize];
            let waited = (self.steps - *taken) as usize;
            *taken = self.steps;
            let own = row as usize * width..(row as usize + 1) * width;
            let m = &mut first.weight[own.clone()];
            if waited == 0 || m.iter().all(|m| *m == 0.0) {
                continue;
            }
            if pauses.len() <= waited {
                pauses.resize(waited + 1, None);
            }
            let pause =
                pauses[waited].get_or_insert_with(|| Pause::new(self.rate, self.steps, waited));
            pause.take(&mut layer.weight[own.clone()], m, &mut second.weight[own]);
        }
    }

    /// Brings all rows up to date.
    pub fn settle(&mut self, network: &mut QNetwork) {
        self.catch_up(network, 0..self.row_steps.len() as u32);
    }
}

/// Factors of a step with a gradient.
struct Step {
    /// Learning rate divided by 1 - beta_1^t.
    rate: f32,
    /// 1 / sqrt(1 - beta_2^t).
    root_correction: f32,
}

impl Step {
    fn new(rate: f64, steps: u64) -> Self {
        Self {
            rate: corrected_rate(rate, steps) as f32,
            root_correction: root_correction(steps) as f32,
        }
    }

    /// m = beta_1 m + (1 - beta_1) g; v = beta_2 v + (1 - beta_2) g^2;
    /// w = w - rate m / (sqrt(v) root_correction + epsilon).
    fn take(&self, w: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32]) {
        let (keep_first, keep_second) = (BETA_1 as f32, BETA_2 as f32);
        let (take_first, take_second) = ((1.0 - BETA_1) as f32, (1.0 - BETA_2) as f32);
        for ((w, g), (m, v)) in w.iter_mut().zip(g).zip(m.iter_mut().zip(v)) {
            *m = keep_first * *m + take_first * g;
            *v = keep_second * *v + take_second * g * g;
            *w -= self.rate * *m / (v.sqrt() * self.root_correction + EPSILON as f32);
        }
    }
}

/// Factors of several steps without a gradient.
#[derive(Clone)]
struct Pause {
    sum: f32,
    shift: f32,
    first_decay: f32,
    second_decay: f32,
}

impl Pause {
    /// The last `count` of so many steps.
    fn new(rate: f64, steps: u64, count: usize) -> Self {
        let before = steps - count as u64;
        let (mut sum, mut shift) = (0.0, 0.0);
        for k in 1..=count as u64 {
            let t = before + k;
            let scale = BETA_2.powf(0.5 * k as f64) * root_correction(t);
            let weight = corrected_rate(rate, t) * BETA_1.powf(k as f64) / scale;
            sum += weight;
            shift += weight * EPSILON / scale;
        }
        Self {
            sum: sum as f32,
            shift: (shift / sum) as f32,
            first_decay: BETA_1.powf(count as f64) as f32,
            second_decay: BETA_2.powf(count as f64) as f32,
        }
    }

    fn take(&self, w: &mut [f32], m: &mut [f32], v: &mut [f32]) {
        for (w, (m, v)) in w.iter_mut().zip(m.iter_mut().zip(v)) {
            *w -= self.sum * *m / (v.sqrt() + self.shift);
            *m *= self.first_decay;
            *v *= self.second_decay;
        }
    }
}

fn corrected_rate(rate: f64, steps: u64) -> f64 {
    rate / (1.0 - BETA_1.powf(steps as f64))
}

fn root_correction(steps: u64) -> f64 {
    (1.0 - BETA_2.powf(steps as f64)).sqrt().recip()
}
