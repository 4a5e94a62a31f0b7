//! How a number changes over a run.

use serde::{Deserialize, Serialize};

/// A learning rate, clip range or other coefficient over the course of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// Always the same.
    Constant(f64),
    /// From a first to a last value in proportion to the run's progress.
    Linear {
        /// At the start of the run.
        from: f64,
        /// At its end.
        to: f64,
    },
}

impl Schedule {
    /// The value when a fraction `progress` (0 to 1, clamped) of the run is done.
    pub fn at(self, progress: f64) -> f64 {
        match self {
            Schedule::Constant(value) => value,
            Schedule::Linear { from, to } => from + (to - from) * progress.clamp(0.0, 1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_schedule_meets_both_ends_and_stays_there() {
        let schedule = Schedule::Linear { from: 3.0, to: 1.0 };
        assert_eq!([-1.0, 0.0, 0.25, 1.0, 2.0].map(|p| schedule.at(p)), [3.0, 3.0, 2.5, 1.0, 1.0]);
        assert_eq!(Schedule::Constant(0.5).at(0.7), 0.5);
    }
}
