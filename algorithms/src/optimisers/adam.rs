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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{Cpu, Operations, Recording, Scalar, backward};

    fn gradients(loss: Scalar<Cpu, Recording<Cpu>>) -> Gradients<Cpu> {
        backward(loss, "loss").unwrap().1
    }

    /// The algorithm of the paper, one number, double precision.
    struct Reference {
        first: f64,
        second: f64,
        steps: i32,
    }

    impl Reference {
        fn step(&mut self, x: f64, gradient: f64, rate: f64, config: &AdamConfig) -> f64 {
            self.steps += 1;
            self.first = config.beta1 * self.first + (1.0 - config.beta1) * gradient;
            self.second = config.beta2 * self.second + (1.0 - config.beta2) * gradient * gradient;
            let first = self.first / (1.0 - config.beta1.powi(self.steps));
            let second = self.second / (1.0 - config.beta2.powi(self.steps));
            x * (1.0 - rate * config.weight_decay) - rate * first / (second.sqrt() + config.epsilon)
        }
    }

    #[test]
    fn steps_are_those_of_the_paper_with_decoupled_decay_and_a_limited_global_norm() {
        let device = Cpu::open().unwrap();
        let limit = 0.5;
        let config =
            AdamConfig { weight_decay: 0.1, max_gradient_norm: Some(limit), ..AdamConfig::default() };
        let mut modules = [[1.0, -2.0, 0.5], [3.0, 0.1, -0.7]]
            .map(|values| Parameters::free(&device, "module", &values).unwrap());
        let mut expected: Vec<f64> =
            modules.iter().flat_map(|m| m.values().to_vec()).map(f64::from).collect();
        let mut references: Vec<Reference> =
            (0..6).map(|_| Reference { first: 0.0, second: 0.0, steps: 0 }).collect();
        let mut adam = Adam::new(config, &[&modules[0], &modules[1]]).unwrap();
        for i in 0..200 {
            let rate = 1e-2 / (1.0 + 0.1 * f64::from(i));
            let tensors = [0, 1].map(|m| modules[m].record());
            let [a, b] = tensors.map(|x| x.square().sum_all());
            let [first, second] = &mut modules;
            let norm = adam.step(&mut [first, second], &mut gradients(a + b), rate).unwrap();
            let gradient: Vec<f64> = expected.iter().map(|x| 2.0 * x).collect();
            let length = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
            assert!((f64::from(norm) - length).abs() < 1e-4 * length);
            let scale = if length > limit { limit / length } else { 1.0 };
            for ((x, reference), g) in expected.iter_mut().zip(&mut references).zip(&gradient) {
                *x = reference.step(*x, scale * g, rate, &config);
            }
        }
        for (x, y) in expected.iter().zip(modules.iter().flat_map(|m| m.values().to_vec())) {
            assert!((x - f64::from(y)).abs() < 1e-4, "{x} and {y}");
        }
    }

    #[test]
    fn a_saved_optimiser_continues_to_the_same_bits() {
        let device = Cpu::open().unwrap();
        let build = || {
            let parameters = Parameters::free(&device, "module", &[1.0, -2.0, 0.5]).unwrap();
            let adam = Adam::new(AdamConfig::default(), &[&parameters]).unwrap();
            (parameters, adam)
        };
        let run = |parameters: &mut Parameters<Cpu>, adam: &mut Adam<Cpu>| {
            for _ in 0..5 {
                let loss = parameters.record().square().sum_all();
                adam.step(&mut [parameters], &mut gradients(loss), 0.1).unwrap();
            }
        };
        let (mut parameters, mut adam) = build();
        run(&mut parameters, &mut adam);
        let mut checkpoint = Checkpoint::new();
        parameters.save(&mut checkpoint);
        adam.save("optimiser", &mut checkpoint).unwrap();
        run(&mut parameters, &mut adam);

        let (mut restored, mut restored_adam) = build();
        restored.load(&checkpoint).unwrap();
        restored_adam.load("optimiser", &checkpoint).unwrap();
        run(&mut restored, &mut restored_adam);
        assert_eq!(restored.values(), parameters.values());
        checkpoint.tensor("optimiser/second_moment/module/value", &[3], &mut [0.0; 3]).unwrap();
        assert!(restored_adam.load("other", &checkpoint).is_err());
    }

    #[test]
    fn a_gradient_that_is_no_number_is_an_error_and_changes_nothing() {
        let device = Cpu::open().unwrap();
        let mut parameters = Parameters::free(&device, "module", &[0.0]).unwrap();
        let mut adam = Adam::new(AdamConfig::default(), &[&parameters]).unwrap();
        // √x at zero: the loss is finite, its derivative is not.
        let loss = parameters.record().sqrt().sum_all();
        let error = adam.step(&mut [&mut parameters], &mut gradients(loss), 0.1).unwrap_err();
        assert!(matches!(error, Error::NonFinite { what: "gradient norm", .. }), "{error}");
        assert_eq!(*parameters.values(), [0.0]);
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let config = AdamConfig { beta2: 1.0, ..AdamConfig::default() };
        let message = config.validate("adam").unwrap_err().to_string();
        assert!(message.contains("adam.beta2"), "{message}");
        let config = AdamConfig { max_gradient_norm: Some(0.0), ..AdamConfig::default() };
        assert!(config.validate("adam").is_err());
        assert!(AdamConfig::default().validate("adam").is_ok());
    }
}
