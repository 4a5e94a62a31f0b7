//! Adam (Kingma and Ba 2014, arXiv 1412.6980, algorithm 1), with PyTorch's conventions.

use assay_environments::parameters::{ParameterError, require};
use serde::{Deserialize, Serialize};

use super::clipping;
use crate::{
    Checkpoint, Error,
    tensor::{AdamStep, Device, Gradients, Moments, Parameters},
};

/// Adam's settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamConfig {
    /// Decay β₁ of the first moment, 0 to below 1.
    pub beta1: f64,
    /// Decay β₂ of the second moment, 0 to below 1.
    pub beta2: f64,
    /// Added to √v̂, as in the paper and in PyTorch; positive.
    pub epsilon: f64,
    /// Decoupled weight decay λ: every step also subtracts learning rate × λ × parameter
    /// (Loshchilov and Hutter 2017, arXiv 1711.05101); 0 for none.
    pub weight_decay: f64,
    /// The largest global norm of the gradients, if it is limited; positive.
    pub max_gradient_norm: Option<f64>,
}

impl Default for AdamConfig {
    /// The paper's settings: β = (0.9, 0.999), ε = 1e-8, no decay, no limit.
    fn default() -> Self {
        AdamConfig { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0, max_gradient_norm: None }
    }
}

impl AdamConfig {
    /// Errors when a setting is out of its range. `field` is the name under which the optimiser is
    /// configured.
    pub fn validate(&self, field: &str) -> Result<(), ParameterError> {
        let decay = 0.0..1.0;
        let at = |name| format!("{field}.{name}");
        require(&at("beta1"), self.beta1, decay.contains(&self.beta1), "0 to below 1")?;
        require(&at("beta2"), self.beta2, decay.contains(&self.beta2), "0 to below 1")?;
        require(&at("epsilon"), self.epsilon, self.epsilon > 0.0, "above 0")?;
        require(&at("weight_decay"), self.weight_decay, self.weight_decay >= 0.0, "at least 0")?;
        let limit = self.max_gradient_norm.unwrap_or(1.0);
        require(&at("max_gradient_norm"), limit, limit > 0.0, "above 0")
    }
}

/// Adam over one or more modules.
#[derive(Debug)]
pub struct Adam<D: Device> {
    config: AdamConfig,
    steps: u64,
    moments: Vec<Moments<D>>,
}

impl<D: Device> Adam<D> {
    /// An optimiser of these modules, with all moments zero.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    pub fn new(config: AdamConfig, parameters: &[&Parameters<D>]) -> Result<Self, Error> {
        let moments = parameters.iter().map(|p| Moments::new(p)).collect::<Result<_, _>>()?;
        Ok(Adam { config, steps: 0, moments })
    }

    /// One step down the gradients, for the same modules in the same order as at the start.
    /// Returns the global norm of the gradients before it was limited.
    ///
    /// # Errors
    /// [`Error::NonFinite`] when that norm is not finite (nothing is changed then);
    /// [`Error::Device`] when the device fails.
    pub fn step(
        &mut self,
        parameters: &mut [&mut Parameters<D>],
        gradients: &mut Gradients<D>,
        learning_rate: f64,
    ) -> Result<f32, Error> {
        assert_eq!(parameters.len(), self.moments.len(), "modules of the optimiser");
        let limit = self.config.max_gradient_norm.map(|x| x as f32);
        let (norm, scale) = clipping(parameters, gradients, limit)?;
        self.steps += 1;
        let AdamConfig { beta1, beta2, epsilon, weight_decay, .. } = self.config;
        let steps = self.steps as f64;
        let step = AdamStep {
            scale,
            beta1: beta1 as f32,
            beta2: beta2 as f32,
            epsilon: epsilon as f32,
            rate: (learning_rate / (1.0 - beta1.powf(steps))) as f32,
            second_correction: (1.0 / (1.0 - beta2.powf(steps)).sqrt()) as f32,
            decay: (learning_rate * weight_decay) as f32,
        };
        for (parameters, moments) in parameters.iter_mut().zip(&mut self.moments) {
            moments.adam(parameters, gradients, &step)?;
        }
        Ok(norm)
    }

    /// Stores the moments as `name/first_moment/module/part` and `name/second_moment/module/part`.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when the state cannot be stored.
    pub fn save(&self, name: &str, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        checkpoint.put_record(&format!("{name}/steps"), &self.steps)?;
        self.moments.iter().for_each(|moments| moments.save(name, checkpoint));
        Ok(())
    }

    /// Puts a saved state back.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when something is absent or has another shape.
    pub fn load(&mut self, name: &str, checkpoint: &Checkpoint) -> Result<(), Error> {
        self.steps = checkpoint.record(&format!("{name}/steps"))?;
        self.moments.iter_mut().try_for_each(|moments| moments.load(name, checkpoint))
    }
}
