//! The contracts of state-dependent noise, in both policies that can have it.

use assay_environments::{Actions, Space, random::Seed};

use super::*;
use crate::{
    networks::DenseConfig,
    policies::{
        Distribution, FisherProduct, NetworkConfig, Policy, SquashedPolicy, squashed_gaussian::fill_normal,
    },
    tensor::{Cpu, Device, Matrix, MatrixOperations, Operations, Parameters, Recording, Scalar, backward},
    testing::{assert_gradient, flat_gradient, flat_parameters, uniform},
};

const FEATURES: usize = 5;
const INPUTS: usize = 3;
const WIDTH: usize = 2;

fn device() -> Cpu {
    Cpu::open().unwrap()
}

fn noise(redraw_every: Option<u64>, learn_features: bool) -> StateDependentNoise {
    StateDependentNoise { initial_log_std: -0.5, redraw_every, learn_features, mean_bound: None }
}

/// Modules away from their symmetric start; the same for the same form.
fn shaken<'a>(modules: impl IntoIterator<Item = &'a mut Parameters<Cpu>>) {
    let mut rng = Seed::new(2).stream("larger weights");
    for module in modules {
        let moved: Vec<f32> =
            module.values().iter().zip(uniform(module.len(), &mut rng)).map(|(x, y)| x + 0.5 * y).collect();
        module.set_values(&moved);
    }
}

fn policy(noise: StateDependentNoise) -> Policy<Cpu> {
    let config = NetworkConfig {
        hidden: vec![FEATURES],
        state_dependent_noise: Some(noise),
        ..NetworkConfig::default()
    };
    let (observations, actions) = (Space::symmetric(INPUTS, 1.0), Space::symmetric(WIDTH, 1.0));
    let mut policy = Policy::new(&device(), &observations, &actions, &config, Seed::new(1)).unwrap();
    shaken(policy.parameters_mut());
    policy
}

fn squashed(noise: StateDependentNoise) -> SquashedPolicy<Cpu> {
    let config = DenseConfig { hidden: vec![FEATURES], ..DenseConfig::default() };
    let mut rng = Seed::new(1).stream("test");
    let shape = (INPUTS, WIDTH);
    let mut policy = SquashedPolicy::new(&device(), "policy", shape, &config, Some(noise), &mut rng).unwrap();
    shaken(policy.parameters_mut());
    policy
}

fn rows(count: usize, rng: &mut Stream) -> (Vec<f32>, Matrix<Cpu>) {
    let rows = uniform(count * INPUTS, rng);
    let matrix = device().matrix(&rows, count, INPUTS).unwrap();
    (rows, matrix)
}

fn gaussian<T: crate::tensor::Tape<Cpu>>(distribution: Distribution<Cpu, T>) -> DiagonalGaussian<Cpu, T> {
    match distribution {
        Distribution::DiagonalGaussian(gaussian) => gaussian,
        Distribution::Categorical(_) => panic!("actions are continuous"),
    }
}

/// Explores at `observations`, one row per copy; the actions and their log-densities.
fn explore(
    policy: &Policy<Cpu>,
    observations: &[f32],
    step: u64,
    rng: &mut Stream,
    exploration: &mut Exploration,
) -> (Vec<f32>, Vec<f32>) {
    let copies = observations.len() / INPUTS;
    let mut actions = Actions::zeros(&Space::symmetric(WIDTH, 1.0), copies);
    let mut log_probs = vec![f32::NAN; copies];
    policy.explore(observations, step, rng, &mut actions, Some(&mut log_probs), exploration).unwrap();
    let Actions::Continuous { values, .. } = actions else { panic!("actions are continuous") };
    (values, log_probs)
}

/// The mean and the variance of every second number, from the first or from the second on.
fn moments(values: &[f32], first: usize) -> (f64, f64) {
    let numbers = || values.iter().skip(first).step_by(WIDTH).map(|x| f64::from(*x));
    let count = numbers().count() as f64;
    let mean = numbers().sum::<f64>() / count;
    (mean, numbers().map(|x| (x - mean).powi(2)).sum::<f64>() / count)
}

/// Σᵢ φᵢ² exp(2 l_ij) with the features of the policy's own first layer, in double precision.
fn variance_of(modules: &[&Parameters<Cpu>], observation: &[f32], j: usize) -> f64 {
    let (weights, log_std) = (modules[0].values(), modules[1].values());
    let term = |i: usize| {
        let bias = f64::from(weights[INPUTS * FEATURES + i]);
        let inputs = observation.iter().enumerate();
        let sum: f64 = inputs.map(|(k, x)| f64::from(*x) * f64::from(weights[k * FEATURES + i])).sum();
        (sum + bias).tanh().powi(2) * (2.0 * f64::from(log_std[i * WIDTH + j])).exp()
    };
    (0..FEATURES).map(term).sum()
}

#[test]
fn the_noise_of_many_copies_has_the_variance_of_the_formula_which_losses_see() {
    let mut rng = Seed::new(3).stream("test");
    let copies = 40_000;
    let (observation, matrix) = rows(1, &mut rng);
    let observations = observation.repeat(copies);

    let policy = policy(noise(None, false));
    let (actions, _) = explore(&policy, &observations, 0, &mut rng, &mut Exploration::default());
    let distribution = gaussian(policy.distribution(matrix.clone()).unwrap());
    let (means, log_stds) = (distribution.mean.to_host(), distribution.log_std.to_host());
    for j in 0..WIDTH {
        let expected = variance_of(&policy.parameters(), &observation, j);
        let (mean, variance) = moments(&actions, j);
        assert!((mean - f64::from(means[j])).abs() < 0.02, "{mean} and {}", means[j]);
        assert!((variance / expected - 1.0).abs() < 0.03, "{variance} and {expected}");
        let seen = (2.0 * f64::from(log_stds[j])).exp();
        assert!((seen - expected - 1e-6).abs() < 1e-5 * expected, "{seen} and {expected}");
    }

    let policy = squashed(noise(None, true));
    let mut actions = vec![0.0; copies * WIDTH];
    policy.explore(&observations, 0, &mut rng, &mut Exploration::default(), &mut actions);
    let pre_squash: Vec<f32> = actions.iter().map(|a| a.atanh()).collect();
    let distribution = policy.distribution(matrix).unwrap();
    let (means, log_stds) = (distribution.mean.to_host(), distribution.log_std.to_host());
    for j in 0..WIDTH {
        let expected = variance_of(&policy.parameters(), &observation, j);
        let (mean, variance) = moments(&pre_squash, j);
        assert!((mean - f64::from(means[j])).abs() < 0.02, "{mean} and {}", means[j]);
        assert!((variance / expected - 1.0).abs() < 0.03, "{variance} and {expected}");
        let seen = (2.0 * f64::from(log_stds[j])).exp();
        assert!((seen - expected - 1e-6).abs() < 1e-5 * expected, "{seen} and {expected}");
    }
}

#[test]
fn between_draws_an_action_is_a_function_of_the_state_and_each_copy_has_its_own() {
    for (redraw_every, draws) in [(None, vec![0]), (Some(3), vec![0, 3, 6]), (Some(1), (0..8).collect())] {
        let mut rng = Seed::new(4).stream("test");
        let policy = policy(noise(redraw_every, false));
        let squashed = squashed(noise(redraw_every, false));
        let (observation, _) = rows(1, &mut rng);
        let copies = observation.repeat(2);
        let (mut exploration, mut of_squashed) = (Exploration::default(), Exploration::default());
        let mut before = None;
        for step in 0..8 {
            let (mut actions, _) = explore(&policy, &copies, step, &mut rng, &mut exploration);
            actions.resize(4 * WIDTH, 0.0);
            squashed.explore(&copies, step, &mut rng, &mut of_squashed, &mut actions[2 * WIDTH..]);
            for copies in actions.chunks_exact(2 * WIDTH) {
                assert_ne!(copies[..WIDTH], copies[WIDTH..], "step {step}");
            }
            if let Some(before) = before.replace(actions.clone()) {
                assert_eq!(before != actions, draws.contains(&step), "{redraw_every:?}, step {step}");
            }
        }
        // A rollout begins with a new matrix.
        let (first, _) = explore(&policy, &copies, 0, &mut rng, &mut exploration);
        assert_ne!(before.unwrap()[..2 * WIDTH], first);
    }
}

#[test]
fn explored_actions_have_the_log_densities_that_losses_see() {
    let mut rng = Seed::new(5).stream("test");
    let policy = policy(noise(None, false));
    let (observations, matrix) = rows(50, &mut rng);
    let (actions, on_host) = explore(&policy, &observations, 0, &mut rng, &mut Exploration::default());
    let actions = device().matrix(&actions, 50, WIDTH).unwrap();
    let found = policy.distribution(matrix).unwrap().log_prob(&actions).to_host();
    for (found, on_host) in found.iter().zip(on_host) {
        assert!((found - on_host).abs() < 1e-4 * (1.0 + on_host.abs()), "{found} and {on_host}");
    }
}

#[test]
fn a_mean_beyond_its_bound_is_clipped_and_has_neither_gradient_nor_fisher_information() {
    let mut rng = Seed::new(6).stream("test");
    let bounded = StateDependentNoise { mean_bound: Some(0.5), ..noise(None, true) };
    let (policy, squashed) = (policy(bounded), squashed(bounded));
    let (observations, matrix) = rows(50, &mut rng);

    let mut actions = vec![0.0; 50 * WIDTH];
    squashed.act(&observations, Mode::Greedy, &mut rng, &mut Vec::new(), &mut actions);
    let means = squashed.distribution(matrix.clone()).unwrap().mean.to_host();
    let at_bound = means.iter().filter(|mean| mean.abs() == 0.5).count();
    assert!((1..means.len()).contains(&at_bound), "{at_bound}");
    for (action, mean) in actions.iter().zip(means) {
        assert!((action - mean.tanh()).abs() < 1e-6);
    }

    // One row beyond the bound in both dimensions.
    let means = gaussian(policy.distribution(matrix).unwrap()).mean.to_host();
    let beyond = means.chunks_exact(WIDTH).position(|row| row.iter().all(|mean| mean.abs() == 0.5));
    let row = &observations[beyond.unwrap() * INPUTS..][..INPUTS];
    let matrix = device().matrix(row, 1, INPUTS).unwrap();
    let of_mean = gradient(&policy, |p| p.mean.sum_all(), &matrix);
    assert!(of_mean.iter().all(|g| *g == 0.0));
    // The last layer's weights move nothing but the mean.
    let hidden = (INPUTS + 1) * FEATURES;
    let last = hidden..hidden + (FEATURES + 1) * WIDTH;
    let mut direction = vec![0.0; of_mean.len()];
    direction[last].fill(1.0);
    let mut product = vec![f32::NAN; direction.len()];
    FisherProduct::default().apply(&policy, row, &direction, &mut product);
    assert!(product.iter().all(|x| *x == 0.0), "{product:?}");
}

type Loss = Scalar<Cpu, Recording<Cpu>>;

/// Gradient of a loss over a squashed policy's samples, as one vector.
fn squashed_gradient(
    policy: &SquashedPolicy<Cpu>,
    matrix: &Matrix<Cpu>,
    noise: &Matrix<Cpu>,
) -> (f32, Vec<f32>) {
    let sample = policy.record(matrix.clone()).unwrap().rsample(noise.clone());
    let loss: Loss =
        (sample.log_probs.sum_columns() * 0.3 - sample.actions.square().sum_columns()).mean_all();
    let (loss, mut gradients) = backward(loss, "loss").unwrap();
    let modules = policy.parameters();
    (loss, modules.iter().flat_map(|module| module.gradient(&mut gradients).unwrap()).collect())
}

#[test]
fn the_gradient_of_a_squashed_policys_loss_agrees_with_finite_differences() {
    let mut rng = Seed::new(7).stream("test");
    let mut policy = squashed(noise(None, true));
    let (_, matrix) = rows(16, &mut rng);
    let mut numbers = vec![0.0; 16 * WIDTH];
    fill_normal(&mut rng, &mut numbers);
    let numbers = device().matrix(&numbers, 16, WIDTH).unwrap();
    let (_, gradient) = squashed_gradient(&policy, &matrix, &numbers);
    let start: Vec<f32> = policy.parameters().iter().flat_map(|module| module.values().to_vec()).collect();
    assert_gradient("squashed", &start, &gradient, |values| {
        let (network, log_std) = values.split_at(values.len() - FEATURES * WIDTH);
        policy.parameters_mut()[0].set_values(network);
        policy.parameters_mut()[1].set_values(log_std);
        squashed_gradient(&policy, &matrix, &numbers).0
    });
}

/// The gradient of a quantity of the policy's distributions.
fn gradient(
    policy: &Policy<Cpu>,
    quantity: impl Fn(DiagonalGaussian<Cpu, Recording<Cpu>>) -> Loss,
    matrix: &Matrix<Cpu>,
) -> Vec<f32> {
    let loss = quantity(gaussian(policy.record(matrix.clone()).unwrap()));
    let (_, mut gradients) = backward(loss, "quantity").unwrap();
    flat_gradient(policy, &mut gradients)
}

#[test]
fn features_that_are_not_learned_are_constants_of_the_variance() {
    let mut rng = Seed::new(8).stream("test");
    let (learned, fixed) = (policy(noise(None, true)), policy(noise(None, false)));
    let (_, matrix) = rows(16, &mut rng);
    let actions = device().matrix(&uniform(16 * WIDTH, &mut rng), 16, WIDTH).unwrap();
    let log_prob = |p: DiagonalGaussian<Cpu, Recording<Cpu>>| p.log_prob(&actions).mean_all();
    let with_learned = gradient(&learned, log_prob, &matrix);
    let with_fixed = gradient(&fixed, log_prob, &matrix);
    let of_mean = gradient(
        &fixed,
        |p| log_prob(DiagonalGaussian { log_std: p.log_std.constant(), mean: p.mean }),
        &matrix,
    );
    let (network, log_std) = with_fixed.split_at(with_fixed.len() - FEATURES * WIDTH);
    assert_eq!(network, &of_mean[..network.len()]);
    assert_eq!(log_std, &with_learned[network.len()..]);
    assert_ne!(network, &with_learned[..network.len()]);
    let entropy = gradient(&fixed, |p| p.entropy().mean_all(), &matrix);
    assert!(entropy[..network.len()].iter().all(|g| *g == 0.0));
    assert!(entropy[network.len()..].iter().all(|g| *g > 0.0));
}

/// The curvature of KL in the mean's parameters with the variances held, and in l with the features
/// held: what is left of the Fisher information where the features are constants.
#[test]
fn fisher_products_hold_features_constant_where_they_are_not_learned() {
    let mut rng = Seed::new(9).stream("test");
    let mut policy = policy(noise(None, false));
    let (observations, matrix) = rows(8, &mut rng);
    let fixed = gaussian(policy.distribution(matrix.clone()).unwrap());
    let start = flat_parameters(&policy);
    let network = start.len() - FEATURES * WIDTH;
    for of_network in [true, false] {
        let mut v: Vec<f32> = start.iter().map(|_| rng.sample(StandardNormal)).collect();
        let others = if of_network { network..v.len() } else { 0..network };
        v[others.clone()].fill(0.0);
        let mut product = vec![f32::NAN; v.len()];
        FisherProduct::default().apply(&policy, &observations, &v, &mut product);
        assert!(product[others].iter().all(|x| *x == 0.0));

        let mut gradient = |size: f32| {
            let shifted: Vec<f32> = start.iter().zip(&v).map(|(x, d)| x + size * d).collect();
            policy.set_flat_parameters(&shifted);
            gradient(&policy, |p| p.kl_from(&fixed).mean_all(), &matrix)
        };
        let size = 3e-3;
        let (up, down) = (gradient(size), gradient(-size));
        policy.set_flat_parameters(&start);
        let moved = if of_network { 0..network } else { network..v.len() };
        for i in moved {
            let difference = (up[i] - down[i]) / (2.0 * size);
            let expected = product[i];
            assert!((difference - expected).abs() < 5e-3 * (1.0 + expected.abs()), "{difference} {expected}");
        }
    }
}

#[test]
fn discrete_actions_are_an_error_that_names_them() {
    let config =
        NetworkConfig { state_dependent_noise: Some(noise(None, false)), ..NetworkConfig::default() };
    for actions in [Space::discrete(2), Space::MultiDiscrete { sizes: vec![2, 3] }] {
        let made = Policy::new(&device(), &Space::symmetric(INPUTS, 1.0), &actions, &config, Seed::new(1));
        let Err(Error::Unsupported { found, .. }) = made else { panic!("no error for {actions}") };
        assert!(found.contains(&actions.to_string()), "{found}");
    }
}

#[test]
fn copies_and_saved_policies_act_the_same() {
    let mut rng = Seed::new(10).stream("test");
    let (observations, matrix) = rows(4, &mut rng);
    let policy = squashed(noise(None, true));
    let mut checkpoint = Checkpoint::new();
    policy.save(&mut checkpoint);
    let config = DenseConfig { hidden: vec![FEATURES], ..DenseConfig::default() };
    let new = |rng: &mut Stream| {
        let noise = Some(noise(None, true));
        SquashedPolicy::new(&device(), "policy", (INPUTS, WIDTH), &config, noise, rng).unwrap()
    };
    let (mut loaded, mut copy) = (new(&mut rng), new(&mut rng));
    loaded.load(&checkpoint).unwrap();
    copy.copy_from(&policy).unwrap();
    let duplicate = policy.duplicate("old_policy").unwrap();
    let expected = policy.distribution(matrix.clone()).unwrap();
    let act = |policy: &SquashedPolicy<Cpu>| {
        let (mut rng, mut actions) = (Seed::new(11).stream("test"), vec![0.0; 4 * WIDTH]);
        policy.explore(&observations, 0, &mut rng, &mut Exploration::default(), &mut actions);
        actions
    };
    for other in [&loaded, &copy, &duplicate] {
        let found = other.distribution(matrix.clone()).unwrap();
        assert_eq!(found.mean.to_host(), expected.mean.to_host());
        assert_eq!(found.log_std.to_host(), expected.log_std.to_host());
        assert_eq!(act(other), act(&policy));
    }
}
