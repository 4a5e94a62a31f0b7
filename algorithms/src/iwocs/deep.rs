//! The deep instance: models are points of a box of physical parameters, solutions are trained agents.
//!
//! A default policy is trained first, with parameters drawn anew from the box in every episode. Then, for
//! each model of the list, an agent is trained on that model alone, and the worst model for the policy of
//! all agents so far is searched for. Steps of the search are not counted, as in the paper, but told. Once
//! the list has stopped growing, what is left of a budget is stepped through and nothing is learned.

use assay_environments::{
    Actions, BatchedEnvironment, BatchedStep,
    domain_randomisation::{DomainRandomisation, ParameterBox, set_parameters},
    parameters::{ParameterError, require},
    random::{Seed, Stream},
};
use serde::{Deserialize, Serialize};

use super::{
    meta::{Incremental, Settings, Stop, Worst},
    robust_policy::{Before, Buffers, RobustPolicy},
    search::Search,
    static_agent::StaticAgent,
};
use crate::{
    Checkpoint, Error, Learner, Mode, PreviousStep, Report,
    catalogue::Configuration,
    learner::Means,
    replay::Collector,
    sac,
    tensor::Device,
    uncertainty::{physical, resolve},
};

const NAME: &str = "iwocs";

/// Two models whose parameters all differ by less than this, in units of the box, count as one.
const SAME: f64 = 1e-3;

/// Configuration of deep IWOCS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The uncertainty set: a range for each physical parameter that is uncertain, by name and in its
    /// own unit. The others keep their values. Where it names none, all are uncertain, in their whole
    /// ranges.
    pub uncertainty: ParameterBox,
    /// Environment steps for the default policy, over all copies; at least 1. Paper: 1.6 million for two
    /// parameters, 1.8 for three.
    pub default_steps: u64,
    /// Environment steps for each model, over all copies; at least 1. Paper: 800,000.
    pub model_steps: u64,
    /// The paper's M: at most M + 1 models are trained. Paper: 2 for two parameters, 3 for three.
    pub max_iterations: usize,
    /// ε, in units of discounted return; not negative. With 0 the list stops only at its limit, or when
    /// the worst model is one that is in it. Paper: not given.
    pub tolerance: f64,
    /// How the worst model is searched for. Paper: CMA-ES, or a grid (IWOCS*).
    pub search: Search,
    /// Episodes with each candidate of the search, the same for all; at least 1.
    pub search_episodes: usize,
    /// Where an episode of the search is cut off, in steps; at least 1.
    pub search_step_limit: u64,
    /// The thresholds ρ of the validity indicator that are tried after each model, positive, in the L1
    /// norm of observations; the one whose worst case is best is taken. Infinite: every model is valid
    /// everywhere. Paper: 0.1, 0.2, … 1.
    pub thresholds: Vec<f64>,
    /// The settings of all agents. Paper: learning rates 3e-4 (policy) and 1e-3 (critics), 10,000 random
    /// steps first.
    pub sac: sac::Config,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            uncertainty: ParameterBox::new(),
            default_steps: 1_600_000,
            model_steps: 800_000,
            max_iterations: 2,
            tolerance: 0.0,
            search: Search::default(),
            search_episodes: 3,
            search_step_limit: 1000,
            thresholds: (1..=10).map(|tenths| f64::from(tenths) / 10.0).collect(),
            sac: sac::Config { learning_starts: 10_000, ..sac::Config::default() },
        }
    }
}

impl Configuration for Config {
    fn validate(&self) -> Result<(), ParameterError> {
        require("default_steps", self.default_steps, self.default_steps > 0, "at least 1")?;
        require("model_steps", self.model_steps, self.model_steps > 0, "at least 1")?;
        self.settings().validate()?;
        self.search.validate()?;
        require("search_episodes", self.search_episodes, self.search_episodes > 0, "at least 1")?;
        require("search_step_limit", self.search_step_limit, self.search_step_limit > 0, "at least 1")?;
        let thresholds = &self.thresholds;
        let positive = !thresholds.is_empty() && thresholds.iter().all(|threshold| *threshold > 0.0);
        require("thresholds", format!("{thresholds:?}"), positive, "one or more positive numbers")?;
        // Actions are chosen there by policies that take turns: none goes on from the step before.
        let noise = self.sac.state_dependent_noise.is_some();
        require("sac.state_dependent_noise", "given", !noise, "absent: noise is independent at every step")?;
        self.sac.validate()
    }

    fn learner<D: Device>(
        self,
        environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        device: D,
    ) -> Result<Box<dyn Learner>, Error> {
        Ok(Box::new(Iwocs::new(self, environment, seed, device)?))
    }
}

impl Config {
    fn settings(&self) -> Settings {
        Settings { max_iterations: self.max_iterations, tolerance: self.tolerance }
    }
}

/// Names of what every iteration reports, in order; their meanings stand on the page.
const METRICS: [&str; 7] =
    ["policy_loss", "critic_loss", "q_value", "entropy", "temperature", "value_loss", "prediction_error"];

/// Whom the steps are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    Default,
    /// The agent of this index.
    Model(usize),
    Finished,
}

/// Deep IWOCS at work.
pub struct Iwocs<D: Device> {
    config: Config,
    device: D,
    seed: Seed,
    /// What batches are made of.
    environment: Box<dyn BatchedEnvironment>,
    collector: Collector,
    default: sac::Agent<D>,
    agents: Vec<StaticAgent<D>>,
    outputs: Vec<f32>,
    state: State,
}

/// What a checkpoint holds beside agents and collector.
#[derive(Clone, Serialize, Deserialize)]
struct State {
    phase: Phase,
    /// Models in physical units, in the order of the box.
    list: Incremental<Vec<f64>>,
    /// ρ.
    threshold: f64,
    /// Steps of the phases before this one.
    earlier_steps: u64,
    search_steps: u64,
}

impl<D: Device> Iwocs<D> {
    /// The learner at its first step. The first model is that of the environment as it is.
    ///
    /// # Errors
    /// [`Error::Parameter`] when a setting is out of range, [`Error::Unsupported`] when the action space
    /// is not a bounded box or there are no physical parameters, [`Error::Environment`] when the environment
    /// does not have them, [`Error::Device`] when the device fails.
    pub fn new(
        config: Config,
        mut environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        device: D,
    ) -> Result<Self, Error> {
        config.validate()?;
        let uncertainty = resolve(NAME, &config.uncertainty, &mut *environment)?;
        let config = Config { uncertainty, ..config };
        let nominal = current(&mut *environment, &config.uncertainty);
        let own = seed.child("default policy");
        let copies = environment.replicate(environment.copies(), own);
        let randomised = DomainRandomisation::new(copies, config.uncertainty.clone(), own)?;
        let collector = Collector::new(NAME, Box::new(randomised), config.sac.settings().replay, own)?;
        let features = collector.environment().observation_space().features();
        let width = collector.action_box().width();
        Ok(Iwocs {
            default: sac::Agent::new(&config.sac, "default/", features, width, own, &device)?,
            agents: Vec::new(),
            outputs: Vec::new(),
            state: State {
                phase: Phase::Default,
                list: Incremental::new(config.settings(), nominal),
                threshold: config.thresholds[0],
                earlier_steps: 0,
                search_steps: 0,
            },
            config,
            device,
            seed,
            environment,
            collector,
        })
    }

    /// The models so far, in physical units and the order of the box, and what was found.
    pub fn list(&self) -> &Incremental<Vec<f64>> {
        &self.state.list
    }

    /// The threshold ρ that was chosen last.
    pub fn threshold(&self) -> f64 {
        self.state.threshold
    }

    /// The policy of the models that are trained to their end.
    pub fn policy(&self) -> RobustPolicy<'_, D> {
        self.policy_with(self.state.threshold)
    }

    fn policy_with(&self, threshold: f64) -> RobustPolicy<'_, D> {
        let trained = match self.state.phase {
            Phase::Model(index) => index,
            Phase::Default | Phase::Finished => self.agents.len(),
        };
        let width = self.collector.action_box().width();
        RobustPolicy { members: &self.agents[..trained], default: self.default.policy(), threshold, width }
    }

    fn phase_is_over(&self) -> bool {
        let steps = self.collector.steps();
        match self.state.phase {
            Phase::Default => steps >= self.config.default_steps,
            Phase::Model(_) => steps >= self.config.model_steps,
            Phase::Finished => false,
        }
    }

    /// What follows when a phase's steps are taken.
    fn next_phase(&mut self) -> Result<(), Error> {
        if let Phase::Model(_) = self.state.phase {
            self.state.phase = Phase::Finished;
            let (threshold, worst) = self.search()?;
            self.state.threshold = threshold;
            let uncertainty = &self.config.uncertainty;
            let same = |a: &Vec<f64>, b: &Vec<f64>| {
                let sides = uncertainty.values().map(|[low, high]| (high - low).max(f64::MIN_POSITIVE));
                a.iter().zip(b).zip(sides).all(|((a, b), side)| ((a - b) / side).abs() < SAME)
            };
            if self.state.list.record(worst, same).is_some() {
                return Ok(());
            }
        }
        self.state.earlier_steps += self.collector.steps();
        self.begin_model()
    }

    /// Makes agent and collector of the next model of the list.
    fn begin_model(&mut self) -> Result<(), Error> {
        let index = self.agents.len();
        self.collector = self.collector_of(index)?;
        self.agents.push(self.agent_of(index)?);
        self.state.phase = Phase::Model(index);
        Ok(())
    }

    fn agent_of(&self, index: usize) -> Result<StaticAgent<D>, Error> {
        let features = self.environment.observation_space().features();
        let width = self.collector.action_box().width();
        let seed = self.seed.child(&format!("model {index}"));
        StaticAgent::new(&self.config.sac, &format!("model{index}/"), features, width, seed, &self.device)
    }

    fn collector_of(&self, index: usize) -> Result<Collector, Error> {
        let seed = self.seed.child(&format!("model {index}"));
        let mut environment = self.environment.replicate(self.environment.copies(), seed);
        let model = &self.state.list.models()[index];
        for copy in 0..environment.copies() {
            set_parameters(&mut *environment, copy, &self.config.uncertainty, model)?;
        }
        Collector::new(NAME, environment, self.config.sac.settings().replay, seed)
    }

    /// The threshold with the best worst case, and that worst case.
    fn search(&mut self) -> Result<(f64, Worst<Vec<f64>>), Error> {
        let dimensions = self.config.uncertainty.len();
        let mut best: Option<(f64, f64, Vec<f64>)> = None;
        for &threshold in &self.config.thresholds {
            // The same candidates and episodes for all.
            let mut rng = self.seed.indexed_stream("search", self.agents.len());
            let mut steps = 0;
            let least = self.config.search.least(dimensions, &mut rng, |points| {
                let played = self.play(points, threshold)?;
                steps += played.iter().map(|play| play.steps).sum::<u64>();
                Ok::<_, Error>(played.iter().map(|play| play.total_reward).collect())
            });
            let (point, value) = least?;
            self.state.search_steps += steps;
            if best.as_ref().is_none_or(|(_, other, _)| value > *other) {
                best = Some((threshold, value, point));
            }
        }
        let (threshold, _, point) = best.unwrap_or_else(|| unreachable!("there are thresholds"));
        let play = self.play(std::slice::from_ref(&point), threshold)?[0];
        let model = physical(&self.config.uncertainty, &point);
        Ok((threshold, Worst { model, value: play.discounted, predicted: play.predicted }))
    }

    /// Plays with the policy of all agents in the models at these points of the unit cube, at once.
    fn play(&self, points: &[Vec<f64>], threshold: f64) -> Result<Vec<Play>, Error> {
        let seed = self.seed.child("search");
        let episodes = self.config.search_episodes;
        let policy = self.policy_with(threshold);
        let action_box = self.collector.action_box();
        // A batch for each model with the same generators: common random numbers.
        let mut stages = Vec::with_capacity(points.len());
        for point in points {
            let mut environment = self.environment.replicate(episodes, seed);
            let model = physical(&self.config.uncertainty, point);
            for copy in 0..episodes {
                set_parameters(&mut *environment, copy, &self.config.uncertainty, &model)?;
            }
            stages.push(Stage::new(environment)?);
        }
        let features = self.environment.observation_space().features();
        let rows = points.len() * episodes;
        let mut rng = seed.stream("policy");
        let mut buffers = Buffers::default();
        let mut before = vec![0.0; rows * (features + policy.width)];
        let mut known = vec![false; rows];
        let mut actions = vec![0.0; rows * policy.width];
        let mut observations = Vec::with_capacity(rows * features);
        let mut factor = 1.0;
        for step in 0..self.config.search_step_limit {
            observations.clear();
            stages.iter().for_each(|stage| observations.extend_from_slice(&stage.step.observations));
            let past = Before { state_actions: &before, known: &known };
            policy.act(&observations, Some(past), Mode::Greedy, &mut rng, &mut buffers, &mut actions);
            let state_actions = before.chunks_exact_mut(features + policy.width);
            let both = observations.chunks_exact(features).zip(actions.chunks_exact(policy.width));
            for (row, (observation, action)) in state_actions.zip(both) {
                row[..features].copy_from_slice(observation);
                row[features..].copy_from_slice(action);
            }
            let mut running = false;
            for (i, stage) in stages.iter_mut().enumerate() {
                let rows = i * episodes..(i + 1) * episodes;
                if step == 0 {
                    let predicted: f64 = buffers.least[rows.clone()].iter().map(|q| f64::from(*q)).sum();
                    stage.play.predicted = predicted / episodes as f64;
                }
                action_box
                    .write(&actions[rows.start * policy.width..rows.end * policy.width], &mut stage.actions);
                running |= stage.advance(factor, &mut known[rows])?;
            }
            if !running {
                break;
            }
            factor *= self.config.sac.discount;
        }
        let mean = |stage: Stage| Play {
            total_reward: stage.play.total_reward / episodes as f64,
            discounted: stage.play.discounted / episodes as f64,
            ..stage.play
        };
        Ok(stages.into_iter().map(mean).collect())
    }
}

/// The physical parameters of the first copy, in the order of the box.
fn current(environment: &mut dyn BatchedEnvironment, uncertainty: &ParameterBox) -> Vec<f64> {
    let all = environment.physics(0).map(|physics| physics.physical_parameters()).unwrap_or_default();
    let value = |name: &String| all.iter().find(|p| p.name == *name).map_or(f64::NAN, |p| p.value);
    uncertainty.keys().map(value).collect()
}

/// Episodes in one model.
struct Stage {
    environment: Box<dyn BatchedEnvironment>,
    step: BatchedStep,
    actions: Actions,
    /// Which copies have not ended their episode yet.
    running: Vec<bool>,
    play: Play,
}

/// What episodes in one model brought: sums, and in the end means.
#[derive(Clone, Copy, Debug, Default)]
struct Play {
    total_reward: f64,
    discounted: f64,
    predicted: f64,
    steps: u64,
}

impl Stage {
    fn new(mut environment: Box<dyn BatchedEnvironment>) -> Result<Self, Error> {
        let copies = environment.copies();
        let mut step = BatchedStep::new(&*environment);
        environment.reset(&mut step.observations)?;
        let actions = Actions::zeros(environment.action_space(), copies);
        Ok(Stage { environment, step, actions, running: vec![true; copies], play: Play::default() })
    }

    /// Takes a step of discount `factor` with the actions written. Notes in which rows the episode goes
    /// on, and returns whether any of the first episodes does.
    fn advance(&mut self, factor: f64, known: &mut [bool]) -> Result<bool, Error> {
        self.environment.step(&self.actions, &mut self.step)?;
        for (copy, running) in self.running.iter_mut().enumerate() {
            let done = self.step.terminated[copy] || self.step.truncated[copy];
            known[copy] = !done;
            if *running {
                let reward = f64::from(self.step.rewards[copy]);
                self.play.total_reward += reward;
                self.play.discounted += factor * reward;
                self.play.steps += 1;
                *running = !done;
            }
        }
        Ok(self.running.contains(&true))
    }
}

impl<D: Device> Learner for Iwocs<D> {
    fn advance(&mut self) -> Result<Report, Error> {
        let mut report = Report::default();
        let mut means = Means::new(METRICS);
        let earlier = self.state.earlier_steps;
        for _ in 0..self.config.sac.steps {
            let policy = match self.state.phase {
                Phase::Model(index) => self.agents[index].policy(),
                Phase::Default | Phase::Finished => self.default.policy(),
            };
            let episodes = self.collector.step(|observations, rng, actions| {
                policy.act(observations, Mode::Sample, rng, &mut self.outputs, actions);
            })?;
            report.episodes.extend_from_slice(episodes);
            let updates = self.collector.updates_due();
            for _ in 0..updates {
                let batch = self.collector.draw(&self.device)?;
                match self.state.phase {
                    Phase::Default => self.default.gradient_step(&batch, &mut means),
                    Phase::Model(index) => self.agents[index].gradient_step(&batch, &mut means),
                    Phase::Finished => Ok(()),
                }
                .map_err(|e| e.after(earlier + self.collector.steps()))?;
            }
            if self.phase_is_over() {
                self.next_phase()?;
                break;
            }
        }
        let State { list, threshold, search_steps, .. } = &self.state;
        let last = list.found().last();
        report.metrics = means.metrics();
        report.metrics.extend([
            ("models", self.policy().members.len() as f64),
            ("threshold", *threshold),
            ("worst_value", last.map_or(f64::NAN, |worst| worst.value)),
            ("gap", last.map(Worst::gap).filter(|gap| gap.is_finite()).unwrap_or(f64::NAN)),
            ("stalled", f64::from(u8::from(matches!(list.stop(), Some(Stop::Stalled { .. }))))),
            ("search_steps", *search_steps as f64),
        ]);
        // A threshold may be infinite, which is no measurement.
        report.metrics.iter_mut().filter(|(_, value)| value.is_infinite()).for_each(|m| m.1 = f64::NAN);
        Ok(report)
    }

    fn steps(&self) -> u64 {
        self.state.earlier_steps + self.collector.steps()
    }

    fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        rng: &mut Stream,
        actions: &mut Actions,
    ) -> Result<(), Error> {
        self.collector.act(observations, actions, |observations, actions| {
            self.policy().act(observations, None, mode, rng, &mut Buffers::default(), actions);
        })
    }

    fn act_after(
        &self,
        previous: &PreviousStep,
        observations: &[f32],
        mode: Mode,
        rng: &mut Stream,
        actions: &mut Actions,
    ) -> Result<(), Error> {
        let features = self.environment.observation_space().features();
        let width = self.collector.action_box().width();
        let Actions::Continuous { values, .. } = &previous.actions else {
            return self.act(observations, mode, rng, actions);
        };
        let mut normalised = vec![0.0; values.len()];
        self.collector.action_box().normalise(values, &mut normalised);
        let rows = previous.observations.chunks_exact(features).zip(normalised.chunks_exact(width));
        let state_actions: Vec<f32> = rows.flat_map(|(s, a)| s.iter().chain(a)).copied().collect();
        let before = Before { state_actions: &state_actions, known: &previous.known };
        self.collector.act(observations, actions, |observations, actions| {
            self.policy().act(observations, Some(before), mode, rng, &mut Buffers::default(), actions);
        })
    }

    fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        checkpoint.put_record(NAME, &self.state)?;
        self.collector.save(checkpoint)?;
        self.default.save(checkpoint)?;
        self.agents.iter().try_for_each(|agent| agent.save(checkpoint))
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let state: State = checkpoint.record(NAME)?;
        let agents = match state.phase {
            Phase::Default => 0,
            Phase::Model(index) => index + 1,
            Phase::Finished => state.list.found().len(),
        };
        let width = self.config.uncertainty.len();
        if agents > state.list.models().len() || state.list.models().iter().any(|m| m.len() != width) {
            return Err(Error::Checkpoint { reason: "its models are not those of this problem".into() });
        }
        self.state = state;
        self.default.load(checkpoint)?;
        self.agents.clear();
        for index in 0..agents {
            let mut agent = self.agent_of(index)?;
            agent.load(checkpoint)?;
            self.agents.push(agent);
        }
        if let Some(last) = agents.checked_sub(1) {
            self.collector = self.collector_of(last)?;
        }
        self.collector.load(checkpoint)
    }
}
