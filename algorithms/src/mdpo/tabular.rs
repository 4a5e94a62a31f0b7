//! Exact tabular MDPO: mirror-descent policy iteration where everything is known.
//!
//! The reference solution of the learners with networks. In each iteration k it
//!
//! 1. evaluates πₖ by linear solve, which gives Aₖ,
//! 2. takes the exact mirror step in every state,
//!
//! ```text
//! πₖ₊₁(·|s) = argmax_p  ⟨p, Aₖ(s, ·)⟩ − B(p, πₖ(·|s))/tₖ ;
//! ```
//!
//! the weights of the states play no part, because the problem is one of each state alone. With the
//! paper's divergence KL(π, πₖ) this is πₖ₊₁ ∝ πₖ exp(tₖ Aₖ), which is also natural policy gradient
//! with softmax logits. Instead of the exact step, [`Update::Gradient`] takes the plain gradient
//! steps on the logits that the paper's learners take, with the exact gradient.
//!
//! It needs an environment with known tables ([`Tabular`](assay_environments::tabular::Tabular))
//! and no horizon, and takes no step in it. A budget in environment steps counts the state-action
//! pairs of the table, all of which each iteration reads once.
//!
//! Metrics: `expected_return`, from the start, of the policy reached; `optimality_gap`, the largest
//! V*(s) − V(s) of any state; `divergence`, the mean of B(πₖ₊₁, πₖ) under the occupancy of πₖ;
//! `step_size`, tₖ.

use assay_environments::{
    Actions, BatchedEnvironment, Space,
    parameters::{ParameterError, require},
    random::{Seed, Stream},
    tabular::FiniteMdp,
};
use assay_theory::{
    evaluation::{Evaluation, evaluate},
    occupancy::state_occupancy,
    planning::{Optimum, policy_iteration},
    policy::softmax,
};
use ndarray::{Array1, Array2, ArrayRef2, Axis};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{Divergence, StepSize};
use crate::{Checkpoint, Error, Learner, Mode, Report, catalogue::Configuration, tensor::Device};

const NAME: &str = "mdpo-tabular";

/// Configuration of exact tabular MDPO.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Discount γ, from 0 to below 1. Paper: 0.99.
    pub discount: f64,
    /// What keeps the new policy near the old one. Paper: reverse KL, and Tsallis.
    pub divergence: Divergence,
    /// Step sizes tₖ; constant in the convergence bounds.
    pub step_size: StepSize,
    /// Iterations K over which the step size is annealed, if it is.
    pub iterations: u64,
    /// How the objective of an iteration is maximised.
    pub update: Update,
}

/// How the objective of an iteration is maximised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Update {
    /// Exactly, in closed form or by finding one root per state.
    #[default]
    Exact,
    /// By plain gradient ascent on the logits.
    Gradient {
        /// Number of steps m. Paper: 10.
        steps: usize,
        /// Learning rate, positive.
        learning_rate: f64,
    },
}

impl Default for Config {
    fn default() -> Self {
        Config {
            discount: 0.99,
            divergence: Divergence::ReverseKl,
            step_size: StepSize::Constant { value: 1.0 },
            iterations: 200,
            update: Update::Exact,
        }
    }
}

impl Configuration for Config {
    fn validate(&self) -> Result<(), ParameterError> {
        let discount = self.discount;
        require("discount", discount, (0.0..1.0).contains(&discount), "0 to less than 1")?;
        require("iterations", self.iterations, self.iterations > 0, "at least 1")?;
        self.divergence.validate()?;
        self.step_size.validate()?;
        if let Update::Gradient { steps, learning_rate } = self.update {
            require("update.steps", steps, steps > 0, "at least 1")?;
            let positive = learning_rate > 0.0 && learning_rate.is_finite();
            require("update.learning_rate", learning_rate, positive, "positive and finite")?;
        }
        Ok(())
    }

    fn learner<D: Device>(
        self,
        environment: Box<dyn BatchedEnvironment>,
        _seed: Seed,
        _device: D,
    ) -> Result<Box<dyn Learner>, Error> {
        let Some(tabular) = environment.tabular() else {
            return Err(Error::Unsupported {
                algorithm: NAME,
                needed: "an environment with exact tables".into(),
                found: "none".into(),
            });
        };
        Ok(Box::new(TabularMdpo::new(self, tabular.finite_mdp())?))
    }
}

/// The objective Ψ(θ) = E_{s ~ ρₖ} [E_{a ~ π_θ} Aₖ(s, a) − B(π_θ, πₖ)/tₖ] of one iteration, for a
/// softmax policy with one logit θ(s, a) for each state and action.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// πₖ (states × actions).
    pub old: Array2<f64>,
    /// Aₖ (states × actions).
    pub advantages: Array2<f64>,
    /// ρₖ, a distribution over states.
    pub occupancy: Array1<f64>,
    /// B.
    pub divergence: Divergence,
    /// tₖ, positive.
    pub step_size: f64,
}

impl Objective {
    /// Ψ at these logits (states × actions).
    pub fn value(&self, logits: &ArrayRef2<f64>) -> f64 {
        let new = softmax(logits);
        let linear = (&new * &self.advantages).sum_axis(Axis(1)).dot(&self.occupancy);
        linear - mean_divergence(self.divergence, &new, &self.old, &self.occupancy) / self.step_size
    }

    /// ∇Ψ at these logits (states × actions).
    pub fn gradient(&self, logits: &ArrayRef2<f64>) -> Array2<f64> {
        let mut gradient = softmax(logits);
        let mut slope = vec![0.0; gradient.ncols()];
        for (state, mut row) in gradient.rows_mut().into_iter().enumerate() {
            let new = row.to_vec();
            self.divergence.gradient(&new, &self.old.row(state).to_vec(), &mut slope);
            for (slope, advantage) in slope.iter_mut().zip(self.advantages.row(state)) {
                *slope = advantage - *slope / self.step_size;
            }
            // The derivative of the softmax turns a slope x into π (x − E x).
            let mean: f64 = new.iter().zip(&slope).map(|(p, x)| p * x).sum();
            let weight = self.occupancy[state];
            row.iter_mut().zip(&slope).for_each(|(p, x)| *p *= weight * (x - mean));
        }
        gradient
    }
}

/// The mean of B(new, old) over states with these weights.
fn mean_divergence(
    divergence: Divergence,
    new: &Array2<f64>,
    old: &Array2<f64>,
    weights: &Array1<f64>,
) -> f64 {
    let rows = new.rows().into_iter().zip(old.rows()).zip(weights);
    rows.map(|((new, old), weight)| weight * divergence.between(&new.to_vec(), &old.to_vec())).sum()
}

/// The learner.
pub struct TabularMdpo {
    config: Config,
    mdp: FiniteMdp,
    optimum: Optimum,
    /// log πₖ (states × actions).
    log_policy: Array2<f64>,
    /// What πₖ is worth.
    evaluation: Evaluation,
    /// k.
    iteration: u64,
}

impl TabularMdpo {
    /// The learner at its first iteration, with the uniformly random policy. Errors when the
    /// configuration is out of range or the problem has a horizon.
    pub fn new(config: Config, mdp: FiniteMdp) -> Result<Self, Error> {
        config.validate()?;
        if let Some(horizon) = mdp.horizon() {
            return Err(Error::Unsupported {
                algorithm: NAME,
                needed: "a problem without a horizon".into(),
                found: format!("a horizon of {horizon} steps"),
            });
        }
        let log_policy = Array2::from_elem((mdp.states(), mdp.actions()), -(mdp.actions() as f64).ln());
        Ok(TabularMdpo {
            optimum: policy_iteration(&mdp, config.discount)?,
            evaluation: evaluate(&mdp, &softmax(&log_policy), config.discount)?,
            config,
            mdp,
            log_policy,
            iteration: 0,
        })
    }

    /// πₖ (states × actions).
    pub fn policy(&self) -> Array2<f64> {
        softmax(&self.log_policy)
    }

    /// What πₖ is worth.
    pub fn evaluation(&self) -> &Evaluation {
        &self.evaluation
    }

    /// The largest V*(s) − Vₖ(s) of any state.
    pub fn optimality_gap(&self) -> f64 {
        (&self.optimum.values - &self.evaluation.values).fold(0.0, |largest, gap| gap.max(largest))
    }

    /// The objective of the iteration that comes next.
    pub fn objective(&self) -> Result<Objective, Error> {
        let old = self.policy();
        Ok(Objective {
            occupancy: state_occupancy(&self.mdp, &old, self.config.discount)?,
            old,
            advantages: self.evaluation.advantages.clone(),
            divergence: self.config.divergence,
            step_size: self.config.step_size.at(self.iteration, self.config.iterations),
        })
    }

    /// The exact maximiser of an objective, as log-probabilities.
    fn mirror_step(&self, objective: &Objective) -> Array2<f64> {
        let mut log_new = self.log_policy.clone();
        for (state, mut row) in log_new.rows_mut().into_iter().enumerate() {
            let log_old = self.log_policy.row(state).to_vec();
            let advantages = objective.advantages.row(state).to_vec();
            let mut new = vec![0.0; log_old.len()];
            objective.divergence.mirror_step(&log_old, &advantages, objective.step_size, &mut new);
            row.assign(&Array1::from(new));
        }
        log_new
    }

    /// The objective after plain gradient ascent from πₖ, as log-probabilities.
    fn ascend(&self, objective: &Objective, steps: usize, learning_rate: f64) -> Array2<f64> {
        let mut logits = self.log_policy.clone();
        for _ in 0..steps {
            let gradient = objective.gradient(&logits);
            logits.scaled_add(learning_rate, &gradient);
        }
        for mut row in logits.rows_mut() {
            let largest = row.fold(f64::NEG_INFINITY, |m, &x| m.max(x));
            row -= largest;
            let log_total = row.mapv(f64::exp).sum().ln();
            row -= log_total;
        }
        logits
    }

    /// Puts the learner at the policy that the logits give.
    fn set_policy(&mut self, log_policy: Array2<f64>) -> Result<(), Error> {
        if let Some(value) = log_policy.iter().find(|l| l.is_nan()) {
            return Err(Error::NonFinite { what: "log-policy", value: *value, steps: self.steps() });
        }
        self.evaluation = evaluate(&self.mdp, &softmax(&log_policy), self.config.discount)?;
        self.log_policy = log_policy;
        Ok(())
    }
}

impl Learner for TabularMdpo {
    fn advance(&mut self) -> Result<Report, Error> {
        let objective = self.objective()?;
        let log_new = match self.config.update {
            Update::Exact => self.mirror_step(&objective),
            Update::Gradient { steps, learning_rate } => self.ascend(&objective, steps, learning_rate),
        };
        self.set_policy(log_new)?;
        self.iteration += 1;
        let moved =
            mean_divergence(objective.divergence, &self.policy(), &objective.old, &objective.occupancy);
        Ok(Report {
            metrics: vec![
                ("expected_return", self.evaluation.expected_return(&self.mdp)),
                ("optimality_gap", self.optimality_gap()),
                ("divergence", moved),
                ("step_size", objective.step_size),
            ],
            episodes: Vec::new(),
        })
    }

    fn steps(&self) -> u64 {
        self.iteration * self.log_policy.len() as u64
    }

    fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        rng: &mut Stream,
        actions: &mut Actions,
    ) -> Result<(), Error> {
        let states = self.mdp.states();
        let Actions::Discrete(actions) = actions else {
            return Err(Error::Unsupported {
                algorithm: NAME,
                needed: Space::discrete(self.mdp.actions()).to_string(),
                found: "actions of another kind".into(),
            });
        };
        // Rows are one-hot codes of states.
        for (row, action) in observations.chunks_exact(states).zip(actions) {
            let state = row.iter().position(|x| *x == 1.0).unwrap_or(0);
            let log_probabilities = self.log_policy.row(state);
            let likeliest =
                |a: usize, b: usize| if log_probabilities[b] > log_probabilities[a] { b } else { a };
            let greedy = (0..self.mdp.actions()).reduce(likeliest).unwrap_or(0);
            *action = match mode {
                Mode::Greedy => greedy,
                Mode::Sample => {
                    let mut left: f64 = rng.random();
                    let drawn = log_probabilities.iter().position(|l| {
                        left -= l.exp();
                        left < 0.0
                    });
                    // Rounding may leave a hair's breadth that belongs to nobody.
                    drawn.unwrap_or(greedy)
                }
            };
        }
        Ok(())
    }

    fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        checkpoint.put_record("iteration", &self.iteration)?;
        checkpoint.put_record("log_policy", &self.log_policy)
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let log_policy: Array2<f64> = checkpoint.record("log_policy")?;
        if log_policy.dim() != self.log_policy.dim() {
            return Err(Error::Checkpoint {
                reason: format!(
                    "its policy is of {:?} states and actions; {:?} are needed",
                    log_policy.dim(),
                    self.log_policy.dim()
                ),
            });
        }
        let iteration = checkpoint.record("iteration")?;
        self.set_policy(log_policy)?;
        self.iteration = iteration;
        Ok(())
    }
}
