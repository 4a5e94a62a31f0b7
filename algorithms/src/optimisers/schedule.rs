//! How a number changes over a run.

use assay_environments::parameters::{ParameterError, require};
use serde::{Deserialize, Serialize};

/// A learning rate, clip range or other coefficient over the course of a run. In a configuration
/// it is a number, or a table with `from` and `to`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields, expecting = "neither a number nor a table with `from` and `to`")]
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

    /// Errors unless the value is in range throughout the run: `holds` is asked at both ends, and
    /// what lies between is between. `allowed` says in words what is.
    pub fn validate(
        self,
        field: &str,
        holds: impl Fn(f64) -> bool,
        allowed: &str,
    ) -> Result<(), ParameterError> {
        match self {
            Schedule::Constant(value) => require(field, value, holds(value), allowed),
            Schedule::Linear { from, to } => {
                require(&format!("{field}.from"), from, holds(from), allowed)?;
                require(&format!("{field}.to"), to, holds(to), allowed)
            }
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

    #[test]
    fn a_schedule_is_written_as_a_number_or_as_its_two_ends() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Config {
            rate: Schedule,
        }
        let read = |text: &str| toml::from_str::<Config>(text).map(|config| config.rate);
        assert_eq!(read("rate = 3e-4").unwrap(), Schedule::Constant(3e-4));
        assert_eq!(read("rate = 1").unwrap(), Schedule::Constant(1.0));
        let linear = Schedule::Linear { from: 1.0, to: 0.0 };
        assert_eq!(read("rate = { from = 1.0, to = 0.0 }").unwrap(), linear);
        let written = toml::to_string(&Config { rate: linear }).unwrap();
        assert_eq!(read(&written).unwrap(), linear);
        for wrong in ["rate = \"fast\"", "rate = { from = 1.0, end = 0.0 }"] {
            assert!(read(wrong).unwrap_err().message().contains("neither a number"), "{wrong}");
        }
    }

    #[test]
    fn a_value_out_of_range_at_either_end_is_named() {
        let positive = |x: f64| x > 0.0;
        let linear = Schedule::Linear { from: 1.0, to: -1.0 };
        let message = linear.validate("rate", positive, "above 0").unwrap_err().to_string();
        assert!(message.contains("`rate.to` is -1"), "{message}");
        assert!(Schedule::Constant(0.0).validate("rate", positive, "above 0").is_err());
        assert!(Schedule::Constant(f64::NAN).validate("rate", positive, "above 0").is_err());
        Schedule::Constant(1.0).validate("rate", positive, "above 0").unwrap();
    }
}
