#![doc = include_str!("../docs/rarl.md")]

use assay_environments::{
    Actions, BatchedEnvironment,
    domain_randomisation::ParameterBox,
    parameters::{ParameterError, require},
    random::{Seed, Stream},
};
use rand::Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use crate::{
    Checkpoint, Error, Learner, Mode, Report,
    catalogue::Configuration,
    learner::Means,
    replay::Collector,
    sac,
    tensor::Device,
    uncertainty::{EpisodeModels, resolve},
};

/// The algorithm's name in messages and checkpoints.
const NAME: &str = "rarl";

/// The settings of RARL with physical parameters as the adversary's actions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The uncertainty set: a range for each physical parameter that is uncertain, by name and in its own
    /// unit. The others keep their values. Where it names none, all are uncertain, in their whole ranges.
    pub uncertainty: ParameterBox,
    /// N_μ: episodes, over all copies, in which the protagonist learns before the adversary's turn; at
    /// least 1.
    pub protagonist_episodes: usize,
    /// N_ν: episodes, over all copies, of the adversary's turn; at least 2.
    pub adversary_episodes: usize,
    /// Step size of the adversary's mean, in units of its deviation; positive.
    pub adversary_learning_rate: f64,
    /// Standard deviation of the adversary's choice before tanh; positive.
    pub adversary_deviation: f64,
    /// The settings of the protagonist, SAC.
    pub sac: sac::Config,
}

impl Default for Config {
    /// Turns of equal length, as in the paper.
    fn default() -> Self {
        Config {
            uncertainty: ParameterBox::new(),
            protagonist_episodes: 10,
            adversary_episodes: 10,
            adversary_learning_rate: 0.5,
            adversary_deviation: 0.5,
            sac: sac::Config::default(),
        }
    }
}

impl Configuration for Config {
    fn validate(&self) -> Result<(), ParameterError> {
        require(
            "protagonist_episodes",
            self.protagonist_episodes,
            self.protagonist_episodes > 0,
            "at least 1",
        )?;
        require("adversary_episodes", self.adversary_episodes, self.adversary_episodes > 1, "at least 2")?;
        for (field, value) in [
            ("adversary_learning_rate", self.adversary_learning_rate),
            ("adversary_deviation", self.adversary_deviation),
        ] {
            require(field, value, value > 0.0 && value.is_finite(), "positive and finite")?;
        }
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
        Ok(Box::new(Rarl::new(self, environment, seed, device)?))
    }
}

/// Names of what every iteration reports, in order; their meanings stand on the page.
const METRICS: [&str; 5] = ["policy_loss", "critic_loss", "q_value", "entropy", "temperature"];

/// RARL at work.
pub struct Rarl<D: Device> {
    config: Config,
    device: D,
    collector: Collector,
    protagonist: sac::Agent<D>,
    outputs: Vec<f32>,
    state: State,
}

/// What a checkpoint holds beside the protagonist and the collector.
#[derive(Clone, Serialize, Deserialize)]
struct State {
    models: EpisodeModels,
    adversary: Adversary,
    turn: Turn,
}

/// Whose turn it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Turn {
    /// The protagonist learns; so many episodes of it have ended.
    Protagonist { ended: usize },
    /// The adversary watches: its plays so far.
    Adversary { plays: Vec<Play> },
}

/// An episode as the adversary sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Play {
    /// The standard normal numbers behind the choice.
    noise: Vec<f64>,
    /// The protagonist's return, undiscounted.
    total_reward: f64,
}

/// A distribution of models: tanh(m + σ ε), ε standard normal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Adversary {
    mean: Vec<f64>,
    deviation: f64,
    /// ε of the running episodes, by copy.
    current: Vec<Vec<f64>>,
    /// ε of those that come next.
    next: Vec<Vec<f64>>,
    /// The mean return of its last turn; NaN before the first.
    last_return: f64,
    updates: u64,
    stream: Stream,
}

impl Adversary {
    fn new(width: usize, copies: usize, deviation: f64, stream: Stream) -> Self {
        Adversary {
            mean: vec![0.0; width],
            deviation,
            current: vec![vec![0.0; width]; copies],
            next: vec![vec![0.0; width]; copies],
            last_return: f64::NAN,
            updates: 0,
            stream,
        }
    }

    /// The model of a copy's next episode; the one drawn before is that of the running one.
    fn draw(&mut self, copy: usize, model: &mut [f32]) {
        let noise: Vec<f64> = self.mean.iter().map(|_| self.stream.sample(StandardNormal)).collect();
        for ((x, mean), noise) in model.iter_mut().zip(&self.mean).zip(&noise) {
            *x = (mean + self.deviation * noise).tanh() as f32;
        }
        self.current[copy] = std::mem::replace(&mut self.next[copy], noise);
    }

    /// A step up the gradient of −E R, estimated from the score: m ← m + η mean −Â ε, with advantages Â of
    /// mean 0 and variance 1.
    fn learn(&mut self, plays: &[Play], learning_rate: f64) {
        let count = plays.len() as f64;
        let mean = plays.iter().map(|play| play.total_reward).sum::<f64>() / count;
        let variance = plays.iter().map(|play| (play.total_reward - mean).powi(2)).sum::<f64>() / count;
        (self.last_return, self.updates) = (mean, self.updates + 1);
        if variance == 0.0 {
            return;
        }
        for play in plays {
            let advantage = (play.total_reward - mean) / variance.sqrt();
            for (m, noise) in self.mean.iter_mut().zip(&play.noise) {
                *m -= learning_rate * self.deviation * advantage * noise / count;
            }
        }
    }
}

impl<D: Device> Rarl<D> {
    /// The learner at its first step.
    ///
    /// # Errors
    /// [`Error::Parameter`] when a setting is out of range, [`Error::Unsupported`] when the action space is
    /// not a bounded box or there are no physical parameters, [`Error::Environment`] when the environment
    /// does not have them, [`Error::Device`] when the device fails.
    pub fn new(
        config: Config,
        mut environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        device: D,
    ) -> Result<Self, Error> {
        config.validate()?;
        let uncertainty = resolve(NAME, &config.uncertainty, &mut *environment)?;
        let (width, copies) = (uncertainty.len(), environment.copies());
        let stream = seed.stream("adversary");
        let mut adversary = Adversary::new(width, copies, config.adversary_deviation, stream);
        let mut collector = Collector::new(NAME, environment, config.sac.settings().replay, seed)?;
        let draw = |copy, model: &mut [f32]| {
            adversary.draw(copy, model);
            Ok(())
        };
        let models = EpisodeModels::new(uncertainty, &mut collector, draw)?;
        adversary.current.clone_from(&adversary.next);
        let features = collector.environment().observation_space().features();
        let action_width = collector.action_box().width();
        Ok(Rarl {
            protagonist: sac::Agent::new(&config.sac, "", features, action_width, seed, &device)?,
            outputs: Vec::new(),
            state: State { models, adversary, turn: Turn::Protagonist { ended: 0 } },
            config,
            device,
            collector,
        })
    }

    /// The centre of the adversary's choices, in units of the box: 0 is its low and 1 its high end.
    pub fn adversary_centre(&self) -> Vec<f64> {
        self.state.adversary.mean.iter().map(|m| 0.5 * (m.tanh() + 1.0)).collect()
    }

    /// Counts the episodes that ended, and hands over the turn.
    fn take_turns(&mut self, returns: &[(usize, f64)]) {
        let State { adversary, turn, .. } = &mut self.state;
        match turn {
            Turn::Protagonist { ended } => {
                *ended += returns.len();
                let learning = self.collector.steps() > self.config.sac.learning_starts;
                if *ended >= self.config.protagonist_episodes && learning {
                    *turn = Turn::Adversary { plays: Vec::new() };
                }
            }
            Turn::Adversary { plays } => {
                plays.extend(returns.iter().map(|&(copy, total_reward)| Play {
                    noise: adversary.current[copy].clone(),
                    total_reward,
                }));
                if plays.len() >= self.config.adversary_episodes {
                    adversary.learn(plays, self.config.adversary_learning_rate);
                    *turn = Turn::Protagonist { ended: 0 };
                }
            }
        }
    }
}

impl<D: Device> Learner for Rarl<D> {
    fn advance(&mut self) -> Result<Report, Error> {
        let mut report = Report::default();
        let mut means = Means::new(METRICS);
        for _ in 0..self.config.sac.steps {
            let policy = self.protagonist.policy();
            let episodes = self.collector.step(|observations, rng, actions| {
                policy.act(observations, Mode::Sample, rng, &mut self.outputs, actions);
            })?;
            report.episodes.extend_from_slice(episodes);
            // Episodes stand in the order of the copies that ended them.
            let totals: Vec<f64> = episodes.iter().map(|episode| episode.total_reward).collect();
            let copies = 0..self.collector.environment().copies();
            let ended = copies.filter(|copy| self.collector.has_ended(*copy));
            let returns: Vec<(usize, f64)> = ended.zip(totals).collect();

            // The protagonist is fixed in the adversary's turn.
            let updates = match self.state.turn {
                Turn::Protagonist { .. } => self.collector.updates_due(),
                Turn::Adversary { .. } => 0,
            };
            for _ in 0..updates {
                let batch = self.collector.draw(&self.device)?;
                let steps = self.collector.steps();
                self.protagonist.gradient_step(&batch, &mut means).map_err(|e| e.after(steps))?;
            }
            self.take_turns(&returns);
            let State { models, adversary, .. } = &mut self.state;
            models.follow(&mut self.collector, |copy, model| {
                adversary.draw(copy, model);
                Ok(())
            })?;
        }
        report.metrics = means.metrics();
        let Adversary { last_return, updates, .. } = self.state.adversary;
        report.metrics.extend([("adversary_return", last_return), ("adversary_updates", updates as f64)]);
        Ok(report)
    }

    fn steps(&self) -> u64 {
        self.collector.steps()
    }

    fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        rng: &mut Stream,
        actions: &mut Actions,
    ) -> Result<(), Error> {
        self.collector.act(observations, actions, |observations, actions| {
            self.protagonist.policy().act(observations, mode, rng, &mut Vec::new(), actions);
        })
    }

    fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        self.collector.save(checkpoint)?;
        self.protagonist.save(checkpoint)?;
        checkpoint.put_record(NAME, &self.state)
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let state: State = checkpoint.record(NAME)?;
        if !state.models.fits(&self.state.models) {
            return Err(Error::Checkpoint { reason: "its models are not those of this problem".into() });
        }
        self.collector.load(checkpoint)?;
        self.protagonist.load(checkpoint)?;
        self.state = state;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{tensor::Cpu, testing::pendulum};

    fn adversary() -> Adversary {
        Adversary::new(2, 1, 0.5, Seed::new(0).stream("adversary"))
    }

    #[test]
    fn the_adversarys_step_is_the_score_weighted_by_normalised_advantages() {
        let mut adversary = adversary();
        let plays = [
            Play { noise: vec![1.0, -2.0], total_reward: -30.0 },
            Play { noise: vec![-0.5, 0.5], total_reward: -10.0 },
        ];
        adversary.learn(&plays, 0.1);
        // Advantages are −1 and 1.
        let expected = [0.1 * 0.5 * (1.0 + 0.5) / 2.0, 0.1 * 0.5 * (-2.0 - 0.5) / 2.0];
        assert!(adversary.mean.iter().zip(expected).all(|(m, e)| (m - e).abs() < 1e-12));
        assert_eq!((adversary.last_return, adversary.updates), (-20.0, 1));
        // Equal returns say nothing.
        let before = adversary.mean.clone();
        adversary.learn(&vec![plays[0].clone(); 3], 0.1);
        assert_eq!(adversary.mean, before);
    }

    #[test]
    fn the_adversary_finds_the_model_of_the_least_return() {
        let mut adversary = adversary();
        // The return falls towards the corner (−1, 1).
        for _ in 0..300 {
            let play = |adversary: &mut Adversary| {
                let mut model = [0.0; 2];
                adversary.draw(0, &mut model);
                let total_reward = f64::from(model[0] - model[1]);
                Play { noise: adversary.next[0].clone(), total_reward }
            };
            let plays: Vec<Play> = (0..10).map(|_| play(&mut adversary)).collect();
            adversary.learn(&plays, 0.5);
        }
        assert!(adversary.mean[0].tanh() < -0.95 && adversary.mean[1].tanh() > 0.95, "{:?}", adversary.mean);
    }

    #[test]
    fn a_play_is_judged_by_the_noise_behind_its_own_model_and_the_protagonist_is_fixed_meanwhile() {
        let sac = sac::Config {
            steps: 100,
            learning_starts: 200,
            hidden: vec![8],
            batch_size: 16,
            ..sac::Config::default()
        };
        let uncertainty = [("mass".to_owned(), [0.5, 1.5])].into();
        let config =
            Config { uncertainty, protagonist_episodes: 2, adversary_episodes: 3, sac, ..Config::default() };
        let device = Cpu::open().unwrap();
        let mut learner = Rarl::new(config, pendulum(2, 1), Seed::new(1), device).unwrap();
        let policy = |learner: &Rarl<Cpu>| {
            let mut actions = Actions::Continuous { values: vec![0.0], width: 1 };
            let mut rng = Seed::new(0).stream("unused");
            learner.act(&[0.3, 0.9, -0.5], Mode::Greedy, &mut rng, &mut actions).unwrap();
            actions
        };
        let mut turns = 0;
        for _ in 0..40 {
            let (before, turn) = (policy(&learner), learner.state.turn.clone());
            learner.advance().unwrap();
            // Noise, mean and model belong together, episode by episode.
            let State { adversary, models, .. } = &learner.state;
            if adversary.updates == 0 {
                for (copy, model) in models.current().iter().enumerate() {
                    let noise = adversary.current[copy][0];
                    assert!((f64::from(*model) - (0.5 * noise).tanh()).abs() < 1e-6);
                }
            }
            if let (Turn::Adversary { plays: earlier }, Turn::Adversary { plays }) =
                (turn, &learner.state.turn)
            {
                assert_eq!(before, policy(&learner));
                assert!(plays.len() >= earlier.len() && plays.len() < 3);
                turns += 1;
            }
        }
        assert!(turns > 3 && learner.state.adversary.updates > 2);
    }
}
