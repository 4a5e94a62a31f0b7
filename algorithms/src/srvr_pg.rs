#![doc = include_str!("../docs/srvr_pg.md")]

use assay_environments::{
    BatchedEnvironment,
    parameters::{ParameterError, require},
    random::Seed,
};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Learner,
    catalogue::Configuration,
    tensor::Device,
    trajectory_gradient::{
        Agent, ImportanceWeight, Iterate, Method, PolicyConfig, PolicySearch, StepSize, StepTaken,
        TrajectoryConfig,
    },
};

/// Settings of SRVR-PG.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Step sizes, or step lengths where the step is normalised. Paper: constant.
    pub step_size: StepSize,
    /// Whether every step has a length of its own choosing. Paper: no.
    pub normalised: bool,
    /// Steps of an epoch m, at least 1: every m-th gradient is estimated afresh. Ours: 10.
    pub epoch: usize,
    /// The fresh gradient is from so many times the trajectories of the others, N/B, at least 1.
    /// Ours: 10.
    pub reference_batch: usize,
    /// Importance weights are limited to this, at least 1; absent for no limit. Paper: none.
    pub weight_cap: Option<f64>,
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
            weight_cap: None,
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
        let cap = self.weight_cap.unwrap_or(1.0);
        require("weight_cap", cap, cap >= 1.0, "at least 1")?;
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
        let method = SrvrPg::new(agent.initial_parameters(), &self);
        Ok(Box::new(PolicySearch::new(agent, method)))
    }
}

/// Stochastic recursive variance-reduced policy gradient.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SrvrPg {
    step_size: StepSize,
    normalised: bool,
    epoch: usize,
    reference_batch: usize,
    weight_cap: Option<f64>,
    iterate: Iterate,
    /// g(τ, θ_t).
    #[serde(skip)]
    gradient: Vec<f64>,
    /// θ_{t−1}.
    #[serde(skip)]
    before: Vec<f64>,
    /// g_w(τ, θ_{t−1}).
    #[serde(skip)]
    weighted: Vec<f64>,
}

impl SrvrPg {
    /// The method at θ_0.
    pub fn new(parameters: Vec<f64>, config: &Config) -> Self {
        SrvrPg {
            step_size: config.step_size,
            normalised: config.normalised,
            epoch: config.epoch,
            reference_batch: config.reference_batch,
            weight_cap: config.weight_cap,
            iterate: Iterate::new(parameters),
            gradient: Vec::new(),
            before: Vec::new(),
            weighted: Vec::new(),
        }
    }
}

impl Method for SrvrPg {
    fn step(&mut self, agent: &mut Agent) -> Result<StepTaken, Error> {
        let SrvrPg { iterate, gradient, before, weighted, .. } = self;
        let step_size = self.step_size.at(iterate.iteration);
        for buffer in [&mut *gradient, &mut *before, &mut *weighted] {
            buffer.resize(iterate.parameters.len(), 0.0);
        }

        let mut largest_weight = f64::NAN;
        if iterate.iteration.is_multiple_of(self.epoch as u64) {
            // v_0 is the mean of g over N trajectories.
            agent.sample(&iterate.parameters, self.reference_batch)?;
            agent.gradient(&iterate.parameters, &mut iterate.direction);
        } else {
            // v_t = v_{t−1} + mean of g(τ, θ_t) − g_w(τ, θ_{t−1}) over B trajectories from π_{θ_t}.
            agent.sample(&iterate.parameters, 1)?;
            agent.gradient(&iterate.parameters, gradient);
            iterate.extrapolate(-1.0, before);
            let importance = ImportanceWeight::PerStep { cap: self.weight_cap.unwrap_or(f64::INFINITY) };
            largest_weight = agent.weighted_gradient(before, &iterate.parameters, importance, weighted);
            for ((d, g), w) in iterate.direction.iter_mut().zip(&*gradient).zip(&*weighted) {
                *d += g - w;
            }
        }

        iterate.ascend(step_size, self.normalised);
        Ok(StepTaken { step_size, momentum: f64::NAN, largest_weight })
    }

    fn iterate(&self) -> &Iterate {
        &self.iterate
    }
}
