//! Adam (Kingma and Ba, arXiv:1412.6980, algorithm 1), with moments that can be saved and restored.

use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, InplaceOp2, InplaceOp3, Layout, Result, Tensor, Var, bail};

use super::network::QNetwork;

/// The optimiser's state for one network: a first and a second moment for each parameter, and the
/// steps taken.
#[derive(Debug)]
pub struct Adam {
    pub first: Vec<Tensor>,
    pub second: Vec<Tensor>,
    pub steps: u64,
}

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

impl Adam {
    /// No step taken: all moments are zero.
    pub fn new(network: &QNetwork) -> Result<Self> {
        let zeros = || {
            let moments = network.parameters().map(|parameter| parameter.zeros_like());
            moments.collect::<Result<Vec<_>>>()
        };
        Ok(Self {
            first: zeros()?,
            second: zeros()?,
            steps: 0,
        })
    }

    /// Moves every parameter of `network` against its gradient.
    pub fn step(&mut self, network: &QNetwork, gradients: &GradStore, rate: f64) -> Result<()> {
        self.steps += 1;
        let steps = self.steps as f64;
        let update = Update {
            rate: (rate / (1.0 - BETA_1.powf(steps))) as f32,
            root_correction: (1.0 - BETA_2.powf(steps)).sqrt().recip() as f32,
        };
        let moments = self.first.iter().zip(&self.second);
        for (parameter, (first, second)) in network.parameters().zip(moments) {
            let gradient = gradient_of(parameter, gradients)?;
            first.inplace_op2(&gradient, &FirstMoment)?;
            second.inplace_op2(&gradient, &SecondMoment)?;
            parameter.inplace_op3(first, second, &update)?;
        }
        Ok(())
    }
}

/// A parameter that took no part in the loss has the gradient zero.
fn gradient_of(parameter: &Var, gradients: &GradStore) -> Result<Tensor> {
    match gradients.get(parameter) {
        Some(gradient) => gradient.contiguous(),
        None => parameter.zeros_like(),
    }
}

/// m = beta_1 m + (1 - beta_1) g
struct FirstMoment;

/// v = beta_2 v + (1 - beta_2) g^2
struct SecondMoment;

/// w = w - rate m / (sqrt(v) root_correction + epsilon)
struct Update {
    /// Learning rate over 1 - beta_1^t.
    rate: f32,
    /// 1 / sqrt(1 - beta_2^t).
    root_correction: f32,
}

impl InplaceOp2 for FirstMoment {
    fn name(&self) -> &'static str {
        "adam-first-moment"
    }

    fn cpu_fwd(&self, m: &mut CpuStorage, _: &Layout, g: &CpuStorage, _: &Layout) -> Result<()> {
        let (keep, take) = (BETA_1 as f32, (1.0 - BETA_1) as f32);
        for (m, g) in writable(m)?.iter_mut().zip(g.as_slice::<f32>()?) {
            *m = keep * *m + take * g;
        }
        Ok(())
    }
}

impl InplaceOp2 for SecondMoment {
    fn name(&self) -> &'static str {
        "adam-second-moment"
    }

    fn cpu_fwd(&self, v: &mut CpuStorage, _: &Layout, g: &CpuStorage, _: &Layout) -> Result<()> {
        let (keep, take) = (BETA_2 as f32, (1.0 - BETA_2) as f32);
        for (v, g) in writable(v)?.iter_mut().zip(g.as_slice::<f32>()?) {
            *v = keep * *v + take * g * g;
        }
        Ok(())
    }
}

impl InplaceOp3 for Update {
    fn name(&self) -> &'static str {
        "adam-update"
    }

    fn cpu_fwd(
        &self,
        w: &mut CpuStorage,
        _: &Layout,
        m: &CpuStorage,
        _: &Layout,
        v: &CpuStorage,
        _: &Layout,
    ) -> Result<()> {
        let moments = m.as_slice::<f32>()?.iter().zip(v.as_slice::<f32>()?);
        for (w, (m, v)) in writable(w)?.iter_mut().zip(moments) {
            *w -= self.rate * m / (v.sqrt() * self.root_correction + EPSILON as f32);
        }
        Ok(())
    }
}

/// All tensors here own their whole storage, so that layouts need no look.
fn writable(storage: &mut CpuStorage) -> Result<&mut [f32]> {
    match storage {
        CpuStorage::F32(values) => Ok(values),
        _ => bail!("the parameters of the network are not in single precision"),
    }
}
