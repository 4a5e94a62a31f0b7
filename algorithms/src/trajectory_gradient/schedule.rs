//! Step sizes and momentum weights that fall as powers of the iteration.

use assay_environments::parameters::{ParameterError, require};
use serde::{Deserialize, Serialize};

/// Step sizes γ_t = scale/(t + offset)^exponent at iteration t = 0, 1, …
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepSize {
    /// The factor, above 0.
    pub scale: f64,
    /// t₀, above 0. The theorems have 2; more keeps the first steps short.
    pub offset: f64,
    /// The power, 0 (constant) to 1.
    pub exponent: f64,
}

impl StepSize {
    /// The same step size in every iteration.
    pub const fn constant(scale: f64) -> Self {
        StepSize { scale, offset: 1.0, exponent: 0.0 }
    }

    /// γ_t.
    pub fn at(self, iteration: u64) -> f64 {
        self.scale / (iteration as f64 + self.offset).powf(self.exponent)
    }

    /// Errors when a number is out of its range.
    pub fn validate(self) -> Result<(), ParameterError> {
        let positive = |x: f64| x > 0.0 && x.is_finite();
        require("step_size.scale", self.scale, positive(self.scale), "above 0")?;
        require("step_size.offset", self.offset, positive(self.offset), "above 0")?;
        require("step_size.exponent", self.exponent, (0.0..=1.0).contains(&self.exponent), "0 to 1")
    }
}

/// Momentum weights η_t = (offset/(t + offset))^exponent at iteration t = 0, 1, …
///
/// η_0 is always 1, so the first direction is the first gradient. With exponent 0 every η_t is 1: no
/// momentum at all.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Momentum {
    /// t₀, above 0. The theorems have 2.
    pub offset: f64,
    /// The power, 0 to 1.
    pub exponent: f64,
}

impl Momentum {
    /// η_t = (2/(t + 2))^exponent, as the theorems have it.
    pub const fn power(exponent: f64) -> Self {
        Momentum { offset: 2.0, exponent }
    }

    /// η_t.
    pub fn at(self, iteration: u64) -> f64 {
        (self.offset / (iteration as f64 + self.offset)).powf(self.exponent)
    }

    /// Errors when a number is out of its range.
    pub fn validate(self) -> Result<(), ParameterError> {
        let positive = self.offset > 0.0 && self.offset.is_finite();
        require("momentum.offset", self.offset, positive, "above 0")?;
        require("momentum.exponent", self.exponent, (0.0..=1.0).contains(&self.exponent), "0 to 1")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_the_powers_they_say() {
        let step = StepSize { scale: 6.0, offset: 2.0, exponent: 1.0 };
        assert_eq!((step.at(0), step.at(4)), (3.0, 1.0));
        assert_eq!(StepSize::constant(0.3).at(1_000_000), 0.3);
        let momentum = Momentum::power(0.8);
        assert_eq!(momentum.at(0), 1.0);
        assert!((momentum.at(62) - (1.0_f64 / 32.0).powf(0.8)).abs() < 1e-15);
        assert_eq!(Momentum::power(0.0).at(7), 1.0);
    }

    #[test]
    fn a_number_out_of_range_is_named() {
        let message = |result: Result<(), ParameterError>| result.unwrap_err().to_string();
        let step = StepSize { scale: 1.0, offset: 0.0, exponent: 1.0 };
        assert!(message(step.validate()).contains("`step_size.offset` is 0"));
        assert!(message(StepSize { offset: 1.0, exponent: 1.5, ..step }.validate()).contains("exponent"));
        assert!(message(StepSize::constant(-1.0).validate()).contains("`step_size.scale` is -1"));
        assert!(message(Momentum { offset: f64::NAN, exponent: 1.0 }.validate()).contains("momentum.offset"));
        assert!(message(Momentum::power(-0.1).validate()).contains("`momentum.exponent` is -0.1"));
    }
}
