#![doc = include_str!("../../docs/subpo.md")]

mod config;
mod estimator;
mod tabular;

pub use config::{Config, Objective, PolicyForm};
pub use estimator::{Baseline, Estimator};
pub use tabular::TabularPolicy;

use assay_environments::{
    Actions, BatchedEnvironment, BatchedStep, Episode,
    random::{Seed, Stream},
    submodular::{Submodular, singles},
};
use serde::{Deserialize, Serialize};

use crate::{
    Checkpoint, Error, Learner, Mode, Report,
    catalogue::Configuration,
    optimisers::{Adam, AdamConfig},
    policies::Policy,
    tensor::{Device, Operations, backward},
};

/// SubPO: a policy gradient on marginal gains.
pub struct SubPo<D: Device> {
    config: Config,
    device: D,
    environment: Box<dyn BatchedEnvironment>,
    step: BatchedStep,
    actions: Actions,
    policy: Form<D>,
    /// F({s}) of every place.
    singles: Vec<f64>,
    batch: Batch,
    state: State,
}

/// The policy with its optimiser.
enum Form<D: Device> {
    Network { policy: Box<Policy<D>>, optimiser: Adam<D>, scratch: Vec<f32> },
    Tabular { policy: TabularPolicy, gradient: Vec<f64> },
}

/// What a checkpoint must hold beside environment and policy.
#[derive(Clone, Serialize, Deserialize)]
struct State {
    /// The observations to act on next; empty before the first step.
    observations: Vec<f32>,
    stream: Stream,
    steps: u64,
    iterations: u64,
}

/// The trajectories of one iteration. Row e · H + h is step h of trajectory e.
struct Batch {
    horizon: usize,
    places: Vec<usize>,
    actions: Vec<usize>,
    /// F(s_{h+1}|τ_{0:h}), or F({s_{h+1}}) for the modular objective.
    gains: Vec<f64>,
    /// F({s_0}) by trajectory.
    initial: Vec<f64>,
    weights: Vec<f64>,
    /// Observations (rows × features) and one-hot actions, for a network; else empty.
    features: Vec<f32>,
    one_hot: Vec<f32>,
    /// π(·|h, s_h) (rows × actions) of a tabular policy; else empty.
    probabilities: Vec<f64>,
    episodes: Vec<Episode>,
}

impl<D: Device> SubPo<D> {
    /// The learner before its first batch.
    ///
    /// # Errors
    /// [`Error::Parameter`] when the configuration is out of range; [`Error::Unsupported`] when the
    /// environment has no set function, its copies do not divide the trajectories of a batch, or a
    /// tabular policy is to see more than step and place; [`Error::Device`] when the device fails.
    pub fn new(
        config: Config,
        environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        device: D,
    ) -> Result<Self, Error> {
        config.validate()?;
        let problem = ability(&*environment)?;
        let copies = environment.copies();
        if !config.trajectories.is_multiple_of(copies) {
            let needed = format!("a number of copies that divides its {} trajectories", config.trajectories);
            return Err(unsupported(&needed, copies.to_string()));
        }
        let (horizon, places, actions) =
            (problem.horizon(), problem.moves().places(), problem.moves().actions());
        let (observations, action_space) = (environment.observation_space(), environment.action_space());
        let policy = match config.policy {
            PolicyForm::Tabular if problem.observes_history() => {
                let found = "observations of what has been visited".into();
                return Err(unsupported("observations of step and place alone for a tabular policy", found));
            }
            PolicyForm::Tabular => Form::Tabular {
                policy: TabularPolicy::new(horizon, places, actions),
                gradient: vec![0.0; horizon * places * actions],
            },
            PolicyForm::Network => {
                let policy = Policy::new(&device, observations, action_space, &config.network, seed)?;
                let optimiser = Adam::new(AdamConfig::default(), &policy.parameters())?;
                Form::Network { policy: Box::new(policy), optimiser, scratch: Vec::new() }
            }
        };
        let rows = config.trajectories * horizon;
        let (features, one_hot, probabilities) = match policy {
            Form::Network { .. } => (observations.features(), actions, 0),
            Form::Tabular { .. } => (0, 0, actions),
        };
        let batch = Batch {
            horizon,
            places: vec![0; rows],
            actions: vec![0; rows],
            gains: vec![0.0; rows],
            initial: vec![0.0; config.trajectories],
            weights: vec![0.0; rows],
            features: vec![0.0; rows * features],
            one_hot: vec![0.0; rows * one_hot],
            probabilities: vec![0.0; rows * probabilities],
            episodes: Vec::with_capacity(config.trajectories),
        };
        Ok(SubPo {
            device,
            singles: singles(problem.set_function()),
            step: BatchedStep::new(&*environment),
            actions: Actions::zeros(action_space, copies),
            environment,
            policy,
            batch,
            state: State { observations: Vec::new(), stream: seed.stream("policy"), steps: 0, iterations: 0 },
            config,
        })
    }

    /// The tabular policy, if the policy is one.
    pub fn tabular_policy(&self) -> Option<&TabularPolicy> {
        match &self.policy {
            Form::Tabular { policy, .. } => Some(policy),
            Form::Network { .. } => None,
        }
    }

    /// The tabular policy, to be changed.
    pub fn tabular_policy_mut(&mut self) -> Option<&mut TabularPolicy> {
        match &mut self.policy {
            Form::Tabular { policy, .. } => Some(policy),
            Form::Network { .. } => None,
        }
    }

    /// Plays the trajectories of a batch with the current policy.
    fn collect(&mut self) -> Result<(), Error> {
        let SubPo { config, environment, step, actions, policy, singles, batch, state, .. } = self;
        let copies = environment.copies();
        let features = environment.observation_space().features();
        let horizon = batch.horizon;
        if state.observations.is_empty() {
            environment.reset(&mut step.observations)?;
            state.observations.extend_from_slice(&step.observations);
        }
        batch.episodes.clear();
        for first in (0..config.trajectories).step_by(copies) {
            for h in 0..horizon {
                let row = |copy: usize| (first + copy) * horizon + h;
                for (copy, observation) in state.observations.chunks_exact(features).enumerate() {
                    let (_, place) = observed(&**environment, observation)?;
                    batch.places[row(copy)] = place;
                    if h == 0 {
                        batch.initial[first + copy] = singles[place];
                    }
                }
                match policy {
                    Form::Network { policy, scratch, .. } => {
                        for (copy, observation) in state.observations.chunks_exact(features).enumerate() {
                            batch.features[row(copy) * features..][..features].copy_from_slice(observation);
                        }
                        let rng = &mut state.stream;
                        policy
                            .act(&state.observations, Mode::Sample, rng, actions, None, scratch)
                            .map_err(|error| error.after(state.steps))?;
                    }
                    Form::Tabular { policy, .. } => {
                        let Actions::Discrete(chosen) = &mut *actions else {
                            unreachable!("moves are discrete")
                        };
                        let count = batch.probabilities.len() / batch.places.len();
                        for (copy, chosen) in chosen.iter_mut().enumerate() {
                            let row = row(copy);
                            let probabilities = &mut batch.probabilities[row * count..][..count];
                            policy.probabilities(h, batch.places[row], probabilities);
                            *chosen = TabularPolicy::choose(probabilities, Mode::Sample, &mut state.stream);
                        }
                    }
                }
                environment.step(actions, step)?;
                if let Actions::Discrete(chosen) = &*actions {
                    (0..copies).for_each(|copy| batch.actions[row(copy)] = chosen[copy]);
                }
                for copy in 0..copies {
                    let last = h + 1 == horizon;
                    if step.terminated[copy] != last {
                        return Err(Error::Environment(assay_environments::Error::InvalidProcess {
                            reason: format!(
                                "an episode that does not end with its horizon of {horizon} steps"
                            ),
                        }));
                    }
                    let initial = if h == 0 { batch.initial[first + copy] } else { 0.0 };
                    let reward = match config.objective {
                        Objective::SetFunction => f64::from(step.rewards[copy]),
                        Objective::Modular => {
                            let after = if last { &step.final_observations } else { &step.observations };
                            let observation = &after[copy * features..][..features];
                            let (_, place) = observed(&**environment, observation)?;
                            f64::from((initial + singles[place]) as f32)
                        }
                    };
                    // The first reward brings F({s_0}), which no action has earned.
                    batch.gains[row(copy)] = reward - initial;
                }
                state.observations.copy_from_slice(&step.observations);
                batch.episodes.extend_from_slice(&step.episodes);
                state.steps += copies as u64;
            }
        }
        Ok(())
    }

    /// Weights by the estimator, less the baseline.
    fn weigh(&mut self) {
        let Batch { horizon, gains, initial, weights, .. } = &mut self.batch;
        let rows = gains.chunks_exact(*horizon).zip(weights.chunks_exact_mut(*horizon));
        for ((gains, weights), &initial) in rows.zip(&*initial) {
            self.config.estimator.weights(initial, gains, weights);
        }
        self.config.baseline.subtract(*horizon, weights);
    }

    /// One step of Adam up the estimate of ∇J; returns its norm and the mean entropy before.
    fn update(&mut self) -> Result<(f64, f64), Error> {
        let SubPo { config, device, environment, policy, batch, state, .. } = self;
        let rows = batch.places.len();
        let trajectories = config.trajectories as f64;
        let entropy_weight = config.entropy_weight / (state.iterations + 1) as f64;
        match policy {
            Form::Tabular { policy, gradient } => {
                gradient.fill(0.0);
                let count = batch.probabilities.len() / rows;
                let mut entropy = 0.0;
                for (row, probabilities) in batch.probabilities.chunks_exact(count).enumerate() {
                    let key = (row % batch.horizon, batch.places[row], batch.actions[row]);
                    let weight = batch.weights[row] / trajectories;
                    let bonus = entropy_weight / trajectories;
                    entropy += policy.add_gradient(key, probabilities, weight, bonus, gradient);
                }
                let norm = policy.ascend(gradient, config.learning_rate)?;
                Ok((norm, entropy / rows as f64))
            }
            Form::Network { policy, optimiser, .. } => {
                let count = environment.action_space().features();
                batch.one_hot.fill(0.0);
                for (row, &action) in batch.actions.iter().enumerate() {
                    batch.one_hot[row * count + action] = 1.0;
                }
                let weights: Vec<f32> = batch.weights.iter().map(|weight| *weight as f32).collect();
                let features = batch.features.len() / rows;
                let observations = device.matrix(&batch.features, rows, features)?;
                let actions = device.matrix(&batch.one_hot, rows, count)?;
                let distribution = policy.record(observations)?;
                let entropy = distribution.branch().entropy().mean_all();
                let mean_entropy = f64::from(entropy.to_host()[0]);
                // Means over rows; sums over the steps of a trajectory.
                let scale = batch.horizon as f32;
                let mut loss =
                    (distribution.log_prob(&actions) * device.vector(&weights)?).mean_all() * -scale;
                if entropy_weight > 0.0 {
                    loss = loss - entropy * (entropy_weight as f32 * scale);
                }
                let (_, mut gradients) = backward(loss, "policy loss")?;
                let modules = &mut policy.parameters_mut();
                let norm = optimiser.step(modules, &mut gradients, config.learning_rate)?;
                Ok((f64::from(norm), mean_entropy))
            }
        }
    }

    /// How many different places a trajectory visits, the start included, on average; the last place
    /// of each is not looked at.
    fn distinct_places(&self) -> f64 {
        let mut seen = vec![usize::MAX; self.singles.len()];
        let mut distinct = 0;
        for (trajectory, places) in self.batch.places.chunks_exact(self.batch.horizon).enumerate() {
            for &place in places {
                if seen[place] != trajectory {
                    seen[place] = trajectory;
                    distinct += 1;
                }
            }
        }
        f64::from(distinct) / self.config.trajectories as f64
    }
}

fn unsupported(needed: &str, found: String) -> Error {
    Error::Unsupported { algorithm: "subpo", needed: needed.into(), found }
}

/// The environment's set function and moves. Errors when it has none.
fn ability(environment: &dyn BatchedEnvironment) -> Result<&dyn Submodular, Error> {
    let found = || unsupported("an environment with a set function", "none".into());
    environment.submodular().ok_or_else(found)
}

/// Step and place of an observation.
fn observed(environment: &dyn BatchedEnvironment, features: &[f32]) -> Result<(usize, usize), Error> {
    let reason = || format!("{features:?} tells neither step nor place");
    ability(environment)?
        .observed(features)
        .ok_or_else(|| Error::Environment(assay_environments::Error::InvalidProcess { reason: reason() }))
}

impl<D: Device> Learner for SubPo<D> {
    fn advance(&mut self) -> Result<Report, Error> {
        self.collect()?;
        self.weigh();
        let (gradient_norm, entropy) = self.update().map_err(|error| error.after(self.state.steps))?;
        self.state.iterations += 1;
        let Batch { gains, initial, episodes, .. } = &self.batch;
        let objective = gains.iter().chain(initial).sum::<f64>() / initial.len() as f64;
        Ok(Report {
            metrics: vec![
                ("objective", objective),
                ("distinct_places", self.distinct_places()),
                ("entropy", entropy),
                ("gradient_norm", gradient_norm),
            ],
            episodes: episodes.clone(),
        })
    }

    fn steps(&self) -> u64 {
        self.state.steps
    }

    fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        rng: &mut Stream,
        actions: &mut Actions,
    ) -> Result<(), Error> {
        let features = self.environment.observation_space().features();
        let space = self.environment.action_space();
        space.check_buffer(actions, observations.len() / features)?;
        match &self.policy {
            Form::Network { policy, .. } => policy
                .act(observations, mode, rng, actions, None, &mut Vec::new())
                .map_err(|error| error.after(self.state.steps)),
            Form::Tabular { policy, .. } => {
                let Actions::Discrete(chosen) = actions else { unreachable!("moves are discrete") };
                let mut probabilities = vec![0.0; space.features()];
                for (chosen, observation) in chosen.iter_mut().zip(observations.chunks_exact(features)) {
                    let (step, place) = observed(&*self.environment, observation)?;
                    // After the last step there is nothing left to choose.
                    policy.probabilities(step.min(self.batch.horizon - 1), place, &mut probabilities);
                    *chosen = TabularPolicy::choose(&probabilities, mode, rng);
                }
                Ok(())
            }
        }
    }

    fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        checkpoint.put_record("environment", &self.environment.snapshot()?)?;
        checkpoint.put_record("state", &self.state)?;
        match &self.policy {
            Form::Network { policy, optimiser, .. } => {
                policy.save(checkpoint);
                optimiser.save("optimiser", checkpoint)
            }
            Form::Tabular { policy, .. } => checkpoint.put_record("policy", policy),
        }
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let snapshot: Vec<u8> = checkpoint.record("environment")?;
        let state: State = checkpoint.record("state")?;
        let refuse = |reason: &str| Err(Error::Checkpoint { reason: reason.into() });
        if !state.observations.is_empty() && state.observations.len() != self.step.observations.len() {
            return refuse("its observations have another form");
        }
        match &mut self.policy {
            Form::Network { policy, optimiser, .. } => {
                policy.load(checkpoint)?;
                optimiser.load("optimiser", checkpoint)?;
            }
            Form::Tabular { policy, .. } => {
                let saved: TabularPolicy = checkpoint.record("policy")?;
                if !saved.has_form_of(policy) {
                    return refuse("its policy has another form");
                }
                *policy = saved;
            }
        }
        self.environment.restore(&snapshot)?;
        self.state = state;
        Ok(())
    }
}
