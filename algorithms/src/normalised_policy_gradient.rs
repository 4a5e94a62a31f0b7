#![doc = include_str!("../docs/normalised_policy_gradient.md")]

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

/// Settings of the normalised policy gradient with momentum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Step lengths γ_t, or step sizes where the step is not normalised. 2/(t + 40), as for N-HARPG.
    pub step_size: StepSize,
    /// Weights η_t of the newest gradient. (2/(t + 2))^(2/3); exponent 0 is no momentum.
    pub momentum: Momentum,
    /// Whether every step has the length γ_t. Off is the plain policy gradient.
    pub normalised: bool,
    /// Trajectories and estimates.
    pub trajectories: TrajectoryConfig,
    /// The policy.
    pub policy: PolicyConfig,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            step_size: StepSize { scale: 2.0, offset: 40.0, exponent: 1.0 },
            momentum: Momentum::power(2.0 / 3.0),
            normalised: true,
            trajectories: TrajectoryConfig::default(),
            policy: PolicyConfig::default(),
        }
    }
}

impl Configuration for Config {
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
        let method = MomentumPolicyGradient::new(
            agent.initial_parameters(),
            self.step_size,
            self.momentum,
            self.normalised,
        );
        Ok(Box::new(PolicySearch::new(agent, method)))
    }
}

/// Policy gradient with momentum, normalised or not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MomentumPolicyGradient {
    step_size: StepSize,
    momentum: Momentum,
    normalised: bool,
    iterate: Iterate,
    /// g(τ_t, θ_t).
    #[serde(skip)]
    gradient: Vec<f64>,
}

impl MomentumPolicyGradient {
    /// The method at θ_0.
    pub fn new(parameters: Vec<f64>, step_size: StepSize, momentum: Momentum, normalised: bool) -> Self {
        let iterate = Iterate::new(parameters);
        MomentumPolicyGradient { step_size, momentum, normalised, iterate, gradient: Vec::new() }
    }
}

impl Method for MomentumPolicyGradient {
    fn step(&mut self, agent: &mut Agent) -> Result<StepTaken, Error> {
        let MomentumPolicyGradient { iterate, gradient, .. } = self;
        let step_size = self.step_size.at(iterate.iteration);
        let eta = self.momentum.at(iterate.iteration);

        // d_t = (1 − η_t) d_{t−1} + η_t g(τ_t, θ_t).
        agent.sample(&iterate.parameters, 1)?;
        gradient.resize(iterate.parameters.len(), 0.0);
        agent.gradient(&iterate.parameters, gradient);
        for (d, g) in iterate.direction.iter_mut().zip(&*gradient) {
            *d = (1.0 - eta) * *d + eta * g;
        }

        iterate.ascend(step_size, self.normalised);
        Ok(StepTaken { step_size, momentum: eta, largest_weight: f64::NAN })
    }

    fn iterate(&self) -> &Iterate {
        &self.iterate
    }
}
