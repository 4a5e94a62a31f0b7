#![doc = include_str!("../docs/storm_pg.md")]

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
        Agent, ImportanceWeight, Iterate, Method, Momentum, PolicyConfig, PolicySearch, StepSize, StepTaken,
        TrajectoryConfig,
    },
};

/// Settings of STORM-PG.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Step sizes γ_t, or step lengths where the step is normalised. Paper: constant.
    pub step_size: StepSize,
    /// Weights η_t (the paper's α). Here 2/(t + 2), as for N-HARPG.
    pub momentum: Momentum,
    /// Whether every step has the length γ_t. Paper: no.
    pub normalised: bool,
    /// The first gradient is from so many times the trajectories of the others, at least 1. Ours: 10.
    pub first_batch: usize,
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
            momentum: Momentum::power(1.0),
            normalised: false,
            first_batch: 10,
            weight_cap: None,
            trajectories: TrajectoryConfig::default(),
            policy: PolicyConfig::default(),
        }
    }
}

impl Configuration for Config {
    fn validate(&self) -> Result<(), ParameterError> {
        self.step_size.validate()?;
        self.momentum.validate()?;
        require("first_batch", self.first_batch, self.first_batch > 0, "at least 1")?;
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
        let method = StormPg::new(agent.initial_parameters(), &self);
        Ok(Box::new(PolicySearch::new(agent, method)))
    }
}

/// Stochastic recursive momentum with importance weights.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StormPg {
    step_size: StepSize,
    momentum: Momentum,
    normalised: bool,
    first_batch: usize,
    weight_cap: Option<f64>,
    iterate: Iterate,
    /// g(τ_t, θ_t).
    #[serde(skip)]
    gradient: Vec<f64>,
    /// θ_{t−1}.
    #[serde(skip)]
    before: Vec<f64>,
    /// g_w(τ_t, θ_{t−1}).
    #[serde(skip)]
    weighted: Vec<f64>,
}

impl StormPg {
    /// The method at θ_0.
    pub fn new(parameters: Vec<f64>, config: &Config) -> Self {
        StormPg {
            step_size: config.step_size,
            momentum: config.momentum,
            normalised: config.normalised,
            first_batch: config.first_batch,
            weight_cap: config.weight_cap,
            iterate: Iterate::new(parameters),
            gradient: Vec::new(),
            before: Vec::new(),
            weighted: Vec::new(),
        }
    }
}

impl Method for StormPg {
    fn step(&mut self, agent: &mut Agent) -> Result<StepTaken, Error> {
        let StormPg { iterate, gradient, before, weighted, .. } = self;
        let step_size = self.step_size.at(iterate.iteration);
        let eta = self.momentum.at(iterate.iteration);
        for buffer in [&mut *gradient, &mut *before, &mut *weighted] {
            buffer.resize(iterate.parameters.len(), 0.0);
        }

        // τ_t ~ π_{θ_t}; g(τ_t, θ_t) and, with the same trajectories, g_w(τ_t, θ_{t−1}).
        let first = iterate.iteration == 0;
        agent.sample(&iterate.parameters, if first { self.first_batch } else { 1 })?;
        agent.gradient(&iterate.parameters, gradient);
        let mut largest_weight = f64::NAN;
        if !first {
            iterate.extrapolate(-1.0, before);
            let importance = ImportanceWeight::PerStep { cap: self.weight_cap.unwrap_or(f64::INFINITY) };
            largest_weight = agent.weighted_gradient(before, &iterate.parameters, importance, weighted);
        }

        // d_t = g(τ_t, θ_t) + (1 − η_t)(d_{t−1} − g_w(τ_t, θ_{t−1})).
        for ((d, g), w) in iterate.direction.iter_mut().zip(&*gradient).zip(&*weighted) {
            *d = g + (1.0 - eta) * (*d - w);
        }

        iterate.ascend(step_size, self.normalised);
        Ok(StepTaken { step_size, momentum: eta, largest_weight })
    }

    fn iterate(&self) -> &Iterate {
        &self.iterate
    }
}
