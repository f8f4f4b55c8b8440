//! The Q-network: a multilayer perceptron from an observation to the value of the reached state.
//!
//! An observation is a list of the few ones among its inputs. So the first layer, most of the
//! weights, is a sum of rows, and its gradient has only the rows at the ones. All is in single
//! precision and row-major.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::environment::StateObservation;

/// Fully connected layers with ReLU between them and one output.
#[derive(Clone, Debug, PartialEq)]
pub struct QNetwork {
    /// The layers, the first one at the observation; at least one.
    pub layers: Vec<Layer>,
}

/// Parameters of a layer, or numbers that belong to them: gradients, moments.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Inputs x outputs.
    pub weight: Vec<f32>,
    /// One number for each output.
    pub bias: Vec<f32>,
}

/// Gradient of a loss with respect to all parameters.
#[derive(Clone, Debug)]
pub struct Gradient {
    /// Rows of the first weight that have one, ascending; it is zero in all others.
    pub rows: Vec<u32>,
    /// Gradients of the layers; the first weight has only the rows above.
    pub layers: Vec<Layer>,
}

/// Outputs of a pass over a batch.
pub struct Pass {
    /// Outputs of each layer, observations x outputs, behind ReLU but for the last layer.
    outputs: Vec<Vec<f32>>,
}

impl Layer {
    /// Layer of zeros.
    pub fn zeros(inputs: usize, outputs: usize) -> Self {
        Self {
            weight: vec![0.0; inputs * outputs],
            bias: vec![0.0; outputs],
        }
    }

    fn inputs(&self) -> usize {
        self.weight.len() / self.outputs()
    }

    fn outputs(&self) -> usize {
        self.bias.len()
    }
}

impl QNetwork {
    /// Creates a network with these widths of input and hidden layers. Weights and biases are drawn
    /// uniformly from plus or minus 1/sqrt(inputs), PyTorch's default for linear layers.
    pub fn new(inputs: usize, hidden: &[usize], rng: &mut ChaCha8Rng) -> Self {
        let mut network = Self::zeros(inputs, hidden);
        for layer in &mut network.layers {
            // A bias has the bound of the weights of its layer.
            let bound = (layer.inputs() as f32).sqrt().recip();
            let Layer { weight, bias } = layer;
            for parameter in weight.iter_mut().chain(bias) {
                *parameter = rng.random_range(-bound..bound);
            }
        }
        network
    }

    /// Network of these widths whose parameters are zero.
    pub fn zeros(inputs: usize, hidden: &[usize]) -> Self {
        let widths: Vec<usize> = [inputs].iter().chain(hidden).chain(&[1]).copied().collect();
        let layers = widths.windows(2).map(|pair| Layer::zeros(pair[0], pair[1]));
        Self {
            layers: layers.collect(),
        }
    }

    /// Value of each observation, in order. Panics if an index is not below the number of inputs.
    pub fn values(&self, observations: &[&StateObservation]) -> Vec<f32> {
        self.pass(observations).into_values()
    }

    /// Outputs of all layers for a batch. Panics if an index is not below the number of inputs.
    pub fn pass(&self, observations: &[&StateObservation]) -> Pass {
        let mut outputs: Vec<Vec<f32>> = Vec::with_capacity(self.layers.len());
        for (number, layer) in self.layers.iter().enumerate() {
            let mut output = layer.bias.repeat(observations.len());
            match outputs.last() {
                None => layer.add_rows(observations, &mut output),
                Some(input) => multiply(
                    &mut output,
                    layer.outputs(),
                    matrix(input, layer.inputs()),
                    matrix(&layer.weight, layer.outputs()),
                ),
            }
            if number + 1 < self.layers.len() {
                output.iter_mut().for_each(|value| *value = value.max(0.0));
            }
            outputs.push(output);
        }
        Pass { outputs }
    }

    /// Gradient of a loss, from its derivatives with respect to the values of a pass.
    pub fn gradient(
        &self,
        observations: &[&StateObservation],
        pass: &Pass,
        derivatives: Vec<f32>,
    ) -> Gradient {
        let mut rows: Vec<u32> = observations
            .iter()
            .flat_map(|o| o.iter().copied())
            .collect();
        rows.sort_unstable();
        rows.dedup();
        let mut layers = Vec::with_capacity(self.layers.len());
        let mut upper = derivatives;
        for (number, layer) in self.layers.iter().enumerate().rev() {
            let Some(below) = number.checked_sub(1) else {
                layers.push(layer.sparse_gradient(&rows, observations, &upper));
                break;
            };
            let input = &pass.outputs[below];
            layers.push(layer.dense_gradient(input, &upper));
            let mut lower = vec![0.0; input.len()];
            multiply(
                &mut lower,
                layer.inputs(),
                matrix(&upper, layer.outputs()),
                matrix(&layer.weight, layer.outputs()).transpose(),
            );
            for (derivative, output) in lower.iter_mut().zip(input) {
                *derivative = if *output > 0.0 { *derivative } else { 0.0 };
            }
            upper = lower;
        }
        layers.reverse();
        Gradient { rows, layers }
    }
}

impl Layer {
    /// Adds to each row of `output` the rows of the weight at the ones of its observation.
    fn add_rows(&self, observations: &[&StateObservation], output: &mut [f32]) {
        let width = self.outputs();
        for (sum, ones) in output.chunks_exact_mut(width).zip(observations) {
            for &one in *ones {
                add(sum, &self.weight[one as usize * width..][..width]);
            }
        }
    }

    fn dense_gradient(&self, input: &[f32], upper: &[f32]) -> Self {
        let mut gradient = Self::zeros(self.inputs(), self.outputs());
        multiply(
            &mut gradient.weight,
            self.outputs(),
            matrix(input, self.inputs()).transpose(),
            matrix(upper, self.outputs()),
        );
        gradient.add_to_bias(upper);
        gradient
    }

    fn sparse_gradient(
        &self,
        rows: &[u32],
        observations: &[&StateObservation],
        upper: &[f32],
    ) -> Self {
        let width = self.outputs();
        let mut gradient = Self::zeros(rows.len(), width);
        for (derivative, ones) in upper.chunks_exact(width).zip(observations) {
            for one in *ones {
                let row = rows.binary_search(one).expect("rows has all ones");
                add(&mut gradient.weight[row * width..][..width], derivative);
            }
        }
        gradient.add_to_bias(upper);
        gradient
    }

    fn add_to_bias(&mut self, upper: &[f32]) {
        for derivative in upper.chunks_exact(self.bias.len()) {
            add(&mut self.bias, derivative);
        }
    }
}

impl Pass {
    /// Values of the observations.
    pub fn values(&self) -> &[f32] {
        self.outputs.last().map_or(&[], Vec::as_slice)
    }

    fn into_values(mut self) -> Vec<f32> {
        self.outputs.pop().unwrap_or_default()
    }
}

/// Mean of sqrt(1 + e^2) - 1 over the errors e = values - targets, and its derivatives with respect
/// to the values.
pub fn loss(values: &[f32], targets: &[f32]) -> (f32, Vec<f32>) {
    let count = values.len() as f32;
    let errors = values.iter().zip(targets).map(|(v, t)| v - t);
    let roots: Vec<(f32, f32)> = errors.map(|e| (e, (e * e + 1.0).sqrt())).collect();
    let sum: f32 = roots.iter().map(|(_, root)| root - 1.0).sum();
    let derivatives = roots.iter().map(|(e, root)| e / root / count);
    (sum / count, derivatives.collect())
}

fn add(sum: &mut [f32], row: &[f32]) {
    for (sum, value) in sum.iter_mut().zip(row) {
        *sum += value;
    }
}

/// Row-major matrix of so many columns.
fn matrix(values: &[f32], columns: usize) -> MatRef<'_, f32> {
    MatRef::from_row_major_slice(values, values.len() / columns, columns)
}

/// Adds the product of two matrices to a row-major one of so many columns, on one thread.
fn multiply(sum: &mut [f32], columns: usize, left: MatRef<f32>, right: MatRef<f32>) {
    let rows = sum.len() / columns;
    let sum = MatMut::from_row_major_slice_mut(sum, rows, columns);
    matmul(sum, Accum::Add, left, right, 1.0, Par::Seq);
}
