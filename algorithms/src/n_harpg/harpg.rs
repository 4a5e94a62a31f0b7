//! Algorithm 2, HARPG and N-HARPG.

use assay_environments::{
    BatchedEnvironment,
    parameters::ParameterError,
    random::{Seed, Stream},
};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::{
    Error, Learner,
    catalogue::Configuration,
    tensor::Device,
    trajectory_gradient::{
        Agent, Iterate, Method, Momentum, PolicyConfig, PolicySearch, StepSize, StepTaken, TrajectoryConfig,
    },
};

/// Settings of N-HARPG.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NHarpgConfig {
    /// Step lengths γ_t. Theorem: 6 M_g/(μ_F (t + 2)); here 2/(t + 40), see the page.
    pub step_size: StepSize,
    /// Weights η_t of the newest gradient. Theorem: 2/(t + 2).
    pub momentum: Momentum,
    /// Trajectories and estimates.
    pub trajectories: TrajectoryConfig,
    /// The policy.
    pub policy: PolicyConfig,
}

impl Default for NHarpgConfig {
    fn default() -> Self {
        NHarpgConfig {
            step_size: StepSize { scale: 2.0, offset: 40.0, exponent: 1.0 },
            momentum: Momentum::power(1.0),
            trajectories: TrajectoryConfig::default(),
            policy: PolicyConfig::default(),
        }
    }
}

/// Settings of HARPG.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HarpgConfig {
    /// Step sizes γ_t. Theorem: γ_0 (2/(t + 2))^(1/2) with γ_0 small enough; here γ_0 = 0.1.
    pub step_size: StepSize,
    /// Weights η_t of the newest gradient. Theorem: 2/(t + 2).
    pub momentum: Momentum,
    /// Trajectories and estimates.
    pub trajectories: TrajectoryConfig,
    /// The policy.
    pub policy: PolicyConfig,
}

impl Default for HarpgConfig {
    fn default() -> Self {
        HarpgConfig {
            step_size: StepSize { scale: 0.1 * std::f64::consts::SQRT_2, offset: 2.0, exponent: 0.5 },
            momentum: Momentum::power(1.0),
            trajectories: TrajectoryConfig::default(),
            policy: PolicyConfig::default(),
        }
    }
}

impl Configuration for NHarpgConfig {
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
        let method = Harpg::new(agent.initial_parameters(), self.step_size, self.momentum, true, seed);
        Ok(Box::new(PolicySearch::new(agent, method)))
    }
}

impl Configuration for HarpgConfig {
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
        let method = Harpg::new(agent.initial_parameters(), self.step_size, self.momentum, false, seed);
        Ok(Box::new(PolicySearch::new(agent, method)))
    }
}

/// Hessian-aided recursive policy gradient, normalised or not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Harpg {
    step_size: StepSize,
    momentum: Momentum,
    normalised: bool,
    /// Where q is drawn from.
    stream: Stream,
    iterate: Iterate,
    /// g(τ_t, θ_t).
    #[serde(skip)]
    gradient: Vec<f64>,
    /// θ̂_t.
    #[serde(skip)]
    between: Vec<f64>,
    /// v_t = B(τ̂_t, θ̂_t)(θ_t − θ_{t−1}).
    #[serde(skip)]
    correction: Vec<f64>,
}

impl Harpg {
    /// The method at θ_0. q is drawn from the stream `"mixture"` of `seed`.
    pub fn new(
        parameters: Vec<f64>,
        step_size: StepSize,
        momentum: Momentum,
        normalised: bool,
        seed: Seed,
    ) -> Self {
        Harpg {
            step_size,
            momentum,
            normalised,
            stream: seed.stream("mixture"),
            iterate: Iterate::new(parameters),
            gradient: Vec::new(),
            between: Vec::new(),
            correction: Vec::new(),
        }
    }
}

impl Method for Harpg {
    fn step(&mut self, agent: &mut Agent) -> Result<StepTaken, Error> {
        let Harpg { iterate, gradient, between, correction, stream, .. } = self;
        let step_size = self.step_size.at(iterate.iteration);
        let eta = self.momentum.at(iterate.iteration);
        for buffer in [&mut *gradient, &mut *between, &mut *correction] {
            buffer.resize(iterate.parameters.len(), 0.0);
        }

        // τ_t ~ π_{θ_t}; g(τ_t, θ_t).
        agent.sample(&iterate.parameters, 1)?;
        agent.gradient(&iterate.parameters, gradient);

        // d_0 is the first gradient: η_0 is 1.
        if iterate.iteration > 0 {
            // θ̂_t = q θ_t + (1 − q) θ_{t−1} with q ~ U[0, 1]; τ̂_t ~ π_{θ̂_t}.
            let q: f64 = stream.random();
            iterate.extrapolate(q - 1.0, between);
            agent.sample(between, 1)?;
            agent.hessian_product(between, &iterate.displacement, correction);
        }

        // d_t = (1 − η_t)(d_{t−1} + v_t) + η_t g(τ_t, θ_t).
        for ((d, v), g) in iterate.direction.iter_mut().zip(&*correction).zip(&*gradient) {
            *d = (1.0 - eta) * (*d + v) + eta * g;
        }

        // θ_{t+1} = θ_t + γ_t d_t, or its normalised form.
        iterate.ascend(step_size, self.normalised);
        Ok(StepTaken { step_size, momentum: eta, largest_weight: f64::NAN })
    }

    fn iterate(&self) -> &Iterate {
        &self.iterate
    }
}
