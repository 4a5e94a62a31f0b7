//! Algorithm 1, N-PG-IGT.

use assay_environments::{BatchedEnvironment, parameters::ParameterError, random::Seed};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Learner,
    catalogue::Configuration,
    tensor::Device,
    trajectory_gradient::{
        Agent, Iterate, Method, Momentum, PolicyConfig, PolicySearch, StepSize, StepTaken, TrajectoryConfig,
    },
};

/// Settings of N-PG-IGT.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NPgIgtConfig {
    /// Step lengths γ_t. Theorem: 6 M_g/(μ_F (t + 2)); here 2/(t + 40), see the page.
    pub step_size: StepSize,
    /// Weights η_t of the newest gradient. Theorem: (2/(t + 2))^(4/5).
    pub momentum: Momentum,
    /// Trajectories and estimates.
    pub trajectories: TrajectoryConfig,
    /// The policy.
    pub policy: PolicyConfig,
}

impl Default for NPgIgtConfig {
    fn default() -> Self {
        NPgIgtConfig {
            step_size: StepSize { scale: 2.0, offset: 40.0, exponent: 1.0 },
            momentum: Momentum::power(0.8),
            trajectories: TrajectoryConfig::default(),
            policy: PolicyConfig::default(),
        }
    }
}

impl Configuration for NPgIgtConfig {
    fn validate(&self) -> Result<(), ParameterError> {
        self.step_size.validate()?;
        self.momentum.validate()?;
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
        let method = NPgIgt::new(agent.initial_parameters(), self.step_size, self.momentum);
        Ok(Box::new(PolicySearch::new(agent, method)))
    }
}

/// Normalised policy gradient with implicit gradient transport.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NPgIgt {
    step_size: StepSize,
    momentum: Momentum,
    iterate: Iterate,
    /// θ̃_t.
    #[serde(skip)]
    look_ahead: Vec<f64>,
    /// g(τ_t, θ̃_t).
    #[serde(skip)]
    gradient: Vec<f64>,
}

impl NPgIgt {
    /// The method at θ_0.
    pub fn new(parameters: Vec<f64>, step_size: StepSize, momentum: Momentum) -> Self {
        let iterate = Iterate::new(parameters);
        NPgIgt { step_size, momentum, iterate, look_ahead: Vec::new(), gradient: Vec::new() }
    }
}

impl Method for NPgIgt {
    fn step(&mut self, agent: &mut Agent) -> Result<StepTaken, Error> {
        let NPgIgt { iterate, look_ahead, gradient, .. } = self;
        let step_size = self.step_size.at(iterate.iteration);
        let eta = self.momentum.at(iterate.iteration);

        // θ̃_t = θ_t + (1 − η_t)/η_t (θ_t − θ_{t−1}).
        look_ahead.resize(iterate.parameters.len(), 0.0);
        iterate.extrapolate((1.0 - eta) / eta, look_ahead);

        // τ_t ~ π_θ̃; d_t = (1 − η_t) d_{t−1} + η_t g(τ_t, θ̃_t).
        agent.sample(look_ahead, 1)?;
        gradient.resize(look_ahead.len(), 0.0);
        agent.gradient(look_ahead, gradient);
        for (d, g) in iterate.direction.iter_mut().zip(&*gradient) {
            *d = (1.0 - eta) * *d + eta * g;
        }

        // θ_{t+1} = θ_t + γ_t d_t/‖d_t‖.
        iterate.ascend(step_size, true);
        Ok(StepTaken { step_size, momentum: eta, largest_weight: f64::NAN })
    }

    fn iterate(&self) -> &Iterate {
        &self.iterate
    }
}
