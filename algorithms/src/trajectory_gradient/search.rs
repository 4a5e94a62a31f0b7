//! What policy-gradient methods on whole trajectories have in common, and the learner around them.

use assay_environments::{
    Actions, BatchedEnvironment, Episode,
    parameters::{ParameterError, require},
    random::{Seed, Stream},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    BaselineForm, Estimator, Exact, ImportanceWeight, PolicyConfig, Sampler, ScorePolicy, Trajectory,
};
use crate::{Checkpoint, Error, Learner, Mode, Report, tensor::Device};

/// What all of these methods are told about trajectories and estimates.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrajectoryConfig {
    /// Discount γ, 0 to 1. 0.99.
    pub discount: f64,
    /// Steps H after which a trajectory is cut off, at least 1. The theorems have
    /// log(T + 1)/(1 − γ) for T iterations; most environments end episodes earlier than the 1000
    /// here.
    pub horizon: usize,
    /// Trajectories of each copy of the environment behind one estimate, at least 1. Papers on
    /// single-loop methods: 1, of one copy.
    pub rounds: usize,
    /// What is subtracted from returns. Papers: nothing.
    pub baseline: BaselineForm,
    /// Iterations between two comparisons with the exact objective, which only some problems have;
    /// 0 for none.
    pub exact_interval: u64,
}

impl Default for TrajectoryConfig {
    fn default() -> Self {
        TrajectoryConfig {
            discount: 0.99,
            horizon: 1000,
            rounds: 1,
            baseline: BaselineForm::None,
            exact_interval: 0,
        }
    }
}

impl TrajectoryConfig {
    /// Errors when a setting is out of its range.
    pub fn validate(&self) -> Result<(), ParameterError> {
        let discount = self.discount;
        require("trajectories.discount", discount, (0.0..=1.0).contains(&discount), "0 to 1")?;
        require("trajectories.horizon", self.horizon, self.horizon > 0, "at least 1")?;
        require("trajectories.rounds", self.rounds, self.rounds > 0, "at least 1")
    }
}

/// The policy, the environments, and estimates at any point of parameter space.
pub struct Agent {
    config: TrajectoryConfig,
    policy: Box<dyn ScorePolicy>,
    sampler: Sampler,
    estimator: Estimator,
    exact: Option<Exact>,
    batch: Vec<Trajectory>,
    episodes: Vec<Episode>,
    log_probs: Vec<f64>,
}

impl Agent {
    /// Everything at its first step; all randomness derives from `seed`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when the policy's form does not fit the environment, or exact
    /// comparisons are asked for where there are none; [`Error::Device`] when the device fails.
    pub fn new<D: Device>(
        config: TrajectoryConfig,
        policy: &PolicyConfig,
        environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        device: D,
    ) -> Result<Self, Error> {
        let exact = if config.exact_interval > 0 {
            Some(Exact::new(&*environment, policy, config.discount)?)
        } else {
            None
        };
        Ok(Agent {
            policy: policy.policy(&*environment, seed, device)?,
            sampler: Sampler::new(environment, seed),
            estimator: Estimator::new(config.discount, config.baseline),
            exact,
            batch: Vec::new(),
            episodes: Vec::new(),
            log_probs: Vec::new(),
            config,
        })
    }

    /// θ_0.
    pub fn initial_parameters(&self) -> Vec<f64> {
        self.policy.initial_parameters()
    }

    /// The environments and the randomness of acting in them.
    pub fn sampler(&self) -> &Sampler {
        &self.sampler
    }

    /// Plays a batch of trajectories by π_θ: `scale` times as many as are configured.
    ///
    /// # Errors
    /// Those of the environment.
    pub fn sample(&mut self, parameters: &[f64], scale: usize) -> Result<(), Error> {
        // The last batch has served its estimates: now it may teach the baseline.
        self.estimator.observe(&self.batch);
        self.policy.move_to(parameters);
        let Agent { config, policy, sampler, batch, episodes, .. } = self;
        sampler.sample(&**policy, scale * config.rounds, config.horizon, batch, episodes)
    }

    /// g(τ, θ), averaged over the batch.
    pub fn gradient(&mut self, parameters: &[f64], gradient: &mut [f64]) {
        self.policy.move_to(parameters);
        self.estimator.gradient(&mut *self.policy, &self.batch, gradient);
    }

    /// B(τ, θ) v, averaged over the batch.
    pub fn hessian_product(&mut self, parameters: &[f64], direction: &[f64], product: &mut [f64]) {
        self.policy.move_to(parameters);
        self.estimator.hessian_product(&mut *self.policy, &self.batch, direction, product);
    }

    /// g_w(τ, θ), averaged over the batch, whose policy is that of `behaviour`. Returns the largest
    /// importance weight.
    pub fn weighted_gradient(
        &mut self,
        parameters: &[f64],
        behaviour: &[f64],
        importance: ImportanceWeight,
        gradient: &mut [f64],
    ) -> f64 {
        let Agent { policy, estimator, batch, log_probs, .. } = self;
        policy.move_to(behaviour);
        log_probs.resize(batch.iter().map(Trajectory::len).sum(), 0.0);
        let mut rest = log_probs.as_mut_slice();
        for trajectory in batch.iter() {
            let (here, after) = rest.split_at_mut(trajectory.len());
            policy.log_probs(trajectory, here);
            rest = after;
        }
        policy.move_to(parameters);
        estimator.weighted_gradient(&mut **policy, batch, log_probs, importance, gradient)
    }

    /// Mean of Σ γʰ r_h over the batch.
    fn discounted_return(&self) -> f64 {
        let sum: f64 = self.batch.iter().map(|t| t.discounted_return(self.config.discount)).sum();
        sum / self.batch.len() as f64
    }

    fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        self.sampler.save(checkpoint)?;
        checkpoint.put_record("baseline", &self.estimator.state())?;
        // The baseline learns from the last batch when the next one is played.
        let returns: Vec<&[f64]> = self.batch.iter().map(|t| t.rewards.as_slice()).collect();
        checkpoint.put_record("rewards", &returns)
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let rewards: Vec<Vec<f64>> = checkpoint.record("rewards")?;
        self.sampler.load(checkpoint)?;
        self.estimator.load(checkpoint, "baseline")?;
        self.batch =
            rewards.into_iter().map(|rewards| Trajectory { rewards, ..Trajectory::default() }).collect();
        Ok(())
    }
}

/// Where a method is in parameter space, and where it is heading.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Iterate {
    /// t, the number of steps taken.
    pub iteration: u64,
    /// θ_t.
    pub parameters: Vec<f64>,
    /// θ_t − θ_{t−1}; zero at first.
    pub displacement: Vec<f64>,
    /// d_t, the estimate of the gradient.
    pub direction: Vec<f64>,
}

impl Iterate {
    /// At θ_0, with nothing known of the gradient.
    pub fn new(parameters: Vec<f64>) -> Self {
        let zero = vec![0.0; parameters.len()];
        Iterate { iteration: 0, parameters, displacement: zero.clone(), direction: zero }
    }

    /// θ_{t+1} = θ_t + γ d_t, or θ_t + γ d_t/‖d_t‖ where `normalised`; a direction of length zero is
    /// no step either way.
    pub fn ascend(&mut self, step_size: f64, normalised: bool) {
        let length = norm(&self.direction);
        let factor = match normalised {
            true if length > 0.0 => step_size / length,
            true => 0.0,
            false => step_size,
        };
        let Iterate { iteration, parameters, displacement, direction } = self;
        for ((x, moved), d) in parameters.iter_mut().zip(displacement).zip(direction) {
            *moved = factor * *d;
            *x += *moved;
        }
        *iteration += 1;
    }

    /// Writes θ_t + factor · (θ_t − θ_{t−1}).
    pub fn extrapolate(&self, factor: f64, point: &mut [f64]) {
        for ((p, x), moved) in point.iter_mut().zip(&self.parameters).zip(&self.displacement) {
            *p = x + factor * moved;
        }
    }
}

/// ‖x‖.
pub fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// A method: its settings, and all of its state but what the [`Agent`] has.
pub trait Method: Serialize + DeserializeOwned {
    /// Takes one step and says with which step size γ_t and weight η_t of the newest estimate.
    ///
    /// # Errors
    /// Those of the environment.
    fn step(&mut self, agent: &mut Agent) -> Result<StepTaken, Error>;

    /// Where it is.
    fn iterate(&self) -> &Iterate;
}

/// What a step was taken with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepTaken {
    /// γ_t.
    pub step_size: f64,
    /// η_t; 1 where there is no momentum.
    pub momentum: f64,
    /// The largest importance weight; NaN where there are none.
    pub largest_weight: f64,
}

/// A method with what it acts on.
pub struct PolicySearch<M: Method> {
    agent: Agent,
    method: M,
    /// θ_t, which d_t is an estimate at.
    before: Vec<f64>,
}

impl<M: Method> PolicySearch<M> {
    /// The learner at its first step.
    pub fn new(mut agent: Agent, method: M) -> Self {
        agent.policy.move_to(&method.iterate().parameters);
        PolicySearch { before: method.iterate().parameters.clone(), agent, method }
    }

    /// The method, with its parameters and its estimate.
    pub fn method(&self) -> &M {
        &self.method
    }

    /// The policy's environments and estimates.
    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    fn check(&self) -> Result<(), Error> {
        let iterate = self.method.iterate();
        for (what, values) in [("gradient estimate", &iterate.direction), ("parameter", &iterate.parameters)]
        {
            if let Some(value) = values.iter().find(|x| !x.is_finite()) {
                return Err(Error::NonFinite { what, value: *value, steps: self.steps() });
            }
        }
        Ok(())
    }
}

impl<M: Method> Learner for PolicySearch<M> {
    fn advance(&mut self) -> Result<Report, Error> {
        self.agent.episodes.clear();
        self.before.copy_from_slice(&self.method.iterate().parameters);
        let taken = self.method.step(&mut self.agent)?;
        self.check()?;
        let iterate = self.method.iterate();
        self.agent.policy.move_to(&iterate.parameters);

        let mut metrics = vec![
            ("discounted_return", self.agent.discounted_return()),
            ("gradient_norm", norm(&iterate.direction)),
            ("step_size", taken.step_size),
            ("momentum", taken.momentum),
            ("largest_weight", taken.largest_weight),
            ("trajectories", self.agent.sampler.trajectories() as f64),
        ];
        if let Some(exact) = &self.agent.exact {
            let due = iterate.iteration.is_multiple_of(self.agent.config.exact_interval);
            let comparison = if due {
                Some(exact.compare(&self.before, &iterate.direction, &iterate.parameters)?)
            } else {
                None
            };
            let of = |value: fn(&super::Comparison) -> f64| comparison.as_ref().map_or(f64::NAN, value);
            metrics.extend([
                ("gradient_error", of(|c| c.gradient_error)),
                ("optimality_gap", of(|c| c.optimality_gap)),
                ("least_fisher", of(|c| c.least_fisher)),
            ]);
        }
        Ok(Report { metrics, episodes: self.agent.episodes.clone() })
    }

    fn steps(&self) -> u64 {
        self.agent.sampler.steps()
    }

    fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        rng: &mut Stream,
        actions: &mut Actions,
    ) -> Result<(), Error> {
        let environment = self.agent.sampler.environment();
        let rows = observations.len() / environment.observation_space().features();
        environment.action_space().check_buffer(actions, rows)?;
        self.agent.policy.act(observations, mode, rng, actions)
    }

    fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        self.agent.save(checkpoint)?;
        checkpoint.put_record("method", &self.method)
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let method: M = checkpoint.record("method")?;
        let (found, needed) = (method.iterate().parameters.len(), self.agent.policy.dimension());
        if found != needed {
            return Err(Error::Checkpoint {
                reason: format!("its policy has {found} parameters; {needed} are needed"),
            });
        }
        self.agent.load(checkpoint)?;
        self.method = method;
        self.agent.policy.move_to(&self.method.iterate().parameters);
        Ok(())
    }
}
