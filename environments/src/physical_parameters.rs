//! Properties of the simulated world that can be changed: masses, friction, gravity, …

use serde::{Deserialize, Serialize};

use crate::{
    Error,
    parameters::{ParameterError, require, unknown},
};

/// An environment whose physics can be changed, for robust and randomised problems. The agent does
/// not observe the values.
///
/// [`Environment::physics`](crate::Environment::physics) hands out the ability.
pub trait PhysicalParameters {
    /// All parameters with their current values.
    fn physical_parameters(&self) -> Vec<PhysicalParameter>;

    /// Sets a parameter by name, from the next reset on. Errors when there is none of this name, or
    /// the value is out of the parameter's range.
    fn set_physical_parameter(&mut self, name: &str, value: f64) -> Result<(), Error>;
}

/// One physical parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhysicalParameter {
    /// Its name, for example `torso_mass`.
    pub name: String,
    /// The unit of its value; empty for a factor.
    pub unit: String,
    /// Its published value.
    pub nominal: f64,
    /// The smallest and the largest value beside the published one, which is always allowed.
    pub range: [f64; 2],
    /// Its current value.
    pub value: f64,
}

impl PhysicalParameter {
    /// Errors unless `value` is in the parameter's range or the published one.
    pub fn check(&self, value: f64) -> Result<(), ParameterError> {
        let [low, high] = self.range;
        let holds = (low..=high).contains(&value) || value == self.nominal;
        let allowed = format!("{low} to {high} {}", self.unit);
        require(&self.name, value, holds, allowed.trim_end())
    }
}

/// The index of the parameter called `name`; errors when there is none.
pub fn find(parameters: &[PhysicalParameter], name: &str) -> Result<usize, ParameterError> {
    parameters
        .iter()
        .position(|parameter| parameter.name == name)
        .ok_or_else(|| unknown("physical parameter", name, parameters.iter().map(|p| p.name.as_str())))
}
