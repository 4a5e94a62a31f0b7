//! What a strategy knows of the problem, and the conservative constraint.

use assay_environments::{
    parameters::{ParameterError, require},
    tabular::FiniteMdp,
};
use assay_theory::{
    confidence::{Bonus, Size},
    evaluation::evaluate_horizon,
    planning::backward_induction,
    policy::softmax,
};
use ndarray::{Array3, Axis};
use serde::{Deserialize, Serialize};

use super::{ConfidenceBounds, Counts};
use crate::Error;

/// The conservative constraint: no episode may be played with a policy that is worth less than a
/// threshold, and a baseline policy that is worth more is known. Every episodic learner has one, also
/// those that do not keep it: violations are counted for all alike.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Constraint {
    /// πᵇ.
    pub baseline: Baseline,
    /// γ.
    pub threshold: Threshold,
}

/// Where the baseline policy comes from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Baseline {
    /// ∝ exp(Q*_h(s, a)/`temperature`), with Q* of the scaled problem: a softened optimal policy, given
    /// to the algorithm.
    Softmax {
        /// Positive.
        temperature: f64,
    },
    /// All actions alike.
    Uniform,
    /// Nothing is given but episodes that a softened optimal policy played before: VI-LCB learns the
    /// baseline from them, and they stay in the counts. The threshold is a fraction of what the policy
    /// that played them is worth.
    Offline {
        /// Number of episodes.
        episodes: usize,
        /// Temperature of the policy that played them, positive.
        temperature: f64,
        /// Scale of VI-LCB's bonus; see [`Bonus`].
        scale: f64,
    },
}

impl Default for Baseline {
    fn default() -> Self {
        Baseline::Softmax { temperature: 0.3 }
    }
}

/// The least that a policy may be worth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Threshold {
    /// A fraction of the baseline's value in the scaled problem, whose rewards are from 0 to 1.
    Fraction(f64),
    /// An expected return.
    Return(f64),
}

impl Default for Threshold {
    fn default() -> Self {
        Threshold::Fraction(0.85)
    }
}

/// Plays so many episodes with a policy and counts them.
pub(super) type Play<'a> = dyn FnMut(&Array3<f64>, usize, &mut Counts) -> Result<(), Error> + 'a;

impl Constraint {
    /// Errors when a number is out of range. The threshold may be infinite.
    pub fn validate(&self) -> Result<(), ParameterError> {
        let positive = |x: f64| x > 0.0 && x.is_finite();
        match self.baseline {
            Baseline::Uniform => {}
            Baseline::Softmax { temperature } => {
                require("baseline.temperature", temperature, positive(temperature), "positive")?;
            }
            Baseline::Offline { episodes, temperature, scale } => {
                require("baseline.episodes", episodes, episodes > 0, "at least 1")?;
                require("baseline.temperature", temperature, positive(temperature), "positive")?;
                require("baseline.scale", scale, scale >= 0.0 && scale.is_finite(), "0 and more")?;
            }
        }
        let (Threshold::Fraction(threshold) | Threshold::Return(threshold)) = self.threshold;
        require("threshold", threshold, !threshold.is_nan(), "a number")
    }

    /// The problem that a strategy gets to know of `mdp`, and what has been counted before the first
    /// episode. `play` is how offline data are made. Errors when the problem has no horizon.
    pub(super) fn pose(&self, mdp: &FiniteMdp, play: &mut Play<'_>) -> Result<(Problem, Counts), Error> {
        let optimum = backward_induction(mdp, 1.0)?;
        let mut problem = Problem::without_constraint(mdp, optimum.action_values.dim().0);
        let softened = |temperature: f64| {
            let mut policy = optimum.action_values.clone();
            for mut step in policy.outer_iter_mut() {
                let logits = &step / (problem.range * temperature);
                step.assign(&softmax(&logits));
            }
            policy
        };
        let mut counts = Counts::new(problem.size);
        // Whose value the threshold is a fraction of.
        let mut judged = match self.baseline {
            Baseline::Softmax { temperature } | Baseline::Offline { temperature, .. } => {
                softened(temperature)
            }
            Baseline::Uniform => problem.baseline.clone(),
        };
        let value = |policy: &Array3<f64>| evaluate_horizon(mdp, policy, 1.0).map(|e| e.expected_return(mdp));
        let judged_value = problem.scaled(value(&judged)?);
        if let Baseline::Offline { episodes, scale, .. } = self.baseline {
            play(&judged, episodes, &mut counts)?;
            let bonus = Bonus { scale, ..Bonus::default() };
            judged = ConfidenceBounds::new(&problem, &counts, &bonus, OFFLINE_DELTA).pessimistic().0;
        }
        problem.baseline_value = problem.scaled(value(&judged)?);
        problem.baseline = judged;
        problem.threshold = match self.threshold {
            Threshold::Fraction(fraction) => fraction * judged_value,
            Threshold::Return(value) => problem.scaled(value),
        };
        Ok((problem, counts))
    }
}

/// Confidence of VI-LCB; its scale says more.
const OFFLINE_DELTA: f64 = 0.1;

/// An episodic problem as a strategy knows it: everything but the transitions. Rewards are scaled to
/// [0, 1], and values with them.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// S, A and H.
    pub size: Size,
    /// Probability of each state at the start.
    pub initial: Vec<f64>,
    /// r_h(s, a) in [0, 1] (H × states × actions).
    pub rewards: Array3<f64>,
    /// Which states end an episode.
    pub terminal: Vec<bool>,
    /// πᵇ (H × states × actions).
    pub baseline: Array3<f64>,
    /// What it is worth, scaled. OptPess-LP and DOPE know it, StepMix and EpsMix do not ask.
    pub baseline_value: f64,
    /// γ, scaled.
    pub threshold: f64,
    /// The reward that is 0 when scaled, and how much more the one is that is 1.
    low: f64,
    range: f64,
}

impl Problem {
    /// The problem with the uniformly random policy as its baseline and no threshold yet.
    fn without_constraint(mdp: &FiniteMdp, horizon: usize) -> Self {
        let size = Size { states: mdp.states(), actions: mdp.actions(), horizon };
        let terminal: Vec<bool> = (0..size.states).map(|state| mdp.is_terminal(state)).collect();
        let mut rewards = Array3::zeros((horizon, size.states, size.actions));
        for (step, mut table) in rewards.axis_iter_mut(Axis(0)).enumerate() {
            table.assign(&mdp.rewards(step));
        }
        let least = rewards.iter().copied().fold(f64::INFINITY, f64::min);
        let most = rewards.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (low, range) = if least >= 0.0 && most <= 1.0 {
            (0.0, 1.0)
        } else {
            (least, if most > least { most - least } else { 1.0 })
        };
        rewards.mapv_inplace(|reward| (reward - low) / range);
        let baseline = Array3::from_elem(rewards.dim(), 1.0 / size.actions as f64);
        let initial = mdp.initial().to_vec();
        Problem {
            size,
            initial,
            rewards,
            terminal,
            baseline,
            baseline_value: 0.0,
            threshold: 0.0,
            low,
            range,
        }
    }

    /// An expected return as a value of the scaled problem.
    pub fn scaled(&self, value: f64) -> f64 {
        (value - self.low * self.size.horizon as f64) / self.range
    }

    /// A value of the scaled problem as an expected return.
    pub fn unscaled(&self, value: f64) -> f64 {
        self.low * self.size.horizon as f64 + self.range * value
    }

    /// The expectation of `values` (by state) at the start.
    pub fn at_start(&self, values: &[f64]) -> f64 {
        self.initial.iter().zip(values).map(|(p, v)| p * v).sum()
    }

    /// The rewards, with those of resting in terminal states (H × states × actions).
    pub fn resting_rewards(&self) -> Array3<f64> {
        let rest = -self.low / self.range;
        let terminal = |state: usize| self.terminal[state];
        Array3::from_shape_fn(
            self.rewards.dim(),
            |(h, s, a)| if terminal(s) { rest } else { self.rewards[[h, s, a]] },
        )
    }

    /// What it is worth to be in a terminal state from `step` on, scaled: a reward of 0 at every step.
    pub(crate) fn resting(&self, step: usize) -> f64 {
        (self.size.horizon - step) as f64 * -self.low / self.range
    }
}
