#![doc = include_str!("../docs/trpo.md")]

use assay_environments::{
    Actions, BatchedEnvironment,
    parameters::{ParameterError, require},
    random::{Seed, Stream},
};
use serde::{Deserialize, Serialize};

use crate::{
    Checkpoint, Error, Learner, Mode, Report,
    catalogue::Configuration,
    conjugate_gradient::{ConjugateGradient, add_scaled, dot},
    on_policy::{ActorCritic, Batch, Settings},
    optimisers::{Adam, AdamConfig},
    policies::{FisherProduct, NetworkConfig, Policy},
    rollout::{MinibatchOrder, explained_variance, standardise},
    tensor::{Device, Operations, backward},
    value_function::Regression,
};

/// Settings of TRPO. The defaults are those of sb3-contrib.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Steps of each copy of the environment per iteration. sb3-contrib: 2048.
    pub steps: usize,
    /// Discount γ, 0 to 1. Paper, table 2: 0.99.
    pub discount: f64,
    /// Weight λ of generalised advantage estimation, 0 to 1. sb3-contrib: 0.95.
    pub lambda: f64,
    /// Bound δ on the mean KL(π_k, π_θ), in nats, above 0. Paper, table 2: 0.01.
    pub target_kl: f64,
    /// Iterations of conjugate gradient, at least 1. sb3-contrib: 15; the paper: 10.
    pub conjugate_gradient_steps: usize,
    /// Multiple of the identity that is added to the Fisher information, at least 0. sb3-contrib:
    /// 0.1.
    pub damping: f64,
    /// How many step lengths the line search tries, at least 1. sb3-contrib: 10.
    pub line_search_steps: usize,
    /// Each step length over the one before, between 0 and 1. sb3-contrib: 0.8.
    pub line_search_factor: f64,
    /// Whether advantages are standardised over the batch. sb3-contrib: on.
    pub normalise_advantages: bool,
    /// Passes over the batch to fit the value function. sb3-contrib: 10.
    pub value_epochs: usize,
    /// Samples per gradient step of the value function. sb3-contrib: 128.
    pub value_minibatch_size: usize,
    /// Step size of the value function's Adam, at least 0. sb3-contrib: 1e-3.
    pub value_learning_rate: f64,
    /// Adam's ε, above 0. sb3-contrib: 1e-5.
    pub adam_epsilon: f64,
    /// Whether observations are normalised by their running mean and deviation. Off.
    pub normalise_observations: bool,
    /// Whether rewards are divided by the running deviation of the discounted return. Off.
    pub normalise_rewards: bool,
    /// The form of both networks. sb3-contrib: 64, 64, tanh.
    pub network: NetworkConfig,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            steps: 2048,
            discount: 0.99,
            lambda: 0.95,
            target_kl: 0.01,
            conjugate_gradient_steps: 15,
            damping: 0.1,
            line_search_steps: 10,
            line_search_factor: 0.8,
            normalise_advantages: true,
            value_epochs: 10,
            value_minibatch_size: 128,
            value_learning_rate: 1e-3,
            adam_epsilon: 1e-5,
            normalise_observations: false,
            normalise_rewards: false,
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
            clip: None,
        }
    }
}

impl Configuration for Config {
    fn validate(&self) -> Result<(), ParameterError> {
        let positive = |x: f64| x > 0.0 && x.is_finite();
        let not_negative = |x: f64| x >= 0.0 && x.is_finite();
        let (solver, search) = (self.conjugate_gradient_steps, self.line_search_steps);
        let factor = self.line_search_factor;
        self.settings().validate()?;
        require("target_kl", self.target_kl, positive(self.target_kl), "above 0")?;
        require("conjugate_gradient_steps", solver, solver > 0, "at least 1")?;
        require("damping", self.damping, not_negative(self.damping), "at least 0")?;
        require("line_search_steps", search, search > 0, "at least 1")?;
        require("line_search_factor", factor, factor > 0.0 && factor < 1.0, "between 0 and 1")?;
        require("adam_epsilon", self.adam_epsilon, positive(self.adam_epsilon), "above 0")?;
        self.regression().validate()
    }

    fn learner<D: Device>(
        self,
        environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        device: D,
    ) -> Result<Box<dyn Learner>, Error> {
        Ok(Box::new(Trpo::new(self, environment, seed, device)?))
    }
}

/// TRPO with a single path of experience per copy of the environment.
pub struct Trpo<D: Device> {
    config: Config,
    agent: ActorCritic<D>,
    value_optimiser: Adam<D>,
    order: MinibatchOrder,
    solver: ConjugateGradient,
    fisher: FisherProduct,
    vectors: Vectors,
}

/// Memory of an update: vectors over all parameters of the policy.
#[derive(Default)]
struct Vectors {
    /// g.
    gradient: Vec<f32>,
    /// θ_k.
    start: Vec<f32>,
    /// s.
    direction: Vec<f32>,
    /// F s.
    product: Vec<f32>,
    /// What the line search tries.
    candidate: Vec<f32>,
}

/// What the policy's update came to.
struct Update {
    /// Norm of the gradient g.
    gradient_norm: f64,
    /// Norm of what conjugate gradient left of g − F s.
    residual_norm: f64,
    /// Fraction of the full step that was taken; 0 where none was acceptable.
    step_fraction: f64,
    /// By how much the surrogate objective rose.
    improvement: f64,
}

impl<D: Device> Trpo<D> {
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
        let adam = AdamConfig { epsilon: config.adam_epsilon, ..AdamConfig::default() };
        let value_optimiser = Adam::new(adam, &[agent.value.parameters()])?;
        let order = MinibatchOrder::new(seed);
        let (solver, fisher) = (ConjugateGradient::default(), FisherProduct::default());
        Ok(Trpo { config, agent, value_optimiser, order, solver, fisher, vectors: Vectors::default() })
    }

    /// The policy, the value function and their experience.
    pub fn agent(&self) -> &ActorCritic<D> {
        &self.agent
    }

    /// One natural-gradient step within the trust region around π_k.
    fn update_policy(&mut self, batch: &Batch<D>) -> Result<Update, Error> {
        let Trpo { config, agent, solver, fisher, vectors, .. } = self;
        let Vectors { gradient, start, direction, product, candidate } = vectors;
        let objective = policy_gradient(&agent.policy, batch, gradient)?;
        agent.policy.flat_parameters(start);

        // The direction s = F⁻¹ g, with F damped.
        let mut fisher_product = |v: &[f32], product: &mut [f32]| {
            fisher.apply(&agent.policy, &agent.rollout.observations, v, product);
            add_scaled(product, config.damping as f32, v);
        };
        direction.resize(gradient.len(), 0.0);
        let iterations = config.conjugate_gradient_steps;
        let residual = solver.solve(&mut fisher_product, gradient, iterations, 1e-10, direction);

        // The length at which the quadratic model sᵀ F s / 2 of the divergence reaches δ.
        product.resize(direction.len(), 0.0);
        fisher_product(direction, product);
        let length = (2.0 * config.target_kl / dot(direction, product)).sqrt();

        let mut update = Update {
            gradient_norm: dot(gradient, gradient).sqrt(),
            residual_norm: residual.sqrt(),
            step_fraction: 0.0,
            improvement: 0.0,
        };
        // Without a gradient, when no advantage differs from another, there is nowhere to go.
        if !length.is_finite() {
            return Ok(update);
        }
        let mut fraction = 1.0;
        for _ in 0..config.line_search_steps {
            candidate.clone_from(start);
            add_scaled(candidate, (fraction * length) as f32, direction);
            agent.policy.set_flat_parameters(candidate);
            let (new_objective, kl) = surrogate(&agent.policy, batch)?;
            if new_objective > objective && kl <= config.target_kl {
                update.step_fraction = fraction;
                update.improvement = new_objective - objective;
                return Ok(update);
            }
            fraction *= config.line_search_factor;
        }
        agent.policy.set_flat_parameters(start);
        Ok(update)
    }
}

/// The surrogate objective mean[ρ Â] at the current parameters; writes its gradient g.
fn policy_gradient<D: Device>(
    policy: &Policy<D>,
    batch: &Batch<D>,
    gradient: &mut Vec<f32>,
) -> Result<f64, Error> {
    let ratios = batch.ratios(policy.record(batch.observations.clone())?);
    let objective = (ratios * batch.advantages.clone()).mean_all();
    let (objective, mut gradients) = backward(objective, "surrogate objective")?;
    policy.flat_gradient(&mut gradients, gradient)?;
    Ok(f64::from(objective))
}

/// The surrogate objective mean[ρ Â] and the mean KL(π_k, π_θ) at the current parameters.
fn surrogate<D: Device>(policy: &Policy<D>, batch: &Batch<D>) -> Result<(f64, f64), Error> {
    let distribution = policy.distribution(batch.observations.clone())?;
    let ratios = batch.ratios(distribution.clone());
    let objective = (ratios * batch.advantages.clone()).mean_all().to_host()[0];
    let kl = distribution.kl_from(&batch.old).mean_all().to_host()[0];
    Ok((f64::from(objective), f64::from(kl)))
}

impl<D: Device> Learner for Trpo<D> {
    fn advance(&mut self) -> Result<Report, Error> {
        self.agent.collect()?;
        let steps = self.steps();
        let explained_variance = explained_variance(&self.agent.rollout.values, &self.agent.rollout.returns);
        if self.config.normalise_advantages {
            standardise(&mut self.agent.rollout.advantages);
        }

        let batch = self.agent.batch()?;
        let update = self.update_policy(&batch).map_err(|e| e.after(steps))?;
        let change = self.agent.policy_change(&batch)?;

        let Trpo { config, agent, value_optimiser, order, .. } = self;
        let value_loss = agent
            .value
            .fit(value_optimiser, &agent.rollout, order, config.regression())
            .map_err(|e| e.after(steps))?;

        Ok(Report {
            metrics: vec![
                ("improvement", update.improvement),
                ("value_loss", value_loss),
                ("entropy", change.entropy),
                ("mean_kl", change.kl_to_old),
                ("constraint_kl", change.kl_from_old),
                ("max_ratio", change.max_ratio),
                ("gradient_norm", update.gradient_norm),
                ("residual_norm", update.residual_norm),
                ("step_fraction", update.step_fraction),
                ("explained_variance", explained_variance),
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
        self.value_optimiser.save("value_optimiser", checkpoint)?;
        self.order.save(checkpoint)
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        self.agent.load(checkpoint)?;
        self.value_optimiser.load("value_optimiser", checkpoint)?;
        self.order.load(checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        on_policy::tests::{assert_policy_gradient, copies, moved_agent, vanilla_gradient},
        tensor::Cpu,
        testing::flat_parameters,
    };
    use assay_environments::{
        classic::{CartPole, Pendulum},
        probe::{ActionForm, Probe, Question},
    };

    #[test]
    fn the_gradient_of_the_surrogate_agrees_with_finite_differences() {
        for continuous in [false, true] {
            let (mut agent, batch, mut rng) = moved_agent(continuous, 1);
            assert_policy_gradient(&mut agent, &mut rng, |agent| {
                let ratios = batch.ratios(agent.policy.record(batch.observations.clone()).unwrap());
                (ratios * batch.advantages.clone()).mean_all()
            });
        }
    }

    #[test]
    fn at_the_old_policy_the_surrogates_gradient_is_the_policy_gradient() {
        let (agent, _, _) = moved_agent(true, 2);
        let mut batch = agent.batch().unwrap();
        batch.log_probs = batch.old.clone().log_prob(&batch.actions);
        let mut found = Vec::new();
        policy_gradient(&agent.policy, &batch, &mut found).unwrap();
        for (found, expected) in found.iter().zip(vanilla_gradient(&agent.policy, &batch)) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }

    fn metric(report: &Report, name: &str) -> f64 {
        report.metrics.iter().find(|(known, _)| *known == name).unwrap().1
    }

    #[test]
    fn every_step_improves_the_surrogate_within_the_trust_region() {
        let seed = Seed::new(4);
        for target_kl in [0.001, 0.02] {
            for environment in [copies(CartPole::default(), 2, seed), copies(Pendulum::default(), 2, seed)] {
                let config = Config { steps: 256, target_kl, ..Config::default() };
                let mut trpo = Trpo::new(config, environment, seed, Cpu::open().unwrap()).unwrap();
                for _ in 0..3 {
                    let report = trpo.advance().unwrap();
                    assert!(metric(&report, "step_fraction") > 0.0, "{report:?}");
                    assert!(metric(&report, "improvement") > 0.0, "{report:?}");
                    let kl = metric(&report, "constraint_kl");
                    // The quadratic model is good at this size: the bound is nearly used up.
                    assert!(kl <= target_kl && kl > 0.3 * target_kl, "{kl} of {target_kl}");
                }
            }
        }
    }

    #[test]
    fn equal_advantages_leave_the_policy_as_it_is() {
        let seed = Seed::new(5);
        let probe = Probe::new(Question::ConstantReward, ActionForm::Continuous);
        let config = Config { steps: 32, ..Config::default() };
        let mut trpo = Trpo::new(config, copies(probe, 1, seed), seed, Cpu::open().unwrap()).unwrap();
        let before = flat_parameters(&trpo.agent.policy);
        let report = trpo.advance().unwrap();
        assert_eq!(flat_parameters(&trpo.agent.policy), before);
        assert_eq!(metric(&report, "step_fraction"), 0.0);
        assert_eq!(metric(&report, "max_ratio"), 1.0);
    }
}
