//! The meta-algorithm: a list of models that grows by the worst one, as long as that changes something.
//!
//! It knows nothing of how a model is solved, what a solution is, or how the worst model is found: those
//! are functions that are handed in ([`solve_incrementally`]), or steps that a learner takes by itself
//! between calls of [`Incremental::record`].

use std::fmt;

use assay_environments::parameters::{ParameterError, require};
use serde::{Deserialize, Serialize};

/// When the list stops growing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The paper's M: the list has at most M + 1 models.
    pub max_iterations: usize,
    /// ε: how far the value in the worst model may be from what was predicted, in units of return; not
    /// negative.
    pub tolerance: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { max_iterations: 20, tolerance: 1e-6 }
    }
}

impl Settings {
    /// Errors when the tolerance is out of its range.
    pub fn validate(&self) -> Result<(), ParameterError> {
        let tolerance = self.tolerance;
        require("tolerance", tolerance, tolerance >= 0.0 && tolerance.is_finite(), "finite, not negative")
    }
}

/// The worst model for a policy, and what the policy was thought to be worth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Worst<M> {
    /// T_{i+1}, in which πᵢ is worth the least.
    pub model: M,
    /// V^{πᵢ} in it, from the start.
    pub value: f64,
    /// Qᵢ(s₀, πᵢ(s₀)).
    pub predicted: f64,
}

impl<M> Worst<M> {
    /// |V − Q|, which the tolerance is compared with.
    pub fn gap(&self) -> f64 {
        (self.value - self.predicted).abs()
    }
}

/// Why the list has stopped growing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stop {
    /// The worst model holds no surprise: its value is as predicted, up to the tolerance.
    Converged,
    /// The worst model is already in the list, although its value is not as predicted: nothing would
    /// change any more. This happens only where the uncertainty set is not rectangular, or the
    /// solutions are not exact.
    Stalled {
        /// Its index in the list.
        known: usize,
    },
    /// The list has as many models as it may have.
    Exhausted,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Converged => write!(f, "the worst model's value is as predicted"),
            Stop::Stalled { known } => write!(f, "the worst model is number {known} again"),
            Stop::Exhausted => write!(f, "as many models as allowed"),
        }
    }
}

/// The list of models, and what was found for each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incremental<M> {
    settings: Settings,
    /// T₀, T₁, …
    models: Vec<M>,
    /// What was found with the first i + 1 models.
    found: Vec<Worst<M>>,
    stop: Option<Stop>,
}

impl<M: Clone> Incremental<M> {
    /// The list that holds T₀ alone, which is to be solved.
    pub fn new(settings: Settings, initial: M) -> Self {
        Incremental { settings, models: vec![initial], found: Vec::new(), stop: None }
    }

    /// T₀, T₁, …, as many as are solved or to be solved now.
    pub fn models(&self) -> &[M] {
        &self.models
    }

    /// What was found with the first, the first two, … models.
    pub fn found(&self) -> &[Worst<M>] {
        &self.found
    }

    /// Why the list has stopped growing; `None` while it grows.
    pub fn stop(&self) -> Option<Stop> {
        self.stop
    }

    /// Takes note of the worst model for the policy of the whole list. It becomes the next one of the
    /// list, unless that ends here. `same` tells whether two models count as one.
    pub fn record(&mut self, worst: Worst<M>, same: impl Fn(&M, &M) -> bool) -> Option<Stop> {
        let known = self.models.iter().position(|model| same(model, &worst.model));
        self.stop = if worst.gap() <= self.settings.tolerance {
            Some(Stop::Converged)
        } else if let Some(known) = known {
            Some(Stop::Stalled { known })
        } else if self.models.len() > self.settings.max_iterations {
            Some(Stop::Exhausted)
        } else {
            self.models.push(worst.model.clone());
            None
        };
        self.found.push(worst);
        self.stop
    }
}

/// The whole loop: `solve` gives Q* of a model, `find_worst` the worst model for the policy that acts on
/// the least of the solutions so far. Returns the list and its solutions. Errors as the two do.
pub fn solve_incrementally<M: Clone + PartialEq, S, E>(
    settings: Settings,
    initial: M,
    mut solve: impl FnMut(&M) -> Result<S, E>,
    mut find_worst: impl FnMut(&[S]) -> Result<Worst<M>, E>,
) -> Result<(Incremental<M>, Vec<S>), E> {
    let mut list = Incremental::new(settings, initial);
    let mut solutions = Vec::new();
    while list.stop().is_none() {
        solutions.push(solve(&list.models()[solutions.len()])?);
        list.record(find_worst(&solutions)?, M::eq);
    }
    Ok((list, solutions))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The loop over scripted worst models and values, where everything is predicted to be worth 1.
    fn stop_of(script: &[(u32, f64)], max_iterations: usize) -> (Vec<u32>, Stop) {
        let settings = Settings { max_iterations, tolerance: 0.1 };
        let (list, solutions) = solve_incrementally(
            settings,
            0,
            |model| Ok::<u32, ()>(*model),
            |solutions| {
                let (model, value) = script[solutions.len() - 1];
                Ok(Worst { model, value, predicted: 1.0 })
            },
        )
        .unwrap();
        assert_eq!(list.found().len(), solutions.len());
        assert_eq!(list.models(), solutions);
        (solutions, list.stop().unwrap())
    }

    #[test]
    fn the_list_stops_when_nothing_surprises_when_a_model_returns_and_at_its_limit() {
        assert_eq!(stop_of(&[(5, 0.0), (6, 0.95)], 9), (vec![0, 5], Stop::Converged));
        assert_eq!(stop_of(&[(5, 0.0), (6, 0.5), (5, 0.5)], 9), (vec![0, 5, 6], Stop::Stalled { known: 1 }));
        assert_eq!(stop_of(&[(5, 0.0), (6, 0.5), (7, 0.5)], 2), (vec![0, 5, 6], Stop::Exhausted));
        assert_eq!(stop_of(&[(5, 0.0)], 0), (vec![0], Stop::Exhausted));
        // The gap counts on either side, and a known model without a gap is no stall.
        assert_eq!(stop_of(&[(0, 1.05)], 9), (vec![0], Stop::Converged));
        assert_eq!(stop_of(&[(0, 1.5)], 9), (vec![0], Stop::Stalled { known: 0 }));
    }
}
