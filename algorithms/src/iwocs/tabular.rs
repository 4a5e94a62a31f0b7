//! The exact instance: models are finite decision processes, solutions their Q*.
//!
//! A list of processes is searched by trying all, a rectangular set by robust policy evaluation; values
//! are linear solves, not rollouts. The learner needs an environment with an uncertainty set
//! ([`Tabular::uncertainty_set`](assay_environments::tabular::Tabular::uncertainty_set)) and takes no step
//! in it: a budget in environment steps counts the state-action pairs of the table, once for each iteration
//! of the loop, so that all runs report at the same steps. What planning costs is the metric `backups`. Once
//! the list has stopped growing, an iteration changes nothing.

use assay_environments::{
    Actions, BatchedEnvironment, Space,
    parameters::{ParameterError, require},
    random::{Seed, Stream},
    tabular::{FiniteMdp, UncertaintySet},
};
use assay_theory::{
    planning::{Optimum, value_iteration},
    policy::greedy,
    robust::{robust_evaluation, robust_value_iteration, worst_model},
};
use ndarray::{Array2, ArrayRef2};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::meta::{Incremental, Settings, Stop, Worst};
use crate::{Checkpoint, Error, Learner, Mode, Report, catalogue::Configuration, tensor::Device};

const NAME: &str = "iwocs-tabular";

/// Configuration of exact tabular IWOCS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Discount γ, from 0 to below 1. Paper: 0.95.
    pub discount: f64,
    /// How near value iteration comes to Q*, in units of return; positive. Paper: 1e-3 between two
    /// iterations; smaller here, so that ε measures the algorithm.
    pub planning_tolerance: f64,
    /// The model T₀ that comes first.
    pub initial: Initial,
    /// The paper's M: at most M + 1 models are solved. With 0 it is planning in the first model.
    pub max_iterations: usize,
    /// ε, in units of return; not negative. The paper's value is not given.
    pub tolerance: f64,
}

/// The model that comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Initial {
    /// The first one of the set.
    #[default]
    Nominal,
    /// One drawn uniformly.
    Random,
}

impl Default for Config {
    fn default() -> Self {
        let Settings { max_iterations, tolerance } = Settings::default();
        Config {
            discount: 0.95,
            planning_tolerance: 1e-9,
            initial: Initial::Nominal,
            max_iterations,
            tolerance,
        }
    }
}

impl Configuration for Config {
    fn validate(&self) -> Result<(), ParameterError> {
        let discount = self.discount;
        require("discount", discount, (0.0..1.0).contains(&discount), "0 to less than 1")?;
        let tolerance = self.planning_tolerance;
        require(
            "planning_tolerance",
            tolerance,
            tolerance > 0.0 && tolerance.is_finite(),
            "positive and finite",
        )?;
        self.settings().validate()
    }

    fn learner<D: Device>(
        self,
        environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        _device: D,
    ) -> Result<Box<dyn Learner>, Error> {
        let set = environment.tabular().and_then(|tabular| tabular.uncertainty_set());
        let Some(set) = set else {
            return Err(Error::Unsupported {
                algorithm: NAME,
                needed: "an environment with an uncertainty set of finite processes".into(),
                found: "none".into(),
            });
        };
        Ok(Box::new(TabularIwocs::new(self, set.clone(), seed)?))
    }
}

impl Config {
    fn settings(&self) -> Settings {
        Settings { max_iterations: self.max_iterations, tolerance: self.tolerance }
    }
}

/// A model of an uncertainty set: its index in a list, or the alternative of each state and action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Model {
    /// An index.
    Listed(usize),
    /// One alternative for each state and action (states · actions).
    Choice(Vec<usize>),
}

impl Model {
    /// The process. Errors when it is not one of `set`.
    pub fn of(&self, set: &UncertaintySet) -> Result<FiniteMdp, Error> {
        let missing = || Error::Checkpoint { reason: format!("there is no model {self:?} in the set") };
        match (self, set) {
            (Model::Listed(index), UncertaintySet::Coupled(models)) => {
                models.get(*index).cloned().ok_or_else(missing)
            }
            (Model::Choice(choice), UncertaintySet::Rectangular(set)) => Ok(set.model(choice)?),
            _ => Err(missing()),
        }
    }
}

/// Qᵢ, the pointwise minimum of action values (states × actions each). There must be one.
pub fn least(action_values: &[Array2<f64>]) -> Array2<f64> {
    let (first, rest) = action_values.split_first().expect("there is a solution");
    rest.iter()
        .fold(first.clone(), |least, q| ndarray::Zip::from(&least).and(q).map_collect(|a, b| a.min(*b)))
}

/// The worst model of `set` for the policy that is greedy on the pointwise minimum `least` (states ×
/// actions). Errors as exact evaluation does.
pub fn find_worst(
    set: &UncertaintySet,
    least: &ArrayRef2<f64>,
    discount: f64,
) -> Result<Worst<Model>, Error> {
    let policy = greedy(least);
    let predicted_values = least.rows().into_iter().map(|q| q.fold(f64::NEG_INFINITY, |m, &x| m.max(x)));
    let nominal = set.nominal();
    let predicted = nominal.initial().iter().zip(predicted_values).map(|(p, v)| p * v).sum();
    let (model, value) = match set {
        UncertaintySet::Coupled(models) => {
            let (index, value) = worst_model(models, &policy, discount)?;
            (Model::Listed(index), value)
        }
        UncertaintySet::Rectangular(set) => {
            let evaluation = robust_evaluation(set, &policy, discount)?;
            let value = evaluation.expected_return(set);
            (Model::Choice(evaluation.choice), value)
        }
    };
    Ok(Worst { model, value, predicted })
}

/// The learner.
#[derive(Clone, Debug)]
pub struct TabularIwocs {
    config: Config,
    set: UncertaintySet,
    list: Incremental<Model>,
    /// Q*_{T_j} (states × actions each).
    solutions: Vec<Array2<f64>>,
    /// What the best policy would be worth if the set were rectangular: at most what any policy is worth.
    hull_value: f64,
    /// The smallest V*_T(s₀) of the models solved: no policy is worth more in the worst case.
    bound: f64,
    /// Bellman backups of planning: one for each state, action and iteration of value iteration.
    backups: u64,
    /// Iterations of the loop, those that changed nothing included.
    iterations: u64,
}

/// What a checkpoint holds.
#[derive(Serialize, Deserialize)]
struct Saved {
    list: Incremental<Model>,
    solutions: Vec<Array2<f64>>,
    bound: f64,
    backups: u64,
    iterations: u64,
}

impl TabularIwocs {
    /// The learner before its first iteration. Errors when the configuration is out of range.
    pub fn new(config: Config, set: UncertaintySet, seed: Seed) -> Result<Self, Error> {
        config.validate()?;
        let hull = set.hull()?;
        let robust = robust_value_iteration(&hull, config.discount, config.planning_tolerance)?;
        let mut rng = seed.stream("initial model");
        let mut draw = |count: usize| match config.initial {
            Initial::Nominal => 0,
            Initial::Random => rng.random_range(0..count),
        };
        let initial = match &set {
            UncertaintySet::Coupled(models) => Model::Listed(draw(models.len())),
            UncertaintySet::Rectangular(set) => {
                let (states, actions) = (set.nominal().states(), set.nominal().actions());
                let pairs = (0..states * actions).map(|row| (row / actions, row % actions));
                Model::Choice(pairs.map(|(s, a)| draw(set.alternatives(s, a).len())).collect())
            }
        };
        Ok(TabularIwocs {
            list: Incremental::new(config.settings(), initial),
            hull_value: robust.expected_return(&hull),
            config,
            set,
            solutions: Vec::new(),
            bound: f64::INFINITY,
            backups: 0,
            iterations: 0,
        })
    }

    /// The models so far and what was found.
    pub fn list(&self) -> &Incremental<Model> {
        &self.list
    }

    /// Q*_{T_j} of each model solved (states × actions each).
    pub fn solutions(&self) -> &[Array2<f64>] {
        &self.solutions
    }

    /// Qᵢ (states × actions); zero before the first iteration.
    pub fn least(&self) -> Array2<f64> {
        if self.solutions.is_empty() {
            let nominal = self.set.nominal();
            return Array2::zeros((nominal.states(), nominal.actions()));
        }
        least(&self.solutions)
    }

    /// Bellman backups of planning so far: one for each state, action and iteration of value iteration.
    pub fn backups(&self) -> u64 {
        self.backups
    }

    /// The robust value of the set's rectangular hull, from the start: for a rectangular set, the best
    /// worst case there is.
    pub fn hull_value(&self) -> f64 {
        self.hull_value
    }

    /// One iteration of the paper's loop.
    fn iterate(&mut self) -> Result<(), Error> {
        let Config { discount, planning_tolerance, .. } = self.config;
        let model = self.list.models()[self.solutions.len()].of(&self.set)?;
        let optimum: Optimum = value_iteration(&model, discount, planning_tolerance)?;
        self.backups += (optimum.iterations * model.states() * model.actions()) as u64;
        self.bound = self.bound.min(optimum.expected_return(&model));
        self.solutions.push(optimum.action_values);
        let worst = find_worst(&self.set, &self.least(), discount)?;
        self.list.record(worst, Model::eq);
        Ok(())
    }
}

impl Learner for TabularIwocs {
    fn advance(&mut self) -> Result<Report, Error> {
        if self.list.stop().is_none() {
            self.iterate()?;
        }
        self.iterations += 1;
        let flag = |holds: bool| f64::from(u8::from(holds));
        let worst = self.list.found().last();
        let found = |value: fn(&Worst<Model>) -> f64| worst.map_or(f64::NAN, value);
        let metrics = vec![
            ("worst_value", found(|worst| worst.value)),
            ("predicted_value", found(|worst| worst.predicted)),
            ("gap", found(Worst::gap)),
            ("models", self.solutions.len() as f64),
            ("backups", self.backups as f64),
            ("hull_value", self.hull_value),
            ("bound", self.bound),
            ("converged", flag(self.list.stop() == Some(Stop::Converged))),
            ("stalled", flag(matches!(self.list.stop(), Some(Stop::Stalled { .. })))),
        ];
        Ok(Report { metrics, episodes: Vec::new() })
    }

    fn steps(&self) -> u64 {
        let nominal = self.set.nominal();
        self.iterations * (nominal.states() * nominal.actions()) as u64
    }

    fn act(
        &self,
        observations: &[f32],
        _mode: Mode,
        _rng: &mut Stream,
        actions: &mut Actions,
    ) -> Result<(), Error> {
        let policy = greedy(&self.least());
        let (states, count) = policy.dim();
        let rows = observations.len() / states;
        Space::discrete(count).check_buffer(actions, rows)?;
        let position = |row: &[f32], sought: f32| row.iter().position(|x| *x == sought).unwrap_or(0);
        if let Actions::Discrete(values) = actions {
            for (value, observation) in values.iter_mut().zip(observations.chunks_exact(states)) {
                let state = position(observation, 1.0);
                *value = policy.row(state).iter().position(|p| *p == 1.0).unwrap_or(0);
            }
        }
        Ok(())
    }

    fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        let TabularIwocs { list, solutions, bound, backups, iterations, .. } = self;
        let saved = Saved {
            list: list.clone(),
            solutions: solutions.clone(),
            bound: *bound,
            backups: *backups,
            iterations: *iterations,
        };
        checkpoint.put_record(NAME, &saved)
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let Saved { list, solutions, bound, backups, iterations } = checkpoint.record(NAME)?;
        let nominal = self.set.nominal();
        let fits = solutions.iter().all(|q| q.dim() == (nominal.states(), nominal.actions()))
            && solutions.len() <= list.models().len()
            && list.models().iter().all(|model| model.of(&self.set).is_ok());
        if !fits {
            return Err(Error::Checkpoint { reason: "its models are not those of this problem".into() });
        }
        (self.list, self.solutions, self.bound) = (list, solutions, bound);
        (self.backups, self.iterations) = (backups, iterations);
        Ok(())
    }
}
