//! Stochastic gradient descent with momentum, with PyTorch's conventions.

use assay_environments::parameters::{ParameterError, require};
use serde::{Deserialize, Serialize};

use super::clipping;
use crate::{
    Checkpoint, Error,
    tensor::{Device, Gradients, Moment, Parameters},
};

/// Gradient descent's settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SgdConfig {
    /// The velocity's factor μ, 0 to below 1: v ← μ v + g, θ ← θ − rate v (Sutskever et al. 2013).
    /// 0 for plain gradient descent.
    pub momentum: f64,
    /// The largest global norm of the gradients, if it is limited; positive.
    pub max_gradient_norm: Option<f64>,
}

impl SgdConfig {
    /// Errors when a setting is out of its range. `field` is the name under which the optimiser is
    /// configured.
    pub fn validate(&self, field: &str) -> Result<(), ParameterError> {
        let momentum = self.momentum;
        let allowed = (0.0..1.0).contains(&momentum);
        require(&format!("{field}.momentum"), momentum, allowed, "0 to below 1")?;
        let limit = self.max_gradient_norm.unwrap_or(1.0);
        require(&format!("{field}.max_gradient_norm"), limit, limit > 0.0, "above 0")
    }
}

/// Gradient descent over one or more modules.
#[derive(Debug)]
pub struct Sgd<D: Device> {
    config: SgdConfig,
    velocities: Vec<Moment<D>>,
}

impl<D: Device> Sgd<D> {
    /// An optimiser of these modules, with all velocities zero.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    pub fn new(config: SgdConfig, parameters: &[&Parameters<D>]) -> Result<Self, Error> {
        let velocities = parameters.iter().map(|p| Moment::new(p)).collect::<Result<_, _>>()?;
        Ok(Sgd { config, velocities })
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
        assert_eq!(parameters.len(), self.velocities.len(), "modules of the optimiser");
        let limit = self.config.max_gradient_norm.map(|x| x as f32);
        let (norm, scale) = clipping(parameters, gradients, limit)?;
        for (parameters, velocity) in parameters.iter_mut().zip(&mut self.velocities) {
            let momentum = self.config.momentum as f32;
            velocity.descend(parameters, gradients, scale, momentum, learning_rate as f32)?;
        }
        Ok(norm)
    }

    /// Stores the velocities as `name/velocity/module/part`.
    pub fn save(&self, name: &str, checkpoint: &mut Checkpoint) {
        let prefix = format!("{name}/velocity");
        self.velocities.iter().for_each(|velocity| velocity.save(&prefix, checkpoint));
    }

    /// Puts a saved state back.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when something is absent or has another shape.
    pub fn load(&mut self, name: &str, checkpoint: &Checkpoint) -> Result<(), Error> {
        let prefix = format!("{name}/velocity");
        self.velocities.iter_mut().try_for_each(|velocity| velocity.load(&prefix, checkpoint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{Cpu, Operations, backward};

    #[test]
    fn momentum_accumulates_and_survives_a_save() {
        let device = Cpu::open().unwrap();
        let config = SgdConfig { momentum: 0.5, ..SgdConfig::default() };
        let mut parameters = Parameters::free(&device, "module", &[1.0]).unwrap();
        let mut sgd = Sgd::new(config, &[&parameters]).unwrap();
        let step = |parameters: &mut Parameters<Cpu>, sgd: &mut Sgd<Cpu>| {
            let loss = parameters.record().sum_all();
            let (_, mut gradients) = backward(loss, "loss").unwrap();
            sgd.step(&mut [parameters], &mut gradients, 0.25).unwrap();
        };
        // Gradient 1 throughout: velocities 1, 1.5, 1.75.
        step(&mut parameters, &mut sgd);
        step(&mut parameters, &mut sgd);
        let mut checkpoint = Checkpoint::new();
        sgd.save("optimiser", &mut checkpoint);
        let mut restored = Sgd::new(config, &[&parameters]).unwrap();
        restored.load("optimiser", &checkpoint).unwrap();
        step(&mut parameters, &mut restored);
        assert_eq!(*parameters.values(), [1.0 - 0.25 * (1.0 + 1.5 + 1.75)]);
    }
}
