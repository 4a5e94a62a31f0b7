#![doc = include_str!("../../docs/mdpo_on_policy.md")]

use assay_environments::{
    Actions, BatchedEnvironment,
    parameters::{ParameterError, require},
    random::{Seed, Stream},
};
use serde::{Deserialize, Serialize};

use super::{Divergence, StepSize};
use crate::{
    Checkpoint, Error, Learner, Mode, Report,
    catalogue::Configuration,
    on_policy::{ActorCritic, Batch, Settings},
    optimisers::{Adam, AdamConfig},
    policies::{NetworkConfig, Policy},
    rollout::{MinibatchOrder, explained_variance, standardise},
    tensor::{Device, Operations, Recording, Scalar, backward},
    value_function::{Regression, ValueClip},
};

/// Settings of on-policy MDPO. The defaults are those of the authors' code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Steps of each copy of the environment per iteration, N. Authors' code: 2048.
    pub steps: usize,
    /// Gradient steps m on the policy per iteration, each on the whole batch. Authors' code: 10.
    pub inner_steps: usize,
    /// The divergence B(π, πₖ) that holds the policy back. Paper: KL(π, πₖ).
    pub divergence: Divergence,
    /// The step size tₖ, whose inverse weighs the divergence. Authors' code: linear from 1.
    pub step_size: StepSize,
    /// Environment steps of the whole run: with N they give the number of iterations K over which
    /// the step size falls. Authors' code: ten million.
    pub total_steps: u64,
    /// Discount γ, 0 to 1. Authors' code: 0.99.
    pub discount: f64,
    /// Weight λ of generalised advantage estimation, 0 to 1. Authors' code: 0.95.
    pub lambda: f64,
    /// Whether advantages are standardised over the batch. Authors' code: on.
    pub normalise_advantages: bool,
    /// Step size of the policy's Adam, at least 0. Authors' code: 3e-4, constant.
    pub learning_rate: f64,
    /// The policy's gradient is scaled down to this norm, above 0; absent for no limit. Authors'
    /// code: 0.5.
    pub max_gradient_norm: Option<f64>,
    /// Passes over the batch to fit the value function. Authors' code: 5.
    pub value_epochs: usize,
    /// Samples per gradient step of the value function. Authors' code: 128.
    pub value_minibatch_size: usize,
    /// Step size of the value function's Adam, at least 0. Authors' code: 3e-4.
    pub value_learning_rate: f64,
    /// Range within which a value's prediction may move from the old one, above 0; the larger of
    /// the clipped and the plain error counts. Absent for no clipping. Authors' code: 0.2.
    pub value_clip_range: Option<f64>,
    /// Adam's ε, above 0. Authors' code: 1e-5.
    pub adam_epsilon: f64,
    /// Whether observations are normalised by their running mean and deviation. Authors' code: on.
    pub normalise_observations: bool,
    /// Whether rewards are divided by the running deviation of the discounted return. Authors'
    /// code: on.
    pub normalise_rewards: bool,
    /// The form of both networks. Paper: 64, 64, tanh.
    pub network: NetworkConfig,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            steps: 2048,
            inner_steps: 10,
            divergence: Divergence::ReverseKl,
            step_size: StepSize::PAPER,
            total_steps: 10_000_000,
            discount: 0.99,
            lambda: 0.95,
            normalise_advantages: true,
            learning_rate: 3e-4,
            max_gradient_norm: Some(0.5),
            value_epochs: 5,
            value_minibatch_size: 128,
            value_learning_rate: 3e-4,
            value_clip_range: Some(0.2),
            adam_epsilon: 1e-5,
            normalise_observations: true,
            normalise_rewards: true,
            network: NetworkConfig::default(),
        }
    }
}

impl Config {
    fn settings(&self) -> Settings<'_> {
        Settings {
            steps: self.steps,
            discount: self.discount,
            lambda: self.lambda,
            normalise_observations: self.normalise_observations,
            normalise_rewards: self.normalise_rewards,
            network: &self.network,
        }
    }

    fn regression(&self) -> Regression {
        Regression {
            epochs: self.value_epochs,
            minibatch_size: self.value_minibatch_size,
            learning_rate: self.value_learning_rate,
            clip: self.value_clip_range.map(ValueClip::Larger),
        }
    }
}

impl Configuration for Config {
    fn validate(&self) -> Result<(), ParameterError> {
        let positive = |x: f64| x > 0.0 && x.is_finite();
        let rate = self.learning_rate;
        let norm = self.max_gradient_norm.unwrap_or(1.0);
        self.settings().validate()?;
        require("inner_steps", self.inner_steps, self.inner_steps > 0, "at least 1")?;
        self.divergence.validate()?;
        // The weight 1/t of the divergence is positive whatever the number of inner steps: several
        // steps on the ratio alone would leave the region where the advantages are valid.
        self.step_size.validate()?;
        require("total_steps", self.total_steps, self.total_steps > 0, "at least 1")?;
        require("learning_rate", rate, rate >= 0.0 && rate.is_finite(), "at least 0")?;
        require("max_gradient_norm", norm, positive(norm), "above 0")?;
        require("adam_epsilon", self.adam_epsilon, positive(self.adam_epsilon), "above 0")?;
        self.regression().validate()
    }

    fn learner<D: Device>(
        self,
        environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        device: D,
    ) -> Result<Box<dyn Learner>, Error> {
        Ok(Box::new(OnPolicyMdpo::new(self, environment, seed, device)?))
    }
}

/// On-policy MDPO.
pub struct OnPolicyMdpo<D: Device> {
    config: Config,
    agent: ActorCritic<D>,
    policy_optimiser: Adam<D>,
    value_optimiser: Adam<D>,
    order: MinibatchOrder,
    /// k.
    iteration: u64,
}

impl<D: Device> OnPolicyMdpo<D> {
    /// The learner at its first step.
    ///
    /// # Errors
    /// [`Error::Parameter`] when the configuration is out of range; [`Error::Device`] when the
    /// device fails.
    pub fn new(
        config: Config,
        environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        device: D,
    ) -> Result<Self, Error> {
        config.validate()?;
        let agent = ActorCritic::new(config.settings(), environment, seed, device)?;
        let value_adam = AdamConfig { epsilon: config.adam_epsilon, ..AdamConfig::default() };
        let policy_adam = AdamConfig { max_gradient_norm: config.max_gradient_norm, ..value_adam };
        let policy_optimiser = Adam::new(policy_adam, &agent.policy.parameters())?;
        let value_optimiser = Adam::new(value_adam, &[agent.value.parameters()])?;
        let order = MinibatchOrder::new(seed);
        Ok(OnPolicyMdpo { config, agent, policy_optimiser, value_optimiser, order, iteration: 0 })
    }

    /// The policy, the value function and their experience.
    pub fn agent(&self) -> &ActorCritic<D> {
        &self.agent
    }

    /// m gradient steps; returns the loss after the last but one, and the mean gradient norm.
    fn update_policy(&mut self, batch: &Batch<D>, step_size: f64) -> Result<(f64, f64), Error> {
        let OnPolicyMdpo { config, agent, policy_optimiser, .. } = self;
        let (mut last_loss, mut norms) = (f64::NAN, 0.0);
        for _ in 0..config.inner_steps {
            let loss = loss(&agent.policy, batch, config.divergence, step_size)?;
            let (loss, mut gradients) = backward(loss, "policy loss")?;
            let modules = &mut agent.policy.parameters_mut();
            let norm = policy_optimiser.step(modules, &mut gradients, config.learning_rate)?;
            last_loss = f64::from(loss);
            norms += f64::from(norm);
        }
        Ok((last_loss, norms / config.inner_steps as f64))
    }
}

/// −mean[ ρ Â ] + (1/t) mean B(π_θ, πₖ).
fn loss<D: Device>(
    policy: &Policy<D>,
    batch: &Batch<D>,
    divergence: Divergence,
    step_size: f64,
) -> Result<Scalar<D, Recording<D>>, Error> {
    let distribution = policy.record(batch.observations.clone())?;
    let divergence = match divergence {
        Divergence::ReverseKl => distribution.branch().kl_to(&batch.old),
        Divergence::ForwardKl => distribution.branch().kl_from(&batch.old),
        Divergence::Tsallis { q } => distribution.branch().tsallis_divergence(&batch.old, q),
    };
    let linearised = (batch.ratios(distribution) * batch.advantages.clone()).mean_all();
    Ok(divergence.mean_all() * (1.0 / step_size) as f32 - linearised)
}

impl<D: Device> Learner for OnPolicyMdpo<D> {
    fn advance(&mut self) -> Result<Report, Error> {
        let iterations = self.config.total_steps / self.agent.rollout.len() as u64;
        let step_size = self.config.step_size.at(self.iteration, iterations);

        self.agent.collect()?;
        let steps = self.steps();
        let rollout = &mut self.agent.rollout;
        let explained_variance = explained_variance(&rollout.values, &rollout.returns);
        if self.config.normalise_advantages {
            standardise(&mut rollout.advantages);
        }

        let batch = self.agent.batch()?;
        let (policy_loss, gradient_norm) =
            self.update_policy(&batch, step_size).map_err(|e| e.after(steps))?;
        let change = self.agent.policy_change(&batch)?;

        let OnPolicyMdpo { config, agent, value_optimiser, order, .. } = self;
        let value_loss = agent
            .value
            .fit(value_optimiser, &agent.rollout, order, config.regression())
            .map_err(|e| e.after(steps))?;
        self.iteration += 1;

        Ok(Report {
            metrics: vec![
                ("policy_loss", policy_loss),
                ("value_loss", value_loss),
                ("entropy", change.entropy),
                ("mean_kl", change.kl_to_old),
                ("max_ratio", change.max_ratio),
                ("gradient_norm", gradient_norm),
                ("explained_variance", explained_variance),
                ("step_size", step_size),
            ],
            episodes: agent.rollout.episodes.clone(),
        })
    }

    fn steps(&self) -> u64 {
        self.agent.collector.steps()
    }

    fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        rng: &mut Stream,
        actions: &mut Actions,
    ) -> Result<(), Error> {
        self.agent.act(observations, mode, rng, actions)
    }

    fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        self.agent.save(checkpoint)?;
        self.policy_optimiser.save("policy_optimiser", checkpoint)?;
        self.value_optimiser.save("value_optimiser", checkpoint)?;
        self.order.save(checkpoint)?;
        checkpoint.put_record("iteration", &self.iteration)
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        self.agent.load(checkpoint)?;
        self.policy_optimiser.load("policy_optimiser", checkpoint)?;
        self.value_optimiser.load("value_optimiser", checkpoint)?;
        self.order.load(checkpoint)?;
        self.iteration = checkpoint.record("iteration")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        on_policy::tests::{assert_policy_gradient, moved_agent, vanilla_gradient},
        testing::flat_gradient,
    };

    const DIVERGENCES: [Divergence; 4] = [
        Divergence::ReverseKl,
        Divergence::ForwardKl,
        Divergence::Tsallis { q: 1.5 },
        Divergence::Tsallis { q: 2.0 },
    ];

    #[test]
    fn the_gradient_of_the_loss_agrees_with_finite_differences() {
        for continuous in [false, true] {
            for divergence in DIVERGENCES {
                let (mut agent, batch, mut rng) = moved_agent(continuous, 1);
                assert_policy_gradient(&mut agent, &mut rng, |agent| {
                    loss(&agent.policy, &batch, divergence, 0.5).unwrap()
                });
            }
        }
    }

    #[test]
    fn the_first_of_the_inner_steps_is_a_plain_policy_gradient_step() {
        for continuous in [false, true] {
            for divergence in DIVERGENCES {
                let (agent, _, _) = moved_agent(continuous, 2);
                // πₖ is the policy as it is now.
                let policy = &agent.policy;
                let mut batch = agent.batch().unwrap();
                batch.log_probs = batch.old.clone().log_prob(&batch.actions);
                let expected = vanilla_gradient(policy, &batch);
                for step_size in [0.01, 1.0] {
                    let loss = loss(policy, &batch, divergence, step_size).unwrap();
                    let (_, mut gradients) = backward(loss, "loss").unwrap();
                    let found = flat_gradient(policy, &mut gradients);
                    for (found, expected) in found.iter().zip(&expected) {
                        assert!((found + expected).abs() < 1e-4, "{divergence:?}: {found} {expected}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_smaller_step_size_keeps_the_policy_nearer_to_the_old_one() {
        use crate::tensor::Cpu;
        use assay_environments::{Batch as Copies, classic::CartPole};
        let seed = Seed::new(3);
        for divergence in DIVERGENCES {
            let kl = |value: f64| {
                let config = Config {
                    steps: 256,
                    divergence,
                    step_size: StepSize::Constant { value },
                    learning_rate: 3e-3,
                    ..Config::default()
                };
                let environment = Box::new(Copies::new(CartPole::default(), 1, seed).unwrap());
                let mut learner = OnPolicyMdpo::new(config, environment, seed, Cpu::open().unwrap()).unwrap();
                let report = learner.advance().unwrap();
                report.metrics.iter().find(|(name, _)| *name == "mean_kl").unwrap().1
            };
            let (near, far) = (kl(0.01), kl(10.0));
            assert!(near < 0.5 * far, "{divergence:?}: {near} {far}");
        }
    }
}
