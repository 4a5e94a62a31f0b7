#![doc = include_str!("../docs/domain_randomisation.md")]

use assay_environments::{
    BatchedEnvironment,
    domain_randomisation::{DomainRandomisation, ParameterBox},
    parameters::ParameterError,
    random::Seed,
};
use serde::{Deserialize, Serialize};

use crate::{Error, Learner, catalogue::Configuration, sac, tensor::Device, uncertainty::resolve};

const NAME: &str = "domain-randomisation";

/// Configuration of SAC with randomised physics.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The range from which each physical parameter is drawn in every episode, by name and in its own
    /// unit. The others keep their values. Where it names none, all are drawn, from their whole ranges.
    pub uncertainty: ParameterBox,
    /// SAC's own settings.
    pub sac: sac::Config,
}

impl Configuration for Config {
    fn validate(&self) -> Result<(), ParameterError> {
        self.sac.validate()
    }

    fn learner<D: Device>(
        self,
        mut environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        device: D,
    ) -> Result<Box<dyn Learner>, Error> {
        let uncertainty = resolve(NAME, &self.uncertainty, &mut *environment)?;
        let randomised = DomainRandomisation::new(environment, uncertainty, seed)?;
        self.sac.learner(Box::new(randomised), seed, device)
    }
}
