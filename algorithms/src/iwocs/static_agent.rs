//! SAC on one model, with the critic that robust action needs beside it.

use assay_environments::random::{Seed, Stream};

use crate::{
    Checkpoint, Error, Mode,
    learner::Means,
    networks::{DenseStack, Ensemble},
    off_policy::critic_loss,
    optimisers::{Adam, AdamConfig},
    policies::SquashedPolicy,
    replay::Minibatch,
    sac,
    tensor::{Device, MatrixOperations, Operations, Recording, Scalar, Vector, backward, join_columns},
};

/// The paper's enhanced critic: beside SAC's own, entropy-regularised critics Q′, on which the policy is
/// trained, critics Q of the plain return, whose values of different models can be compared, and a
/// prediction T̂ of the next state, which tells where the model is valid.
pub struct StaticAgent<D: Device> {
    agent: sac::Agent<D>,
    discount: f64,
    target_rate: f64,
    learning_rate: f64,
    features: usize,
    values: Ensemble<D>,
    target_values: Ensemble<D>,
    value_optimiser: Adam<D>,
    /// T̂ − s: predicting the change is easier where a step changes little.
    predictor: DenseStack<D>,
    prediction_optimiser: Adam<D>,
    prefix: String,
}

impl<D: Device> StaticAgent<D> {
    /// An agent for observations of `features` numbers and actions of `width` numbers on [−1, 1]. In
    /// checkpoints the names of its parts begin with `prefix`.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn new(
        config: &sac::Config,
        prefix: &str,
        features: usize,
        width: usize,
        seed: Seed,
        device: &D,
    ) -> Result<Self, Error> {
        let name = |part: &str| format!("{prefix}{part}");
        let network = config.network();
        let inputs = features + width;
        let mut rng = seed.stream("initialisation of values");
        let values = Ensemble::new(device, &name("values"), 2, inputs, 1, &network, &mut rng)?;
        let predictor = DenseStack::new(device, &name("predictor"), inputs, features, &network, &mut rng)?;
        Ok(StaticAgent {
            agent: sac::Agent::new(config, prefix, features, width, seed, device)?,
            discount: config.discount,
            target_rate: config.target_rate,
            learning_rate: config.learning_rate,
            features,
            target_values: values.duplicate(&name("target_values"))?,
            value_optimiser: Adam::new(AdamConfig::default(), &[values.parameters()])?,
            prediction_optimiser: Adam::new(AdamConfig::default(), &[predictor.parameters()])?,
            values,
            predictor,
            prefix: prefix.to_owned(),
        })
    }

    /// The policy π_j.
    pub fn policy(&self) -> &SquashedPolicy<D> {
        self.agent.policy()
    }

    /// One gradient step of SAC, then one of the values, then one of the prediction.
    pub(crate) fn gradient_step<const N: usize>(
        &mut self,
        batch: &Minibatch<D>,
        means: &mut Means<N>,
    ) -> Result<(), Error> {
        self.agent.gradient_step(batch, means)?;

        let targets = self.value_targets(batch)?;
        let values = self.values.record_values(batch.state_actions.clone())?;
        let (loss, mut gradients) = backward(critic_loss(values, targets) * 0.5, "value loss")?;
        self.value_optimiser.step(&mut [self.values.parameters_mut()], &mut gradients, self.learning_rate)?;
        means.add("value_loss", loss);

        let (loss, mut gradients) = backward(self.prediction_loss(batch)?, "prediction loss")?;
        let predictor = &mut [self.predictor.parameters_mut()];
        self.prediction_optimiser.step(predictor, &mut gradients, self.learning_rate)?;
        means.add("prediction_error", loss);

        self.target_values.parameters_mut().blend(self.values.parameters(), self.target_rate as f32)
    }

    /// y = r + γ (1 − d) minᵢ Q̄ᵢ(s′, a′), a′ ~ π(·|s′): without the entropy.
    fn value_targets(&mut self, batch: &Minibatch<D>) -> Result<Vector<D>, Error> {
        let noise = self.agent.draw_noise()?;
        let next = self.policy().distribution(batch.next_observations.clone())?.rsample(noise);
        let inputs = join_columns(batch.next_observations.clone(), next.actions)?;
        let next_values = self.target_values.values(inputs)?.min_rows();
        Ok(batch.targets(self.discount, next_values))
    }

    /// mean ‖T̂(s, a) − s′‖₁.
    fn prediction_loss(&self, batch: &Minibatch<D>) -> Result<Scalar<D, Recording<D>>, Error> {
        let change = batch.next_observations.clone() - batch.observations.clone();
        let predicted = self.predictor.record(batch.state_actions.clone())?;
        Ok((predicted - change).abs().sum_columns().mean_all())
    }

    /// Chooses π_j's actions (rows × width) for observations (rows × features) and writes their values
    /// Q_j(s, π_j(s)), one per row.
    pub fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        rng: &mut Stream,
        scratch: &mut Scratch,
        actions: &mut [f32],
        values: &mut [f32],
    ) {
        self.policy().act(observations, mode, rng, &mut scratch.outputs, actions);
        let width = actions.len() / values.len();
        scratch.inputs.clear();
        let rows = observations.chunks_exact(self.features).zip(actions.chunks_exact(width));
        for (observation, action) in rows {
            scratch.inputs.extend_from_slice(observation);
            scratch.inputs.extend_from_slice(action);
        }
        scratch.outputs.resize(2 * values.len(), 0.0);
        self.values.infer(&scratch.inputs, &mut scratch.outputs);
        let (first, second) = scratch.outputs.split_at(values.len());
        for (value, (a, b)) in values.iter_mut().zip(first.iter().zip(second)) {
            *value = a.min(*b);
        }
    }

    /// ‖T̂(s_{t−1}, a_{t−1}) − s_t‖₁ for states and actions before (rows × [features, width]) and the
    /// observations that followed (rows × features); one number per row.
    pub fn surprise(&self, before: &[f32], observations: &[f32], scratch: &mut Scratch, errors: &mut [f32]) {
        let width = before.len() / errors.len();
        scratch.outputs.resize(observations.len(), 0.0);
        self.predictor.infer(before, &mut scratch.outputs);
        let rows = before.chunks_exact(width).zip(observations.chunks_exact(self.features));
        let predictions = scratch.outputs.chunks_exact(self.features);
        for (error, ((before, now), change)) in errors.iter_mut().zip(rows.zip(predictions)) {
            let of_feature = |((s, change), now): ((&f32, &f32), &f32)| (s + change - now).abs();
            *error = before.iter().zip(change).zip(now).map(of_feature).sum();
        }
    }

    /// Writes the complete state.
    pub fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        let name = |part: &str| format!("{}{part}", self.prefix);
        self.agent.save(checkpoint)?;
        self.values.parameters().save(checkpoint);
        self.target_values.parameters().save(checkpoint);
        self.predictor.parameters().save(checkpoint);
        self.value_optimiser.save(&name("value_optimiser"), checkpoint)?;
        self.prediction_optimiser.save(&name("prediction_optimiser"), checkpoint)
    }

    /// Puts a saved state back.
    pub fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let name = |part: &str| format!("{}{part}", self.prefix);
        self.agent.load(checkpoint)?;
        self.values.parameters_mut().load(checkpoint)?;
        self.target_values.parameters_mut().load(checkpoint)?;
        self.predictor.parameters_mut().load(checkpoint)?;
        self.value_optimiser.load(&name("value_optimiser"), checkpoint)?;
        self.prediction_optimiser.load(&name("prediction_optimiser"), checkpoint)
    }
}

/// Buffers that are reused from call to call.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    inputs: Vec<f32>,
    outputs: Vec<f32>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        replay::TransitionBatch,
        tensor::Cpu,
        testing::{assert_gradient, minibatch, transitions},
    };

    const ROWS: usize = 16;

    /// A small agent, whose target values differ from its values, and a batch.
    fn example() -> (StaticAgent<Cpu>, Minibatch<Cpu>, TransitionBatch, Stream) {
        let seed = Seed::new(1);
        let config = sac::Config { hidden: vec![8], batch_size: ROWS, ..sac::Config::default() };
        let device = Cpu::open().unwrap();
        let mut agent = StaticAgent::new(&config, "model/", 3, 1, seed, &device).unwrap();
        let mut rng = seed.stream("test");
        let other = Ensemble::new(&device, "values", 2, 4, 1, &config.network(), &mut rng).unwrap();
        agent.target_values = other;
        let transitions = transitions(3, 1, ROWS, &mut rng);
        let batch = minibatch(&device, &transitions);
        (agent, batch, transitions, rng)
    }

    #[test]
    fn value_targets_have_no_entropy_and_are_the_equation_in_double_precision() {
        let (mut agent, batch, transitions, _) = example();
        let targets = agent.value_targets(&batch).unwrap().to_host();
        // The same noise once more.
        let (mut again, ..) = example();
        let noise = again.agent.draw_noise().unwrap();
        let next = again.policy().distribution(batch.next_observations.clone()).unwrap().rsample(noise);
        let actions = next.actions.to_host();
        for row in 0..ROWS {
            let mut input = transitions.next_observations[3 * row..][..3].to_vec();
            input.push(actions[row]);
            let mut values = [0.0; 2];
            agent.target_values.infer(&input, &mut values);
            let continues = if row % 3 == 0 { 0.0 } else { 1.0 };
            let next = f64::from(values[0].min(values[1]));
            let expected = f64::from(transitions.rewards[row]) + 0.99 * continues * next;
            assert!((f64::from(targets[row]) - expected).abs() < 1e-5);
        }
    }

    #[test]
    fn the_predictions_loss_is_the_mean_surprise_and_its_gradient_agrees_with_finite_differences() {
        let (mut agent, batch, transitions, _) = example();
        let mut errors = vec![0.0; ROWS];
        let TransitionBatch { state_actions, next_observations, .. } = &transitions;
        agent.surprise(state_actions, next_observations, &mut Scratch::default(), &mut errors);
        let mean = errors.iter().sum::<f32>() / ROWS as f32;
        let values = agent.predictor.parameters().values().to_vec();
        let mut loss = |values: &[f32]| {
            agent.predictor.parameters_mut().set_values(values);
            let loss = agent.prediction_loss(&batch).unwrap();
            let (loss, mut gradients) = backward(loss, "loss").unwrap();
            (loss, agent.predictor.parameters().gradient(&mut gradients).unwrap())
        };
        let (value, gradient) = loss(&values);
        assert!((value - mean).abs() < 1e-5);
        // |x| and ReLU have kinks, so only the direction of steepest descent is tried.
        let norm = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
        let moved: Vec<f32> = values.iter().zip(&gradient).map(|(x, g)| x - 1e-3 * g / norm).collect();
        let fall = (value - loss(&moved).0) / 1e-3;
        assert!((fall - norm).abs() < 0.05 * norm, "{fall} {norm}");
    }

    #[test]
    fn the_values_gradient_agrees_with_finite_differences() {
        let (mut agent, batch, ..) = example();
        let targets = agent.value_targets(&batch).unwrap();
        let device = Cpu::open().unwrap();
        let smooth = crate::networks::DenseConfig { hidden: vec![8], ..Default::default() };
        let mut rng = Seed::new(2).stream("test");
        agent.values = Ensemble::new(&device, "values", 2, 4, 1, &smooth, &mut rng).unwrap();
        let values = agent.values.parameters().values().to_vec();
        let mut loss = |values: &[f32]| {
            agent.values.parameters_mut().set_values(values);
            let outputs = agent.values.record_values(batch.state_actions.clone()).unwrap();
            let (loss, mut gradients) =
                backward(critic_loss(outputs, targets.clone()) * 0.5, "loss").unwrap();
            (loss, agent.values.parameters().gradient(&mut gradients).unwrap())
        };
        let (_, gradient) = loss(&values);
        assert_gradient("values", &values, &gradient, |values| loss(values).0);
    }

    #[test]
    fn the_values_told_with_actions_are_the_smaller_of_the_two_critics_at_these_actions() {
        let (agent, _, transitions, mut rng) = example();
        let (mut actions, mut values) = (vec![0.0; ROWS], vec![0.0; ROWS]);
        let mut scratch = Scratch::default();
        let observations = &transitions.observations;
        agent.act(observations, Mode::Greedy, &mut rng, &mut scratch, &mut actions, &mut values);
        for row in 0..ROWS {
            let mut input = observations[3 * row..][..3].to_vec();
            input.push(actions[row]);
            let mut both = [0.0; 2];
            agent.values.infer(&input, &mut both);
            assert!((values[row] - both[0].min(both[1])).abs() < 1e-6);
        }
    }
}
