#![doc = include_str!("../docs/hapg.md")]

use assay_environments::{
    BatchedEnvironment,
    parameters::{ParameterError, require},
    random::{Seed, Stream},
};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::{
    Error, Learner,
    catalogue::Configuration,
    tensor::Device,
    trajectory_gradient::{
        Agent, Iterate, Method, PolicyConfig, PolicySearch, StepSize, StepTaken, TrajectoryConfig,
    },
};

/// Settings of HAPG.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Step sizes, or step lengths where the step is normalised.
    pub step_size: StepSize,
    /// Whether every step has a length of its own choosing.
    pub normalised: bool,
    /// Steps of an epoch, at least 1: every so many steps the gradient is estimated afresh. Ours: 10.
    pub epoch: usize,
    /// The fresh gradient is from so many times the trajectories of the corrections, at least 1.
    /// Ours: 10.
    pub reference_batch: usize,
    /// Trajectories and estimates.
    pub trajectories: TrajectoryConfig,
    /// The policy.
    pub policy: PolicyConfig,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            step_size: StepSize::constant(0.05),
            normalised: false,
            epoch: 10,
            reference_batch: 10,
            trajectories: TrajectoryConfig::default(),
            policy: PolicyConfig::default(),
        }
    }
}

impl Configuration for Config {
    fn validate(&self) -> Result<(), ParameterError> {
        self.step_size.validate()?;
        require("epoch", self.epoch, self.epoch > 0, "at least 1")?;
        require("reference_batch", self.reference_batch, self.reference_batch > 0, "at least 1")?;
        self.trajectories.validate()?;
        self.policy.validate()
    }

    fn learner<D: Device>(
        self,
        environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        device: D,
    ) -> Result<Box<dyn Learner>, Error> {
        self.validate()?;
        let agent = Agent::new(self.trajectories, &self.policy, environment, seed, device)?;
        let method = Hapg::new(agent.initial_parameters(), &self, seed);
        Ok(Box::new(PolicySearch::new(agent, method)))
    }
}

/// Hessian-aided policy gradient.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hapg {
    step_size: StepSize,
    normalised: bool,
    epoch: usize,
    reference_batch: usize,
    /// Where the mixtures are drawn from.
    stream: Stream,
    iterate: Iterate,
    /// θ̂.
    #[serde(skip)]
    between: Vec<f64>,
    /// B(τ̂, θ̂)(θ_t − θ_{t−1}).
    #[serde(skip)]
    correction: Vec<f64>,
}

impl Hapg {
    /// The method at θ_0. Mixtures are drawn from the stream `"mixture"` of `seed`.
    pub fn new(parameters: Vec<f64>, config: &Config, seed: Seed) -> Self {
        Hapg {
            step_size: config.step_size,
            normalised: config.normalised,
            epoch: config.epoch,
            reference_batch: config.reference_batch,
            stream: seed.stream("mixture"),
            iterate: Iterate::new(parameters),
            between: Vec::new(),
            correction: Vec::new(),
        }
    }
}

impl Method for Hapg {
    fn step(&mut self, agent: &mut Agent) -> Result<StepTaken, Error> {
        let Hapg { iterate, between, correction, stream, .. } = self;
        let step_size = self.step_size.at(iterate.iteration);
        for buffer in [&mut *between, &mut *correction] {
            buffer.resize(iterate.parameters.len(), 0.0);
        }

        if iterate.iteration.is_multiple_of(self.epoch as u64) {
            // v_0 is the mean of g over the large batch.
            agent.sample(&iterate.parameters, self.reference_batch)?;
            agent.gradient(&iterate.parameters, &mut iterate.direction);
        } else {
            // v_t = v_{t−1} + mean of B(τ̂, θ̂)(θ_t − θ_{t−1}), with θ̂ uniform between the two.
            let q: f64 = stream.random();
            iterate.extrapolate(q - 1.0, between);
            agent.sample(between, 1)?;
            agent.hessian_product(between, &iterate.displacement, correction);
            for (d, v) in iterate.direction.iter_mut().zip(&*correction) {
                *d += v;
            }
        }

        iterate.ascend(step_size, self.normalised);
        Ok(StepTaken { step_size, momentum: f64::NAN, largest_weight: f64::NAN })
    }

    fn iterate(&self) -> &Iterate {
        &self.iterate
    }
}
