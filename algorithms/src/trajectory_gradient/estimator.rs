//! Estimates of the gradient and of Hessian-vector products from whole trajectories.

use serde::{Deserialize, Serialize};

use super::{ScorePolicy, Trajectory};

/// What is subtracted from the return after a step. It may depend neither on θ nor on the actions of
/// the trajectory at hand, or the estimates would be biased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BaselineForm {
    /// Nothing, as in the papers.
    #[default]
    None,
    /// A running mean, over earlier trajectories, of the return from each step on.
    Step,
}

/// How an importance weight is made from the ratios ρ_t = π_θ(a_t|s_t)/π_b(a_t|s_t), where the
/// trajectory is from b.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ImportanceWeight {
    /// Reward h is weighted by ρ_0 ⋯ ρ_h, limited to the cap.
    PerStep {
        /// Infinite for none.
        cap: f64,
    },
    /// All rewards are weighted by ρ_0 ⋯ ρ_{n−1}, limited to the cap.
    WholeTrajectory {
        /// Infinite for none.
        cap: f64,
    },
}

/// Weight of the newest return in a baseline's running mean, once there are ten.
const BASELINE_RATE: f64 = 0.1;

/// The running means of a baseline.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Baseline {
    means: Vec<f64>,
    counts: Vec<u32>,
}

impl Baseline {
    fn at(&self, step: usize) -> f64 {
        self.means.get(step).copied().unwrap_or(0.0)
    }

    fn observe(&mut self, returns: &[f64]) {
        if self.means.len() < returns.len() {
            self.means.resize(returns.len(), 0.0);
            self.counts.resize(returns.len(), 0);
        }
        for ((mean, count), value) in self.means.iter_mut().zip(&mut self.counts).zip(returns) {
            *count = count.saturating_add(1);
            *mean += (value - *mean) * (1.0 / f64::from(*count)).max(BASELINE_RATE);
        }
    }
}

/// The estimators. With c_t = Σ_{h ≥ t} γʰ r_h, from the start of the episode, and a baseline b_t,
///
/// ```text
/// Φ(τ, θ) = Σ_t (c_t − b_t) log π_θ(a_t|s_t),
/// g(τ, θ) = ∇Φ,
/// B(τ, θ) = ∇Φ [Σ_t ∇ log π_θ(a_t|s_t)]ᵀ + ∇²Φ :
/// ```
///
/// for τ from π_θ, g has the expectation ∇J_H(θ) and B has ∇²J_H(θ).
#[derive(Clone, Debug)]
pub struct Estimator {
    discount: f64,
    form: BaselineForm,
    baseline: Baseline,
    /// One number per step of the trajectory that is looked at.
    weights: Vec<f64>,
    ratios: Vec<f64>,
    /// A vector in parameter space.
    gradient: Vec<f64>,
}

impl Estimator {
    /// Estimators for rewards discounted by γ, from 0 to 1.
    pub fn new(discount: f64, form: BaselineForm) -> Self {
        Estimator {
            discount,
            form,
            baseline: Baseline::default(),
            weights: Vec::new(),
            ratios: Vec::new(),
            gradient: Vec::new(),
        }
    }

    /// Writes c_t of every step, with the reward of step h weighted by w_h.
    fn returns_from(&mut self, trajectory: &Trajectory, weight: impl Fn(usize) -> f64) {
        self.weights.clear();
        let mut factor = 1.0;
        for (step, reward) in trajectory.rewards.iter().enumerate() {
            self.weights.push(factor * reward * weight(step));
            factor *= self.discount;
        }
        let mut later = 0.0;
        for c in self.weights.iter_mut().rev() {
            later += *c;
            *c = later;
        }
    }

    /// Writes the mean of g(τ, θ) over the batch to `gradient`, where θ is where the policy is.
    pub fn gradient(&mut self, policy: &mut dyn ScorePolicy, batch: &[Trajectory], gradient: &mut [f64]) {
        gradient.fill(0.0);
        for trajectory in batch {
            self.returns_from(trajectory, |_| 1.0);
            for (step, weight) in self.weights.iter_mut().enumerate() {
                *weight -= self.baseline.at(step);
            }
            policy.add_score(trajectory, &self.weights, gradient);
        }
        divide(gradient, batch.len());
    }

    /// Writes the mean of B(τ, θ) v over the batch to `product`, where θ is where the policy is and v
    /// the direction.
    pub fn hessian_product(
        &mut self,
        policy: &mut dyn ScorePolicy,
        batch: &[Trajectory],
        direction: &[f64],
        product: &mut [f64],
    ) {
        product.fill(0.0);
        self.gradient.resize(product.len(), 0.0);
        for trajectory in batch {
            self.returns_from(trajectory, |_| 1.0);
            for (step, weight) in self.weights.iter_mut().enumerate() {
                *weight -= self.baseline.at(step);
            }
            self.gradient.fill(0.0);
            let slope =
                policy.add_curvature(trajectory, &self.weights, direction, &mut self.gradient, product);
            for (p, g) in product.iter_mut().zip(&self.gradient) {
                *p += slope * g;
            }
        }
        divide(product, batch.len());
    }

    /// Writes the mean of g_w(τ, θ) over the batch to `gradient`, where θ is where the policy is and
    /// the batch is from a policy with these log-probabilities (one number per step, trajectory after
    /// trajectory). Returns the largest weight. Without a cap that was reached, the expectation is
    /// ∇J_H(θ).
    pub fn weighted_gradient(
        &mut self,
        policy: &mut dyn ScorePolicy,
        batch: &[Trajectory],
        log_probs: &[f64],
        importance: ImportanceWeight,
        gradient: &mut [f64],
    ) -> f64 {
        gradient.fill(0.0);
        let (mut rest, mut largest) = (log_probs, 0.0_f64);
        for trajectory in batch {
            let (behaviour, after) = rest.split_at(trajectory.len());
            rest = after;
            let mut ratios = std::mem::take(&mut self.ratios);
            ratios.resize(trajectory.len(), 0.0);
            policy.log_probs(trajectory, &mut ratios);
            let mut log_ratio = 0.0;
            for (ratio, behaviour) in ratios.iter_mut().zip(behaviour) {
                log_ratio += *ratio - behaviour;
                *ratio = log_ratio.exp();
            }
            match importance {
                ImportanceWeight::PerStep { cap } => {
                    ratios.iter_mut().for_each(|ratio| *ratio = ratio.min(cap))
                }
                ImportanceWeight::WholeTrajectory { cap } => ratios.fill(log_ratio.exp().min(cap)),
            }
            largest = ratios.iter().fold(largest, |largest, ratio| largest.max(*ratio));
            self.returns_from(trajectory, |step| ratios[step]);
            for (step, (weight, ratio)) in self.weights.iter_mut().zip(&ratios).enumerate() {
                *weight -= ratio * self.baseline.at(step);
            }
            policy.add_score(trajectory, &self.weights, gradient);
            self.ratios = ratios;
        }
        divide(gradient, batch.len());
        largest
    }

    /// Lets the baseline learn from a batch. Estimates from the same batch come first: its own
    /// returns must not be in its baseline.
    pub fn observe(&mut self, batch: &[Trajectory]) {
        if self.form == BaselineForm::None {
            return;
        }
        for trajectory in batch {
            self.returns_from(trajectory, |_| 1.0);
            self.baseline.observe(&self.weights);
        }
    }

    /// What a checkpoint must hold.
    pub(super) fn state(&self) -> impl Serialize + '_ {
        &self.baseline
    }

    /// Puts a saved state back.
    pub(super) fn load(&mut self, checkpoint: &crate::Checkpoint, name: &str) -> Result<(), crate::Error> {
        self.baseline = checkpoint.record(name)?;
        Ok(())
    }
}

fn divide(sum: &mut [f64], count: usize) {
    let factor = 1.0 / count as f64;
    sum.iter_mut().for_each(|x| *x *= factor);
}
