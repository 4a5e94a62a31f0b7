#![doc = include_str!("../docs/m2td3.md")]

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
    networks::{Activation, DenseConfig, DenseStack, Ensemble},
    off_policy::{critic_loss, require_not_negative},
    optimisers::{Adam, AdamConfig},
    policies::{squashed_gaussian::fill_normal, uniform},
    replay::{Collector, Minibatch},
    td3::{self, add_noise},
    tensor::{
        Device, Gradients, Matrix, MatrixOperations, Operations, Parameters, Record, Recording, Scalar, Tape,
        Vector, VectorOperations, backward, join_columns,
    },
    uncertainty::{EpisodeModels, resolve},
};

/// The algorithm's name in messages and checkpoints.
const NAME: &str = "m2td3";

/// The settings of M2TD3. The defaults are those of the authors' published code. Models are in units of
/// half the range of each parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The uncertainty set: a range for each physical parameter that is uncertain, by name and in its own
    /// unit. The others keep their values. Where it names none, all are uncertain, in their whole ranges.
    pub uncertainty: ParameterBox,
    /// The number N of candidates ω̂ for the worst model, at least 1. Paper: 5.
    pub candidates: usize,
    /// A candidate that is no farther than this from another one, in the L1 norm, is drawn anew; not
    /// negative. Authors' code: 0.1.
    pub least_distance: f64,
    /// A candidate that is the worst less often than this is drawn anew; below 1/N. Authors' code: 0.05.
    pub least_probability: f64,
    /// Standard deviation of the noise on the model of an episode, at first. Authors' code: 1.
    pub model_noise: f64,
    /// The same in the end. Authors' code: 0.1.
    pub final_model_noise: f64,
    /// Environment steps, over all copies, after which it is that; at least 1. In between it is linear.
    /// Authors' code: 2 million, the whole training.
    pub model_noise_steps: u64,
    /// Standard deviation of the noise on target models. Authors' code: 0.2.
    pub model_target_noise: f64,
    /// Bound of that noise. Authors' code: 0.5.
    pub model_target_noise_clip: f64,
    /// The settings of TD3. Authors' code: 100 transitions in a batch, 100,000 random steps first.
    pub td3: td3::Config,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            uncertainty: ParameterBox::new(),
            candidates: 5,
            least_distance: 0.1,
            least_probability: 0.05,
            model_noise: 1.0,
            final_model_noise: 0.1,
            model_noise_steps: 2_000_000,
            model_target_noise: 0.2,
            model_target_noise_clip: 0.5,
            td3: td3::Config { batch_size: 100, learning_starts: 100_000, ..td3::Config::default() },
        }
    }
}

impl Configuration for Config {
    fn validate(&self) -> Result<(), ParameterError> {
        require("candidates", self.candidates, self.candidates > 0, "at least 1")?;
        require_not_negative("least_distance", self.least_distance)?;
        let (least, most) = (self.least_probability, 1.0 / self.candidates as f64);
        let allowed = "0 to below one over the number of candidates";
        require("least_probability", least, (0.0..most).contains(&least), allowed)?;
        require_not_negative("model_noise", self.model_noise)?;
        require_not_negative("final_model_noise", self.final_model_noise)?;
        require("model_noise_steps", self.model_noise_steps, self.model_noise_steps > 0, "at least 1")?;
        require_not_negative("model_target_noise", self.model_target_noise)?;
        require_not_negative("model_target_noise_clip", self.model_target_noise_clip)?;
        let process = self.td3.ornstein_uhlenbeck.is_some();
        require("td3.ornstein_uhlenbeck", "given", !process, "absent: noise is independent at every step")?;
        self.td3.validate()
    }

    fn learner<D: Device>(
        self,
        environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        device: D,
    ) -> Result<Box<dyn Learner>, Error> {
        Ok(Box::new(M2td3::new(self, environment, seed, device)?))
    }
}

/// Names of what every iteration reports, in order; their meanings stand on the page.
const METRICS: [&str; 4] = ["policy_loss", "critic_loss", "q_value", "worst_q_value"];

/// M2TD3 at work.
pub struct M2td3<D: Device> {
    config: Config,
    device: D,
    collector: Collector,
    policy: DenseStack<D>,
    target_policy: DenseStack<D>,
    critics: Ensemble<D>,
    target_critics: Ensemble<D>,
    policy_optimiser: Adam<D>,
    critic_optimiser: Adam<D>,
    adversary: Adversary<D>,
    models: EpisodeModels,
    /// Gradient steps of the critics so far.
    updates: u64,
    /// The noise of target actions and models.
    noise_stream: Stream,
    noise: Vec<f32>,
}

impl<D: Device> M2td3<D> {
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
        let settings = config.td3.settings();
        let context = uncertainty.len();
        let mut collector = Collector::with_context(NAME, environment, context, settings.replay, seed)?;
        let features = collector.environment().observation_space().features();
        let width = collector.action_box().width();
        let network = settings.network();
        let policy_network = DenseConfig { output_activation: Activation::Tanh, ..network.clone() };
        let mut rng = seed.stream("initialisation");
        let inputs = features + width + context;
        let policy = DenseStack::new(&device, "policy", features, width, &policy_network, &mut rng)?;
        let critics = Ensemble::new(&device, "critics", 2, inputs, 1, &network, &mut rng)?;
        let mut adversary = Adversary::new(&config, context, seed, &device)?;
        let models = EpisodeModels::new(uncertainty, &mut collector, |_, model| {
            adversary.draw_uniform(model);
            Ok(())
        })?;
        collector.set_context(models.current());
        Ok(M2td3 {
            target_policy: policy.duplicate("target_policy")?,
            target_critics: critics.duplicate("target_critics")?,
            policy_optimiser: Adam::new(AdamConfig::default(), &[policy.parameters()])?,
            critic_optimiser: Adam::new(AdamConfig::default(), &[critics.parameters()])?,
            adversary,
            models,
            updates: 0,
            noise_stream: seed.stream("noise"),
            noise: Vec::new(),
            config,
            device,
            collector,
            policy,
            critics,
        })
    }

    /// The candidates ω̂₁ … ω̂_N for the worst model, on [−1, 1], and how often each was the worst of late.
    pub fn candidates(&self) -> Vec<(Vec<f32>, f64)> {
        let points = self.adversary.candidates.iter().map(Candidate::point);
        points.zip(self.adversary.state.probabilities.iter().copied()).collect()
    }

    /// Standard normal numbers: transitions × width.
    fn draw_noise(&mut self, width: usize) -> Result<Matrix<D>, Error> {
        let rows = self.config.td3.batch_size;
        self.noise.resize(rows * width, 0.0);
        fill_normal(&mut self.noise_stream, &mut self.noise);
        self.device.matrix(&self.noise, rows, width)
    }

    /// One gradient step of the critics; every `policy_delay`-th time also one of the policy and of the
    /// worst candidate, and a soft update of the target networks.
    fn gradient_step(&mut self, means: &mut Means<4>) -> Result<(), Error> {
        let td3::Config { learning_rate, policy_delay, target_rate, .. } = self.config.td3;
        let batch = self.collector.draw(&self.device)?;

        // The critics, towards the value of a smoothed target action in a smoothed model.
        let noise = [self.draw_noise(self.policy.outputs())?, self.draw_noise(self.models.width())?];
        let targets = self.targets(&batch, noise)?;
        let values = self.critics.record_values(batch.state_actions.clone())?;
        means.add_mean("q_value", &values.to_host());
        let (loss, mut gradients) = backward(critic_loss(values, targets), "critic loss")?;
        self.critic_optimiser.step(&mut [self.critics.parameters_mut()], &mut gradients, learning_rate)?;
        means.add("critic_loss", loss);

        self.updates += 1;
        if !self.updates.is_multiple_of(policy_delay) {
            return Ok(());
        }

        // The worst candidate for the policy; then the policy up and that candidate down the first critic.
        let (worst, value) = self.worst_candidate(&batch)?;
        means.add("worst_q_value", value);
        let (loss, mut of_policy) = backward(self.policy_loss(&batch, worst)?, "policy loss")?;
        let (_, mut of_model) = backward(self.model_loss(&batch, worst)?, "model loss")?;
        self.policy_optimiser.step(&mut [self.policy.parameters_mut()], &mut of_policy, learning_rate)?;
        self.adversary.candidates[worst].step(&mut of_model, learning_rate)?;
        self.adversary.was_worst(worst);
        means.add("policy_loss", loss);

        let rate = target_rate as f32;
        self.target_critics.parameters_mut().blend(self.critics.parameters(), rate)?;
        self.target_policy.parameters_mut().blend(self.policy.parameters(), rate)
    }

    /// y = r + γ (1 − d) minᵢ Q̄ᵢ(s′, a′, ω′), with a′ as in TD3 and ω′ = clip(ω + clip(σ̃ ε, −c, c), −1, 1),
    /// for standard normal `noise` of actions and of models.
    fn targets(&self, batch: &Minibatch<D>, noise: [Matrix<D>; 2]) -> Result<Vector<D>, Error> {
        let Config { model_target_noise, model_target_noise_clip, .. } = self.config;
        let td3::Config { target_noise, target_noise_clip, discount, .. } = self.config.td3;
        let smooth = |x: Matrix<D>, noise: Matrix<D>, deviation: f64, bound: f64| {
            let (deviation, bound) = (deviation as f32, bound as f32);
            (x + (noise * deviation).clamp(-bound, bound)).clamp(-1.0, 1.0)
        };
        let [of_actions, of_models] = noise;
        let actions = self.target_policy.forward(batch.next_observations.clone())?;
        let actions = smooth(actions, of_actions, target_noise, target_noise_clip);
        let width = self.policy.outputs();
        let models = batch.actions.clone().columns(width..width + self.models.width());
        let models = smooth(models, of_models, model_target_noise, model_target_noise_clip);
        let inputs = join_columns(join_columns(batch.next_observations.clone(), actions)?, models)?;
        let next_values = self.target_critics.values(inputs)?.min_rows();
        Ok(batch.targets(discount, next_values))
    }

    /// The candidate in which the policy has the least mean Q₁, and that mean.
    fn worst_candidate(&self, batch: &Minibatch<D>) -> Result<(usize, f32), Error> {
        let actions = self.policy.forward(batch.observations.clone())?;
        let state_actions = join_columns(batch.observations.clone(), actions)?;
        let mut worst = (0, f32::INFINITY);
        for (index, candidate) in self.adversary.candidates.iter().enumerate() {
            let model = self.rows(candidate.model(candidate.raw.constant()));
            let inputs = join_columns(state_actions.clone(), model)?;
            let value = self.critics.member_values_frozen(0, inputs)?.mean_all().to_host()[0];
            if value < worst.1 {
                worst = (index, value);
            }
        }
        Ok(worst)
    }

    /// J(π) = −mean Q₁(s, π(s), ω̂).
    fn policy_loss(&self, batch: &Minibatch<D>, worst: usize) -> Result<Scalar<D, Recording<D>>, Error> {
        let candidate = &self.adversary.candidates[worst];
        let model = self.rows(candidate.model(candidate.raw.constant()));
        let actions = self.policy.record(batch.observations.clone())?;
        let state_actions = join_columns(batch.observations.clone().recorded(), actions)?;
        let inputs = join_columns(state_actions, model.recorded())?;
        Ok(self.critics.member_values_frozen(0, inputs)?.mean_all().negate())
    }

    /// J(ω̂) = mean Q₁(s, π(s), ω̂).
    fn model_loss(&self, batch: &Minibatch<D>, worst: usize) -> Result<Scalar<D, Recording<D>>, Error> {
        let candidate = &self.adversary.candidates[worst];
        let actions = self.policy.forward(batch.observations.clone())?;
        let state_actions = join_columns(batch.observations.clone(), actions)?;
        let model = self.rows(candidate.model(candidate.raw.record()));
        Ok(self.critics.member_values_frozen(0, join_columns(state_actions, model)?)?.mean_all())
    }

    /// The same model for every transition of a batch.
    fn rows<T: Tape<D>>(&self, model: Vector<D, T>) -> Matrix<D, T> {
        model.repeat_rows(self.config.td3.batch_size)
    }

    /// Standard deviation of the noise on the model of the next episode.
    fn model_noise(&self) -> f64 {
        let Config { model_noise, final_model_noise, model_noise_steps, .. } = self.config;
        let progress = (self.collector.steps() as f64 / model_noise_steps as f64).min(1.0);
        model_noise + (final_model_noise - model_noise) * progress
    }
}

impl<D: Device> Learner for M2td3<D> {
    fn advance(&mut self) -> Result<Report, Error> {
        let mut report = Report::default();
        let mut means = Means::new(METRICS);
        let td3::Config { exploration_noise, learning_starts, steps, .. } = self.config.td3;
        for _ in 0..steps {
            let episodes = self.collector.step(|observations, rng, actions| {
                self.policy.infer(observations, actions);
                add_noise(exploration_noise, rng, actions);
            })?;
            report.episodes.extend_from_slice(episodes);
            if let Some(last) = episodes.last() {
                self.adversary.state.episode_length = last.length;
            }
            let (noise, started) = (self.model_noise(), self.collector.steps() >= learning_starts);
            let adversary = &mut self.adversary;
            self.models.follow(&mut self.collector, |_, model| {
                if started {
                    return adversary.draw(noise, model);
                }
                adversary.draw_uniform(model);
                Ok(())
            })?;
            self.collector.set_context(self.models.current());
            for _ in 0..self.collector.updates_due() {
                self.gradient_step(&mut means).map_err(|e| e.after(self.collector.steps()))?;
            }
        }
        report.metrics = means.metrics();
        report.metrics.push(("restarts", self.adversary.state.restarts as f64));
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
            self.policy.infer(observations, actions);
            if mode == Mode::Sample {
                add_noise(self.config.td3.exploration_noise, rng, actions);
            }
        })
    }

    fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        self.collector.save(checkpoint)?;
        self.policy.parameters().save(checkpoint);
        self.target_policy.parameters().save(checkpoint);
        self.critics.parameters().save(checkpoint);
        self.target_critics.parameters().save(checkpoint);
        self.policy_optimiser.save("policy_optimiser", checkpoint)?;
        self.critic_optimiser.save("critic_optimiser", checkpoint)?;
        self.adversary.save(checkpoint)?;
        checkpoint.put_record(NAME, &(self.updates, &self.noise_stream, &self.models))
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let (updates, noise_stream, models): (u64, Stream, EpisodeModels) = checkpoint.record(NAME)?;
        if !models.fits(&self.models) {
            return Err(Error::Checkpoint { reason: "its models are not those of this problem".into() });
        }
        self.collector.load(checkpoint)?;
        self.policy.parameters_mut().load(checkpoint)?;
        self.target_policy.parameters_mut().load(checkpoint)?;
        self.critics.parameters_mut().load(checkpoint)?;
        self.target_critics.parameters_mut().load(checkpoint)?;
        self.policy_optimiser.load("policy_optimiser", checkpoint)?;
        self.critic_optimiser.load("critic_optimiser", checkpoint)?;
        self.adversary.load(checkpoint)?;
        (self.updates, self.noise_stream, self.models) = (updates, noise_stream, models);
        self.collector.set_context(self.models.current());
        Ok(())
    }
}

/// A candidate ω̂ for the worst model.
struct Candidate<D: Device> {
    /// What learning changes: ω̂ = 2 σ(x) − 1, which stays on [−1, 1].
    raw: Parameters<D>,
    optimiser: Adam<D>,
}

impl<D: Device> Candidate<D> {
    fn new(device: &D, index: usize, raw: &[f32]) -> Result<Self, Error> {
        let raw = Parameters::free(device, &format!("candidate{index}"), raw)?;
        Ok(Candidate { optimiser: Adam::new(AdamConfig::default(), &[&raw])?, raw })
    }

    fn model<T: Tape<D>>(&self, raw: Vector<D, T>) -> Vector<D, T> {
        raw.sigmoid() * 2.0 - 1.0
    }

    fn point(&self) -> Vec<f32> {
        self.raw.values().iter().map(|x| 2.0 / (1.0 + (-x).exp()) - 1.0).collect()
    }

    fn step(&mut self, gradients: &mut Gradients<D>, rate: f64) -> Result<(), Error> {
        self.optimiser.step(&mut [&mut self.raw], gradients, rate).map(|_| ())
    }
}

/// All candidates, and which is played.
struct Adversary<D: Device> {
    device: D,
    candidates: Vec<Candidate<D>>,
    least_distance: f64,
    least_probability: f64,
    /// Numbers of a model.
    width: usize,
    state: AdversaryState,
}

/// What a checkpoint holds beside the candidates.
#[derive(Clone, Serialize, Deserialize)]
struct AdversaryState {
    /// How often each candidate was the worst of late; they sum to 1.
    probabilities: Vec<f64>,
    /// Steps of the episode that ended last: over how many the frequencies are averaged.
    episode_length: u64,
    /// Candidates drawn anew so far.
    restarts: u64,
    stream: Stream,
}

impl<D: Device> Adversary<D> {
    fn new(config: &Config, width: usize, seed: Seed, device: &D) -> Result<Self, Error> {
        let count = config.candidates;
        let mut stream = seed.stream("models");
        let candidate = |index| Candidate::new(device, index, &draw_raw(&mut stream, width));
        let candidates = (0..count).map(candidate).collect::<Result<_, _>>()?;
        let probabilities = vec![1.0 / count as f64; count];
        Ok(Adversary {
            device: device.clone(),
            candidates,
            least_distance: config.least_distance,
            least_probability: config.least_probability,
            width,
            state: AdversaryState { probabilities, episode_length: 1000, restarts: 0, stream },
        })
    }

    /// A uniform model.
    fn draw_uniform(&mut self, model: &mut [f32]) {
        uniform(&mut self.state.stream, model);
    }

    /// One of the candidates by its probability, with noise. Candidates that are near another one, or
    /// hardly ever the worst, are drawn anew before.
    fn draw(&mut self, deviation: f64, model: &mut [f32]) -> Result<(), Error> {
        let needless: Vec<usize> = (0..self.candidates.len()).filter(|i| self.is_needless(*i)).collect();
        for index in needless {
            self.restart(index)?;
        }
        let mut left = self.state.stream.random::<f64>();
        let chosen = self.state.probabilities.iter().position(|p| {
            left -= p;
            left < 0.0
        });
        // Rounding may leave a little of the probability to nobody.
        let chosen = chosen.unwrap_or(self.candidates.len() - 1);
        for (x, centre) in model.iter_mut().zip(self.candidates[chosen].point()) {
            let noise: f32 = self.state.stream.sample(StandardNormal);
            *x = (centre + deviation as f32 * noise).clamp(-1.0, 1.0);
        }
        Ok(())
    }

    fn is_needless(&self, index: usize) -> bool {
        let own = self.candidates[index].point();
        let near = |other: &Candidate<D>| {
            let distance = own.iter().zip(other.point()).map(|(a, b)| f64::from((a - b).abs())).sum::<f64>();
            distance <= self.least_distance
        };
        // Of two that are near each other, the first one goes.
        self.state.probabilities[index] < self.least_probability
            || self.candidates[index + 1..].iter().any(near)
    }

    /// Draws a candidate uniformly; its probability becomes 1/N, and the others share the rest as before.
    fn restart(&mut self, index: usize) -> Result<(), Error> {
        let raw = draw_raw(&mut self.state.stream, self.width);
        self.candidates[index] = Candidate::new(&self.device, index, &raw)?;
        self.state.restarts += 1;
        let probabilities = &mut self.state.probabilities;
        let share = 1.0 / probabilities.len() as f64;
        probabilities[index] = 0.0;
        let rest: f64 = probabilities.iter().sum();
        if rest > 0.0 {
            probabilities.iter_mut().for_each(|p| *p *= (1.0 - share) / rest);
            probabilities[index] = share;
        } else {
            probabilities.fill(share);
        }
        Ok(())
    }

    /// p ← (1 − 1/T) p + 1/T at the candidate that was the worst, with the steps T of an episode.
    fn was_worst(&mut self, worst: usize) {
        let rate = 1.0 / self.state.episode_length as f64;
        for (index, p) in self.state.probabilities.iter_mut().enumerate() {
            *p = (1.0 - rate) * *p + if index == worst { rate } else { 0.0 };
        }
    }

    fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        for (index, candidate) in self.candidates.iter().enumerate() {
            candidate.raw.save(checkpoint);
            candidate.optimiser.save(&format!("candidate{index}_optimiser"), checkpoint)?;
        }
        checkpoint.put_record("adversary", &self.state)
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let state: AdversaryState = checkpoint.record("adversary")?;
        let (given, needed) = (state.probabilities.len(), self.candidates.len());
        if given != needed {
            let reason = format!("it has {given} candidates; {needed} are needed");
            return Err(Error::Checkpoint { reason });
        }
        self.state = state;
        for (index, candidate) in self.candidates.iter_mut().enumerate() {
            candidate.raw.load(checkpoint)?;
            candidate.optimiser.load(&format!("candidate{index}_optimiser"), checkpoint)?;
        }
        Ok(())
    }
}

/// The x of a uniform ω̂ = 2 σ(x) − 1.
fn draw_raw(stream: &mut Stream, width: usize) -> Vec<f32> {
    let mut point = vec![0.0; width];
    uniform(stream, &mut point);
    // Not so near the border that σ hardly has a slope.
    point.iter().map(|x| x.clamp(-0.99, 0.99)).map(|x| ((1.0 + x) / (1.0 - x)).ln()).collect()
}

#[cfg(test)]
mod tests;
