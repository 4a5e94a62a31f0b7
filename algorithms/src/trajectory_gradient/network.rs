//! Policies with networks.

use std::cell::RefCell;

use assay_environments::{
    Actions, Space,
    random::{Seed, Stream},
};

use super::{PolicyConfig, ScorePolicy, Trajectory};
use crate::{
    Error, Mode,
    policies::{Policy, Score},
    tensor::Device,
};

/// A [`Policy`] seen through its scores. The network computes in single precision; parameters are
/// rounded to it when the policy is moved.
pub struct NetworkPolicy<D: Device> {
    policy: Policy<D>,
    /// How many of the policy's parameters belong to θ; free log standard deviations come last.
    dimension: usize,
    score: Score,
    /// All of the policy's parameters, in single precision.
    parameters: Vec<f32>,
    weights: Vec<f32>,
    log_probs: Vec<f32>,
    direction: Vec<f32>,
    gradient: Vec<f32>,
    product: Vec<f32>,
    /// For acting, which changes nothing else.
    scratch: RefCell<Vec<f32>>,
}

impl<D: Device> NetworkPolicy<D> {
    /// A policy for these spaces with freshly drawn weights.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    pub fn new(
        device: &D,
        observations: &Space,
        actions: &Space,
        config: &PolicyConfig,
        seed: Seed,
    ) -> Result<Self, Error> {
        let policy = Policy::new(device, observations, actions, &config.network, seed)?;
        let mut parameters = Vec::new();
        policy.flat_parameters(&mut parameters);
        let learned = if config.learn_standard_deviation { usize::MAX } else { 1 };
        let dimension = policy.parameters().iter().take(learned).map(|module| module.len()).sum();
        let all = parameters.len();
        Ok(NetworkPolicy {
            policy,
            dimension,
            score: Score::default(),
            parameters,
            weights: Vec::new(),
            log_probs: Vec::new(),
            direction: vec![0.0; all],
            gradient: vec![0.0; all],
            product: vec![0.0; all],
            scratch: RefCell::default(),
        })
    }
}

/// x ← y, rounded.
fn round_into(x: &mut [f32], y: &[f64]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x = *y as f32);
}

/// x ← x + y.
fn add(x: &mut [f64], y: &[f32]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += f64::from(*y));
}

impl<D: Device> ScorePolicy for NetworkPolicy<D> {
    fn dimension(&self) -> usize {
        self.dimension
    }

    fn initial_parameters(&self) -> Vec<f64> {
        self.parameters[..self.dimension].iter().map(|x| f64::from(*x)).collect()
    }

    fn move_to(&mut self, parameters: &[f64]) {
        round_into(&mut self.parameters, parameters);
        self.policy.set_flat_parameters(&self.parameters);
    }

    fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        rng: &mut Stream,
        actions: &mut Actions,
    ) -> Result<(), Error> {
        self.policy.act(observations, mode, rng, actions, None, &mut self.scratch.borrow_mut())
    }

    fn log_probs(&mut self, trajectory: &Trajectory, log_probs: &mut [f64]) {
        let NetworkPolicy { policy, score, log_probs: rounded, .. } = self;
        rounded.resize(log_probs.len(), 0.0);
        score.log_probs(policy, &trajectory.observations, &trajectory.actions, rounded);
        log_probs.iter_mut().zip(rounded).for_each(|(x, y)| *x = f64::from(*y));
    }

    fn add_score(&mut self, trajectory: &Trajectory, weights: &[f64], gradient: &mut [f64]) {
        let NetworkPolicy { policy, score, weights: rounded, gradient: sum, .. } = self;
        rounded.resize(weights.len(), 0.0);
        round_into(rounded, weights);
        score.gradient(policy, (&trajectory.observations, &trajectory.actions), rounded, sum);
        add(gradient, sum);
    }

    fn add_curvature(
        &mut self,
        trajectory: &Trajectory,
        weights: &[f64],
        direction: &[f64],
        gradient: &mut [f64],
        product: &mut [f64],
    ) -> f64 {
        let NetworkPolicy { policy, score, weights: rounded, direction: v, gradient: g, product: h, .. } =
            self;
        rounded.resize(weights.len(), 0.0);
        round_into(rounded, weights);
        // What is no part of θ stays where it is: its direction is zero.
        round_into(v, direction);
        let data = (trajectory.observations.as_slice(), trajectory.actions.as_slice());
        let slope = score.curvature(policy, data, rounded, v, g, h);
        add(gradient, g);
        add(product, h);
        slope
    }
}
