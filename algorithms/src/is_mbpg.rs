#![doc = include_str!("../docs/is_mbpg.md")]

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
        Agent, ImportanceWeight, Iterate, Method, PolicyConfig, PolicySearch, StepTaken, TrajectoryConfig,
        norm,
    },
};

/// Settings of IS-MBPG.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// k of the step size k/(m + f Σ‖g_i‖²)^(1/3), above 0. Authors' code: 0.75.
    pub scale: f64,
    /// m of the step size, above 0. Authors' code: 1.
    pub offset: f64,
    /// f of the step size, at least 0. Authors' code: 5.
    pub norm_weight: f64,
    /// c of the momentum weight c γ_t², above 0. Authors' code: 1.
    pub momentum_scale: f64,
    /// The least momentum weight, 0 to 1. Authors' code: 0.3.
    pub least_momentum: f64,
    /// Importance weights are limited to this, at least 1; absent for no limit. Authors' code: 1.2.
    pub weight_cap: Option<f64>,
    /// Trajectories and estimates.
    pub trajectories: TrajectoryConfig,
    /// The policy.
    pub policy: PolicyConfig,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            scale: 0.75,
            offset: 1.0,
            norm_weight: 5.0,
            momentum_scale: 1.0,
            least_momentum: 0.3,
            weight_cap: Some(1.2),
            trajectories: TrajectoryConfig::default(),
            policy: PolicyConfig::default(),
        }
    }
}

impl Configuration for Config {
    fn validate(&self) -> Result<(), ParameterError> {
        let positive = |x: f64| x > 0.0 && x.is_finite();
        require("scale", self.scale, positive(self.scale), "above 0")?;
        require("offset", self.offset, positive(self.offset), "above 0")?;
        let weight = self.norm_weight;
        require("norm_weight", weight, weight >= 0.0 && weight.is_finite(), "at least 0")?;
        require("momentum_scale", self.momentum_scale, positive(self.momentum_scale), "above 0")?;
        let least = self.least_momentum;
        require("least_momentum", least, (0.0..=1.0).contains(&least), "0 to 1")?;
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
        let method = IsMbpg::new(agent.initial_parameters(), &self);
        Ok(Box::new(PolicySearch::new(agent, method)))
    }
}

/// Momentum-based policy gradient with importance sampling.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IsMbpg {
    scale: f64,
    offset: f64,
    norm_weight: f64,
    momentum_scale: f64,
    least_momentum: f64,
    weight_cap: Option<f64>,
    iterate: Iterate,
    /// Σ‖g_i‖².
    squares: f64,
    /// η_t, which the step before has set.
    momentum: f64,
    /// g(τ_t, θ_t).
    #[serde(skip)]
    gradient: Vec<f64>,
    /// θ_{t−1}.
    #[serde(skip)]
    before: Vec<f64>,
    /// w g(τ_t, θ_{t−1}).
    #[serde(skip)]
    weighted: Vec<f64>,
}

impl IsMbpg {
    /// The method at θ_0.
    pub fn new(parameters: Vec<f64>, config: &Config) -> Self {
        IsMbpg {
            scale: config.scale,
            offset: config.offset,
            norm_weight: config.norm_weight,
            momentum_scale: config.momentum_scale,
            least_momentum: config.least_momentum,
            weight_cap: config.weight_cap,
            iterate: Iterate::new(parameters),
            squares: 0.0,
            momentum: 1.0,
            gradient: Vec::new(),
            before: Vec::new(),
            weighted: Vec::new(),
        }
    }
}

impl Method for IsMbpg {
    fn step(&mut self, agent: &mut Agent) -> Result<StepTaken, Error> {
        let IsMbpg { iterate, gradient, before, weighted, .. } = self;
        for buffer in [&mut *gradient, &mut *before, &mut *weighted] {
            buffer.resize(iterate.parameters.len(), 0.0);
        }
        let eta = self.momentum;

        // τ_t ~ π_{θ_t}; g(τ_t, θ_t) and w g(τ_t, θ_{t−1}), w the likelihood ratio of the trajectory.
        agent.sample(&iterate.parameters, 1)?;
        agent.gradient(&iterate.parameters, gradient);
        let mut largest_weight = f64::NAN;
        if iterate.iteration > 0 {
            iterate.extrapolate(-1.0, before);
            let cap = self.weight_cap.unwrap_or(f64::INFINITY);
            let importance = ImportanceWeight::WholeTrajectory { cap };
            largest_weight = agent.weighted_gradient(before, &iterate.parameters, importance, weighted);
        }

        // d_t = η_t g(τ_t, θ_t) + (1 − η_t)(d_{t−1} + g(τ_t, θ_t) − w g(τ_t, θ_{t−1})).
        for ((d, g), w) in iterate.direction.iter_mut().zip(&*gradient).zip(&*weighted) {
            *d = g + (1.0 - eta) * (*d - w);
        }

        // γ_t = k/(m + f Σ‖g_i‖²)^(1/3); η_{t+1} = c γ_t².
        self.squares += norm(gradient).powi(2);
        let step_size = self.scale / (self.offset + self.norm_weight * self.squares).cbrt();
        self.momentum = (self.momentum_scale * step_size * step_size).clamp(self.least_momentum, 1.0);

        iterate.ascend(step_size, false);
        Ok(StepTaken { step_size, momentum: eta, largest_weight })
    }

    fn iterate(&self) -> &Iterate {
        &self.iterate
    }
}
