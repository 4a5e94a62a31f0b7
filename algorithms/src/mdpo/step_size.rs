//! Step sizes tₖ of mirror descent, as functions of the iteration.

use assay_environments::parameters::{ParameterError, require};
use serde::{Deserialize, Serialize};

/// How the step size tₖ changes over the K iterations k = 0, …, K − 1 of a run. The objective
/// weighs the divergence by 1/tₖ, so a larger step trusts the old policy less.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum StepSize {
    /// tₖ = `value`.
    Constant {
        /// The step size; positive.
        value: f64,
    },
    /// tₖ = max(`initial` · (1 − (k − 1)/K), `floor`). With `initial` = 1 this is the schedule of
    /// the authors' code, which starts at 1 + 1/K and falls to 2/K; the floor bounds the weight
    /// 1/tₖ near the end and wherever the run goes on beyond its K iterations.
    Linear {
        /// The scale; positive.
        initial: f64,
        /// The smallest step size; positive and at most `initial`.
        floor: f64,
    },
}

impl StepSize {
    /// The on-policy schedule of the authors' code, floored at 0.01.
    pub const PAPER: StepSize = StepSize::Linear { initial: 1.0, floor: 0.01 };

    /// The step size of iteration `k` (from 0) in a run of `iterations`.
    pub fn at(&self, k: u64, iterations: u64) -> f64 {
        match *self {
            StepSize::Constant { value } => value,
            StepSize::Linear { initial, floor } => {
                let progress = (k as f64 - 1.0) / iterations.max(1) as f64;
                (initial * (1.0 - progress)).max(floor)
            }
        }
    }

    /// Errors unless every step size is positive and finite.
    pub fn validate(&self) -> Result<(), ParameterError> {
        let positive = |field, x: f64| require(field, x, x > 0.0 && x.is_finite(), "positive and finite");
        match *self {
            StepSize::Constant { value } => positive("step_size.value", value),
            StepSize::Linear { initial, floor } => {
                positive("step_size.initial", initial)?;
                positive("step_size.floor", floor)?;
                require("step_size.floor", floor, floor <= initial, "at most step_size.initial")
            }
        }
    }
}

impl Default for StepSize {
    fn default() -> Self {
        StepSize::PAPER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paper_schedule_starts_above_one_and_falls_linearly_to_the_floor() {
        let schedule = StepSize::PAPER;
        assert_eq!(schedule.at(0, 10), 1.1);
        assert_eq!(schedule.at(1, 10), 1.0);
        assert_eq!(schedule.at(6, 10), 0.5);
        assert!((schedule.at(9, 10) - 0.2).abs() < 1e-15);
        // k = K + 1 is where the formula without a floor divides by zero.
        assert_eq!(schedule.at(11, 10), 0.01);
        assert_eq!(schedule.at(1000, 10), 0.01);
        assert_eq!(schedule.at(0, 0), 2.0);
    }

    #[test]
    fn step_sizes_that_are_not_positive_are_errors_that_name_the_field() {
        let message = |schedule: StepSize| schedule.validate().unwrap_err().to_string();
        assert!(message(StepSize::Constant { value: 0.0 }).contains("step_size.value"));
        assert!(message(StepSize::Constant { value: f64::NAN }).contains("NaN"));
        assert!(message(StepSize::Linear { initial: 1.0, floor: -1.0 }).contains("step_size.floor"));
        assert!(message(StepSize::Linear { initial: 0.1, floor: 0.2 }).contains("step_size.floor"));
        StepSize::PAPER.validate().unwrap();
    }
}
