use super::*;
use crate::{
    replay::TransitionBatch,
    tensor::Cpu,
    testing::{assert_gradient, minibatch, pendulum, transitions},
};

const ROWS: usize = 16;

fn config() -> Config {
    let uncertainty = [("mass".to_owned(), [0.5, 1.5]), ("length".to_owned(), [0.5, 1.5])].into();
    let td3 = td3::Config { hidden: vec![8], batch_size: ROWS, ..td3::Config::default() };
    Config { uncertainty, candidates: 3, td3, ..Config::default() }
}

/// A small learner with smooth networks, which finite differences need, and targets that differ from what
/// they follow; transitions whose actions hold a torque and a model.
fn smooth() -> (M2td3<Cpu>, Minibatch<Cpu>, TransitionBatch) {
    let seed = Seed::new(1);
    let mut learner = M2td3::new(config(), pendulum(1, 1), seed, Cpu::open().unwrap()).unwrap();
    let mut rng = seed.stream("test");
    let network = DenseConfig { hidden: vec![8], ..DenseConfig::default() };
    let bounded = DenseConfig { output_activation: Activation::Tanh, ..network.clone() };
    let device = learner.device.clone();
    learner.policy = DenseStack::new(&device, "policy", 3, 1, &bounded, &mut rng).unwrap();
    learner.target_policy = DenseStack::new(&device, "policy", 3, 1, &bounded, &mut rng).unwrap();
    learner.critics = Ensemble::new(&device, "critics", 2, 6, 1, &network, &mut rng).unwrap();
    learner.target_critics = Ensemble::new(&device, "critics", 2, 6, 1, &network, &mut rng).unwrap();
    let transitions = transitions(3, 3, ROWS, &mut rng);
    let batch = minibatch(&device, &transitions);
    (learner, batch, transitions)
}

#[test]
fn the_policys_gradient_in_the_worst_model_agrees_with_finite_differences() {
    let (mut learner, batch, _) = smooth();
    let values = learner.policy.parameters().values().to_vec();
    let mut loss = |values: &[f32]| {
        learner.policy.parameters_mut().set_values(values);
        let (loss, mut gradients) = backward(learner.policy_loss(&batch, 1).unwrap(), "loss").unwrap();
        (loss, learner.policy.parameters().gradient(&mut gradients).unwrap())
    };
    let (_, gradient) = loss(&values);
    assert_gradient("policy", &values, &gradient, |values| loss(values).0);
}

#[test]
fn the_models_gradient_agrees_with_finite_differences_and_its_loss_is_the_policys_negated() {
    let (mut learner, batch, _) = smooth();
    let values = learner.adversary.candidates[1].raw.values().to_vec();
    let mut loss = |values: &[f32]| {
        learner.adversary.candidates[1].raw.set_values(values);
        let (loss, mut gradients) = backward(learner.model_loss(&batch, 1).unwrap(), "loss").unwrap();
        let (of_policy, _) = backward(learner.policy_loss(&batch, 1).unwrap(), "loss").unwrap();
        assert!((loss + of_policy).abs() < 1e-6);
        (loss, learner.adversary.candidates[1].raw.gradient(&mut gradients).unwrap())
    };
    let (_, gradient) = loss(&values);
    assert_gradient("model", &values, &gradient, |values| loss(values).0);
}

#[test]
fn targets_are_the_papers_equation_with_smoothed_actions_and_models() {
    let (mut learner, batch, transitions) = smooth();
    (learner.config.td3.target_noise, learner.config.model_target_noise) = (0.8, 0.6);
    let noise = [learner.draw_noise(1).unwrap(), learner.draw_noise(2).unwrap()];
    let [of_actions, of_models] = [noise[0].to_host(), noise[1].to_host()];
    let targets = learner.targets(&batch, noise).unwrap().to_host();
    for row in 0..ROWS {
        let observation = &transitions.next_observations[3 * row..][..3];
        let mut action = [0.0];
        learner.target_policy.infer(observation, &mut action);
        let action = (action[0] + (0.8 * of_actions[row]).clamp(-0.5, 0.5)).clamp(-1.0, 1.0);
        let model = |i: usize| {
            let noise = (0.6 * of_models[2 * row + i]).clamp(-0.5, 0.5);
            (transitions.actions[3 * row + 1 + i] + noise).clamp(-1.0, 1.0)
        };
        let mut values = [0.0; 2];
        learner.target_critics.infer(&[observation, &[action, model(0), model(1)]].concat(), &mut values);
        let continues = if row % 3 == 0 { 0.0 } else { 1.0 };
        let expected = transitions.rewards[row] + 0.99 * continues * values[0].min(values[1]);
        assert!((targets[row] - expected).abs() < 1e-5, "{}, {expected}", targets[row]);
    }
}

#[test]
fn the_worst_candidate_is_the_one_of_the_least_mean_value() {
    let (learner, batch, transitions) = smooth();
    let (worst, value) = learner.worst_candidate(&batch).unwrap();
    let mean = |(point, _): (Vec<f32>, f64)| {
        let of_row = |row: usize| {
            let observation = &transitions.observations[3 * row..][..3];
            let (mut action, mut values) = ([0.0], [0.0; 2]);
            learner.policy.infer(observation, &mut action);
            learner.critics.infer(&[observation, &action, &point].concat(), &mut values);
            values[0]
        };
        (0..ROWS).map(of_row).sum::<f32>() / ROWS as f32
    };
    let means: Vec<f32> = learner.candidates().into_iter().map(mean).collect();
    let least = means.iter().copied().fold(f32::INFINITY, f32::min);
    assert_eq!(means.iter().position(|mean| *mean == least), Some(worst));
    assert!((value - least).abs() < 1e-5);
}

#[test]
fn policy_worst_candidate_and_targets_move_only_at_every_delayed_step() {
    let (mut learner, ..) = smooth();
    learner.config.td3.policy_delay = 3;
    for _ in 0..3 {
        learner.collector.step(|_, _, _| ()).unwrap();
    }
    let state = |learner: &M2td3<Cpu>| {
        let of = |parameters: &Parameters<Cpu>| parameters.values().to_vec();
        let networks = [learner.policy.parameters(), learner.target_critics.parameters()].map(of);
        (networks, learner.candidates())
    };
    let start = state(&learner);
    let mut means = Means::new(METRICS);
    learner.gradient_step(&mut means).unwrap();
    learner.gradient_step(&mut means).unwrap();
    assert_eq!(state(&learner), start);
    learner.gradient_step(&mut means).unwrap();
    let (networks, candidates) = state(&learner);
    assert!(networks.iter().zip(&start.0).all(|(a, b)| a != b));
    // One candidate moves, the one whose probability grows.
    let moved: Vec<bool> = candidates.iter().zip(&start.1).map(|(a, b)| a.0 != b.0).collect();
    let grown: Vec<bool> = candidates.iter().zip(&start.1).map(|(a, b)| a.1 > b.1).collect();
    assert_eq!(moved, grown);
    assert_eq!(moved.iter().filter(|moved| **moved).count(), 1);
}

#[test]
fn probabilities_are_frequencies_over_an_episode_and_needless_candidates_are_drawn_anew() {
    let (mut learner, ..) = smooth();
    let adversary = &mut learner.adversary;
    adversary.state.episode_length = 10;
    for _ in 0..5 {
        adversary.was_worst(1);
    }
    let p = &adversary.state.probabilities;
    let left = 0.9_f64.powi(5) / 3.0;
    assert!((p[0] - left).abs() < 1e-12 && (p[1] - (1.0 - 2.0 * left)).abs() < 1e-12);
    // Rarely the worst: drawn anew, with a share of 1/N.
    adversary.state.probabilities = vec![0.04, 0.9, 0.06];
    adversary.candidates[1].raw.set_values(&[3.0, 3.0]);
    adversary.candidates[2].raw.set_values(&[-3.0, -3.0]);
    let before = adversary.candidates[0].point();
    adversary.draw(0.1, &mut [0.0; 2]).unwrap();
    assert_eq!(adversary.state.restarts, 1);
    assert_ne!(adversary.candidates[0].point(), before);
    let p = &adversary.state.probabilities;
    assert!((p[0] - 1.0 / 3.0).abs() < 1e-12 && (p[1] / p[2] - 15.0).abs() < 1e-9);
    assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    // Too near to another one: drawn anew as well.
    adversary.state.probabilities = vec![1.0 / 3.0; 3];
    let last = adversary.candidates[2].raw.values().to_vec();
    adversary.candidates[1].raw.set_values(&last);
    assert!(adversary.is_needless(1) && !adversary.is_needless(2));
}

#[test]
fn a_critic_remembers_the_model_in_which_a_transition_was_made() {
    let (mut learner, ..) = smooth();
    learner.config.td3.learning_starts = 1000;
    for _ in 0..5 {
        learner.advance().unwrap();
    }
    let rewards = |learner: &M2td3<Cpu>| {
        let replay = learner.collector.replay();
        (0..replay.len()).map(|i| replay.transition(i).action[1..].to_vec()).collect::<Vec<_>>()
    };
    let models = rewards(&learner);
    // Two episodes and a half, each in one model.
    for episode in models.chunks(200) {
        assert!(episode.iter().all(|model| *model == episode[0]));
    }
    assert!(models[0] != models[200] && models[200] != models[400]);
}
