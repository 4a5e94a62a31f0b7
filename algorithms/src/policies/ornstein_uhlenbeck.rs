//! Noise that is correlated in time.

use assay_environments::{
    parameters::{ParameterError, require},
    random::Stream,
};
use rand::Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

/// An Ornstein–Uhlenbeck process around zero, dx = −θ x dt + σ dW, in steps of Euler and Maruyama
/// (Lillicrap et al. 2015, arXiv 1509.02971, section 3 and supplement).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrnsteinUhlenbeck {
    /// Rate θ of the return to zero, per unit of time; above 0. Lillicrap et al.: 0.15.
    pub reversion: f64,
    /// Time dt that a step takes; above 0, and below 2/θ, from where on the process grows.
    /// Stable-Baselines3: 0.01.
    pub time_step: f64,
}

impl Default for OrnsteinUhlenbeck {
    fn default() -> Self {
        OrnsteinUhlenbeck { reversion: 0.15, time_step: 0.01 }
    }
}

impl OrnsteinUhlenbeck {
    /// Errors when a setting is out of its range. `field` is the name under which the process is
    /// configured.
    pub fn validate(&self, field: &str) -> Result<(), ParameterError> {
        let OrnsteinUhlenbeck { reversion, time_step } = *self;
        let holds = reversion > 0.0 && reversion.is_finite();
        require(&format!("{field}.reversion"), reversion, holds, "above 0")?;
        let holds = time_step > 0.0 && time_step * reversion < 2.0;
        require(&format!("{field}.time_step"), time_step, holds, "above 0, below 2/reversion")
    }

    /// One step of every entry of `state`, with σ = `deviation`.
    pub fn step(&self, deviation: f64, rng: &mut Stream, state: &mut [f32]) {
        let (decay, noise) = (self.decay() as f32, (deviation * self.time_step.sqrt()) as f32);
        for x in state {
            *x = decay * *x + noise * rng.sample::<f32, _>(StandardNormal);
        }
    }

    /// The standard deviation that the process has after a long time.
    pub fn stationary_deviation(&self, deviation: f64) -> f64 {
        deviation * (self.time_step / (1.0 - self.decay().powi(2))).sqrt()
    }

    /// What a step leaves of the state.
    fn decay(&self) -> f64 {
        1.0 - self.reversion * self.time_step
    }
}

#[cfg(test)]
mod tests {
    use assay_environments::random::Seed;

    use super::*;

    #[test]
    fn the_process_has_its_stationary_deviation_and_the_correlation_of_its_decay() {
        let process = OrnsteinUhlenbeck { reversion: 0.5, time_step: 0.2 };
        let (deviation, steps, entries) = (0.7, 200, 20_000);
        let mut rng = Seed::new(1).stream("test");
        let mut state = vec![0.0; entries];
        for _ in 0..steps {
            process.step(deviation, &mut rng, &mut state);
        }
        let before = state.clone();
        process.step(deviation, &mut rng, &mut state);
        let mean = |products: &mut dyn Iterator<Item = f64>| products.sum::<f64>() / entries as f64;
        let variance = mean(&mut state.iter().map(|x| f64::from(x * x)));
        let covariance = mean(&mut state.iter().zip(&before).map(|(x, y)| f64::from(x * y)));
        let expected = process.stationary_deviation(deviation).powi(2);
        assert!((expected - 0.49 * 0.2 / (1.0 - 0.81)).abs() < 1e-12);
        assert!((variance / expected - 1.0).abs() < 0.03, "{variance} and {expected}");
        assert!((covariance / expected - 0.9).abs() < 0.03, "{covariance} and {expected}");
    }
}
