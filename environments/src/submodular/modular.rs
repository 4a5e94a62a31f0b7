//! Additive values: the limit in which submodular is no more than additive.

use serde::{Deserialize, Serialize};

use super::{Look, SetFunction, set_function::distinct};
use crate::Error;

/// F(A) = Σ of the states' own values: curvature 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Modular {
    values: Vec<f64>,
}

impl Modular {
    /// A function with these values of single states. Errors when one is negative or not finite.
    pub fn new(values: Vec<f64>) -> Result<Self, Error> {
        match values.iter().find(|value| !(value.is_finite() && **value >= 0.0)) {
            Some(value) => Err(Error::InvalidProcess { reason: format!("a state of value {value}") }),
            None => Ok(Modular { values }),
        }
    }
}

/// Nothing is remembered.
impl SetFunction for Modular {
    fn states(&self) -> usize {
        self.values.len()
    }

    fn value(&self, set: &[usize]) -> f64 {
        distinct(set).iter().map(|&state| self.values[state]).sum()
    }

    fn memory(&self, _capacity: usize) -> usize {
        0
    }

    fn gain(&self, _members: &[usize], _memory: &mut [f64], state: usize) -> f64 {
        self.values[state]
    }

    fn include(&self, _members: &[usize], _memory: &mut [f64], state: usize) -> f64 {
        self.values[state]
    }

    fn look(&self, members: &[usize], _memory: &[f64], state: usize) -> Look {
        let largest = self.values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        Look { value: self.values[state] / largest, done: members.contains(&state), group: None }
    }
}
