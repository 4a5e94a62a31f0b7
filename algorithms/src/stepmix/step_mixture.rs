//! StepMix: the mixture at one time step.
//!
//! In episode k it
//!
//! 1. finds the optimistic policy π̄ᵏ ([`ConfidenceBounds::optimistic`]);
//! 2. looks at the candidates π^{k,j}, j = 0 … H, which follow the baseline for the first j steps and
//!    π̄ᵏ from there on, each with its lower bound Lʲ ([`ConfidenceBounds::of_policy`]);
//! 3. plays π^{k,0} = π̄ᵏ if L⁰ ≥ γ, the baseline if no Lʲ is, and else, for the first j with
//!    L^{j−1} < γ ≤ Lʲ, the step mixture
//!
//! ```text
//! ρ π^{k,j−1} + (1 − ρ) π^{k,j},    ρ = (Lʲ − γ)/(Lʲ − L^{j−1}).
//! ```
//!
//! Two neighbours differ at step j alone, so what the mixture is worth is affine in ρ, and where the
//! bounds hold it is at least ρ L^{j−1} + (1 − ρ) Lʲ = γ.
//!
//! Candidates share the bounds of π̄ᵏ after their switch, and of each only the j steps before it are
//! computed: the cost of an episode is that of at most 1 + H/2 recursions, in O(S²A) per step.
//!
//! Metrics, beside those of [`episodic`](crate::episodic): `lower_bound`, L⁰ of the optimistic policy;
//! `upper_bound`, its U; `baseline_steps`, how many steps of the episode follow the baseline on average,
//! j − ρ from 0 to H; `weight`, ρ, NaN where nothing was mixed.

use assay_environments::{BatchedEnvironment, parameters::ParameterError, random::Seed};
use assay_theory::{
    confidence::Bonus,
    mixture::{step_mixture, switching},
};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Learner,
    catalogue::Configuration,
    episodic::{
        Choice, ConfidenceBounds, Constraint, Counts, EpisodePolicy, Episodic, Problem, Strategy,
        check_delta, check_growth,
    },
    tensor::Device,
};

/// Configuration of StepMix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// δ: the constraint holds in all episodes with probability 1 − δ. The paper's value is not
    /// known; 0.1.
    pub delta: f64,
    /// The bonus, with the constants of BPI-UCBVI and their scale.
    pub bonus: Bonus,
    /// The baseline policy πᵇ and the threshold γ.
    pub constraint: Constraint,
    /// How much a count must grow, relatively, until a new policy is chosen. Paper: 0, in every
    /// episode.
    pub replan_growth: f64,
}

impl Default for Config {
    fn default() -> Self {
        Config { delta: 0.1, bonus: Bonus::default(), constraint: Constraint::default(), replan_growth: 0.0 }
    }
}

impl Configuration for Config {
    fn validate(&self) -> Result<(), ParameterError> {
        check_delta(self.delta)?;
        self.bonus.validate()?;
        self.constraint.validate()?;
        check_growth(self.replan_growth)
    }

    fn learner<D: Device>(
        self,
        environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        _device: D,
    ) -> Result<Box<dyn Learner>, Error> {
        let Config { constraint, replan_growth, .. } = self.clone();
        Ok(Box::new(Episodic::new(StepMix::new(self)?, &constraint, replan_growth, environment, seed)?))
    }
}

/// The choice of StepMix; [`Episodic`] makes a learner of it.
#[derive(Clone, Debug, PartialEq)]
pub struct StepMix {
    config: Config,
}

impl StepMix {
    /// The strategy. Errors when the configuration is out of range.
    pub fn new(config: Config) -> Result<Self, ParameterError> {
        config.validate()?;
        Ok(StepMix { config })
    }
}

impl Strategy for StepMix {
    const NAME: &'static str = "stepmix";
    const METRICS: &'static [&'static str] = &["lower_bound", "upper_bound", "baseline_steps", "weight"];

    fn choose(&self, problem: &Problem, counts: &Counts, _episodes: u64) -> Result<Choice, Error> {
        let confidence = ConfidenceBounds::new(problem, counts, &self.config.bonus, self.config.delta);
        let (horizon, threshold) = (problem.size.horizon, problem.threshold);
        let (optimistic, mut bounds) = confidence.optimistic();
        let (first, upper) = (confidence.start_lower(&bounds), confidence.start_upper(&bounds));
        let choice = |policy, baseline_steps, weight| {
            let bounds = [problem.unscaled(first), problem.unscaled(upper)];
            let metrics = vec![bounds[0], bounds[1], baseline_steps, weight];
            Choice { policy: EpisodePolicy::Markov(policy), metrics }
        };
        if first >= threshold {
            return Ok(choice(optimistic, 0.0, f64::NAN));
        }
        let mut before = first;
        for j in 1..=horizon {
            // Steps from j on hold the bounds of the optimistic policy still.
            for step in (0..j).rev() {
                confidence.step_back(step, &problem.baseline, &mut bounds);
            }
            let lower = confidence.start_lower(&bounds);
            if lower >= threshold {
                let weight = (lower - threshold) / (lower - before);
                let bolder = switching(&problem.baseline, &optimistic, j - 1)?;
                let safer = switching(&problem.baseline, &optimistic, j)?;
                let policy = step_mixture(&bolder, &safer, weight)?;
                return Ok(choice(policy, j as f64 - weight, weight));
            }
            before = lower;
        }
        Ok(choice(problem.baseline.clone(), horizon as f64, f64::NAN))
    }
}
