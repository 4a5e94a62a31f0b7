//! The true objective and gradient, where a problem has them, to compare estimates with.

use assay_environments::{
    BatchedEnvironment,
    hills::NormalActions,
    parameters::require,
    tabular::{FiniteMdp, Tabular},
};
use assay_theory::{
    evaluation::evaluate,
    gradient::{least_fisher_eigenvalue, policy_gradient},
    normal_actions::{best_means, objective},
    planning::policy_iteration,
    policy::softmax,
};
use ndarray::ArrayView2;

use super::{PolicyConfig, PolicyForm};
use crate::Error;

/// How far from zero the best mean of a Gaussian policy is sought.
const MEAN_BOUND: f64 = 4.0;

/// The objective J(θ) = E Σ γᵗ rₜ of a problem that is known exactly, without a horizon: what a
/// cut-off leaves out counts as an error of the estimates.
///
/// There is one for tabular softmax policies in finite decision processes and one for linear
/// Gaussian policies where expectations over normal actions are known.
pub struct Exact {
    problem: Problem,
    discount: f64,
    optimum: f64,
}

enum Problem {
    Tabular(FiniteMdp),
    /// The environment's own copy, which is only asked for its tables, and σ.
    Normal(Box<dyn BatchedEnvironment>, f64),
}

/// An estimate and a policy beside the truth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// ‖d − ∇J(θ)‖ for an estimate d of the gradient at θ.
    pub gradient_error: f64,
    /// J* − J(θ′) for the parameters reached; J* is the best of the policy class.
    pub optimality_gap: f64,
    /// The least eigenvalue of the Fisher information at θ′, over the directions that change the
    /// policy: the μ_F of the assumption, where it is bounded away from zero.
    pub least_fisher: f64,
}

impl Exact {
    /// The exact objective of the policy of this form in `environment`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when there is none; [`Error::Parameter`] when `discount` is not below
    /// one.
    pub fn new(
        environment: &dyn BatchedEnvironment,
        policy: &PolicyConfig,
        discount: f64,
    ) -> Result<Self, Error> {
        require(
            "trajectories.discount",
            discount,
            discount < 1.0,
            "below 1 where the exact gap is asked for",
        )?;
        let endless = |mdp: &FiniteMdp| mdp.horizon().is_none();
        let tabular = environment.tabular().map(Tabular::finite_mdp).filter(endless);
        let of_tables = matches!(policy.form, PolicyForm::Auto | PolicyForm::TabularSoftmax);
        if let (true, Some(mdp)) = (of_tables, tabular) {
            let values = policy_iteration(&mdp, discount)?.values;
            let optimum = mdp.initial().iter().zip(&values).map(|(p, v)| p * v).sum();
            return Ok(Exact { problem: Problem::Tabular(mdp), discount, optimum });
        }
        let (PolicyForm::LinearGaussian, Some(problem)) = (policy.form, environment.normal_actions()) else {
            return Err(Error::Unsupported {
                algorithm: "an exact comparison",
                needed: "a tabular softmax policy in an environment with tables and without a horizon, or a \
                         linear Gaussian policy in one with normal expectations"
                    .into(),
                found: format!("a policy of form {:?} in another environment", policy.form),
            });
        };
        let deviation = policy.standard_deviation;
        let states = environment.observation_space().features();
        let best = best_means(problem, states, deviation, discount, MEAN_BOUND)?;
        let optimum = objective(problem, &best, deviation, discount)?.expected_return;
        let copy = environment.replicate(1, assay_environments::random::Seed::new(0));
        Ok(Exact { problem: Problem::Normal(copy, deviation), discount, optimum })
    }

    /// J*, the largest J of the policy class.
    pub fn optimum(&self) -> f64 {
        self.optimum
    }

    /// J(θ) and ∇J(θ).
    ///
    /// # Errors
    /// [`Error::Theory`] when the solution fails.
    pub fn objective(&self, parameters: &[f64]) -> Result<(f64, Vec<f64>), Error> {
        match &self.problem {
            Problem::Tabular(mdp) => {
                let logits = logits(mdp, parameters);
                let value = evaluate(mdp, &softmax(&logits), self.discount)?.expected_return(mdp);
                Ok((value, policy_gradient(mdp, &logits, self.discount)?.into_iter().collect()))
            }
            Problem::Normal(environment, deviation) => {
                let exact = objective(normal(&**environment), parameters, *deviation, self.discount)?;
                Ok((exact.expected_return, exact.gradient.to_vec()))
            }
        }
    }

    /// An estimate of the gradient at one point, and another point, beside the truth.
    ///
    /// # Errors
    /// [`Error::Theory`] when the solution fails.
    pub fn compare(&self, at: &[f64], estimate: &[f64], reached: &[f64]) -> Result<Comparison, Error> {
        let (_, gradient) = self.objective(at)?;
        let squares = gradient.iter().zip(estimate).map(|(g, d)| (g - d) * (g - d));
        let gradient_error = squares.sum::<f64>().sqrt();
        let (value, _) = self.objective(reached)?;
        let least_fisher = match &self.problem {
            Problem::Tabular(mdp) => least_fisher_eigenvalue(mdp, &logits(mdp, reached), self.discount)?,
            Problem::Normal(environment, deviation) => {
                let exact = objective(normal(&**environment), reached, *deviation, self.discount)?;
                exact.occupancy.iter().copied().fold(f64::INFINITY, f64::min) / (deviation * deviation)
            }
        };
        Ok(Comparison { gradient_error, optimality_gap: self.optimum - value, least_fisher })
    }
}

/// θ as a table (states × actions).
fn logits<'a>(mdp: &FiniteMdp, parameters: &'a [f64]) -> ArrayView2<'a, f64> {
    let shape = (mdp.states(), mdp.actions());
    ArrayView2::from_shape(shape, parameters).expect("one logit for each state and action")
}

fn normal(environment: &dyn BatchedEnvironment) -> &dyn NormalActions {
    environment.normal_actions().expect("it had normal expectations when this was made")
}
