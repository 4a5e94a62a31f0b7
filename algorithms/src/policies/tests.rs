use assay_environments::{
    Actions, Space,
    random::{Seed, Stream},
};
use rand::Rng;
use rand_distr::StandardNormal;

use super::*;
use crate::{
    Mode,
    mdpo::Divergence,
    tensor::{Cpu, Device, Matrix, Operations, Recording, Scalar, Vector, backward},
    testing::{flat_gradient, flat_parameters},
};

const Q: [f64; 4] = [1.0, 1.2, 1.5, 2.0];

fn device() -> Cpu {
    Cpu::open().unwrap()
}

fn categorical(sizes: &[usize], rows: usize, rng: &mut Stream) -> Distribution<Cpu> {
    let columns = sizes.iter().sum();
    let logits: Vec<f32> = (0..rows * columns).map(|_| rng.random_range(-3.0..3.0)).collect();
    let logits = device().matrix(&logits, rows, columns).unwrap();
    Distribution::Categorical(Categorical { logits, sizes: sizes.to_vec() })
}

fn gaussian(mean: &[f32], log_std: &[f32]) -> Distribution<Cpu> {
    let mean_matrix = device().matrix(mean, 1, mean.len()).unwrap();
    let log_std = device().matrix(log_std, 1, mean.len()).unwrap();
    Distribution::DiagonalGaussian(DiagonalGaussian { mean: mean_matrix, log_std })
}

/// The joint probabilities of every combination of the parts' values, row by row.
fn joint(distribution: &Distribution<Cpu>) -> Vec<Vec<f64>> {
    let Distribution::Categorical(Categorical { logits, sizes }) = distribution else {
        panic!("not categorical")
    };
    let columns = sizes.iter().sum();
    let of_row = |row: &[f32]| {
        let mut joint = vec![1.0];
        for part in categorical::parts(sizes) {
            let weights: Vec<f64> = row[part].iter().map(|x| f64::from(*x).exp()).collect();
            let total: f64 = weights.iter().sum();
            joint = joint.iter().flat_map(|p| weights.iter().map(move |w| p * w / total)).collect();
        }
        joint
    };
    logits.to_host().chunks_exact(columns).map(of_row).collect()
}

fn assert_close(found: &Vector<Cpu>, expected: &[f64], tolerance: f64, what: &str) {
    let found = found.to_host();
    assert_eq!(found.len(), expected.len(), "{what}");
    for (f, e) in found.iter().zip(expected) {
        assert!((f64::from(*f) - e).abs() < tolerance * (1.0 + e.abs()), "{what}: {f} and {e}");
    }
}

#[test]
fn categorical_quantities_agree_with_sums_over_all_actions() {
    let mut rng = Seed::new(1).stream("test");
    for sizes in [vec![1], vec![2], vec![5], vec![2, 3], vec![3, 1, 4]] {
        let (p, k) = (categorical(&sizes, 7, &mut rng), categorical(&sizes, 7, &mut rng));
        let (p_joint, k_joint) = (joint(&p), joint(&k));
        let entropy: Vec<f64> = p_joint.iter().map(|p| -p.iter().map(|p| p * p.ln()).sum::<f64>()).collect();
        assert_close(&p.clone().entropy(), &entropy, 1e-5, "entropy");
        let divergence = |divergence: Divergence| -> Vec<f64> {
            p_joint.iter().zip(&k_joint).map(|(p, k)| divergence.between(p, k)).collect()
        };
        assert_close(&p.clone().kl_to(&k), &divergence(Divergence::ReverseKl), 1e-5, "KL(p, k)");
        assert_close(&p.clone().kl_from(&k), &divergence(Divergence::ForwardKl), 1e-5, "KL(k, p)");
        for q in Q {
            let expected = divergence(Divergence::Tsallis { q });
            assert_close(&p.clone().tsallis_divergence(&k, q), &expected, 1e-5, "Tsallis divergence");
            let expected: Vec<f64> = p_joint
                .iter()
                .map(|p| -p.iter().map(|&p| p * crate::mdpo::log_q(p, q)).sum::<f64>())
                .collect();
            assert_close(&p.clone().tsallis_entropy(q), &expected, 1e-5, "Tsallis entropy");
        }
    }
}

#[test]
fn categorical_log_probabilities_are_those_of_the_one_hot_coded_actions() {
    let mut rng = Seed::new(2).stream("test");
    let sizes = [2, 3];
    let p = categorical(&sizes, 6, &mut rng);
    // Row i takes joint action i.
    let space = Space::MultiDiscrete { sizes: sizes.to_vec() };
    let mut actions = vec![0.0; 6 * 5];
    for (i, row) in actions.chunks_exact_mut(5).enumerate() {
        space.encode(&[(i / 3) as f32, (i % 3) as f32], row);
    }
    let expected: Vec<f64> = joint(&p).iter().enumerate().map(|(i, p)| p[i].ln()).collect();
    let actions = device().matrix(&actions, 6, 5).unwrap();
    assert_close(&p.log_prob(&actions), &expected, 1e-5, "log-probability");
}

/// Sums f(x, p(x), k(x)) over a grid that covers both densities, in one or two dimensions.
fn integrate(p: (&[f32], &[f32]), k: (&[f32], &[f32]), f: impl Fn(f64, f64) -> f64) -> f64 {
    let density = |(mean, log_std): (&[f32], &[f32]), i: usize, x: f64| {
        let sigma = f64::from(log_std[i]).exp();
        let z = (x - f64::from(mean[i])) / sigma;
        (-0.5 * z * z).exp() / (sigma * std::f64::consts::TAU.sqrt())
    };
    let (width, n) = (12.0, 1200);
    let cell = 2.0 * width / f64::from(n);
    let grid: Vec<f64> = (0..n).map(|i| -width + (f64::from(i) + 0.5) * cell).collect();
    let column = |which, i| -> Vec<f64> { grid.iter().map(|&x| density(which, i, x)).collect() };
    let (p0, k0) = (column(p, 0), column(k, 0));
    let first = p0.iter().zip(&k0);
    if p.0.len() == 1 {
        return first.map(|(p, k)| f(*p, *k)).sum::<f64>() * cell;
    }
    let (p1, k1) = (column(p, 1), column(k, 1));
    let row = |(a, b): (&f64, &f64)| p1.iter().zip(&k1).map(|(p, k)| f(a * p, b * k)).sum::<f64>();
    first.map(row).sum::<f64>() * cell * cell
}

#[test]
fn gaussian_quantities_agree_with_numerical_integration() {
    let cases: [[&[f32]; 4]; 3] = [
        [&[0.3], &[-0.5], &[-0.4], &[0.2]],
        [&[1.0], &[0.1], &[1.0], &[0.1]],
        [&[0.3, -0.2], &[-0.5, 0.1], &[0.0, 0.5], &[0.2, -0.3]],
    ];
    for [p_mean, p_log_std, k_mean, k_log_std] in cases {
        let (p, k) = (gaussian(p_mean, p_log_std), gaussian(k_mean, k_log_std));
        let integral = |f: &dyn Fn(f64, f64) -> f64| integrate((p_mean, p_log_std), (k_mean, k_log_std), f);
        // Far from its mean a density underflows to zero, where p log p is zero.
        let log = |x: f64| x.max(1e-300).ln();
        let entropy = integral(&|p, _| -p * log(p));
        assert_close(&p.clone().entropy(), &[entropy], 1e-4, "entropy");
        let kl = integral(&|p, k| p * (log(p) - log(k)));
        assert_close(&p.clone().kl_to(&k), &[kl], 1e-4, "KL(p, k)");
        let kl = integral(&|p, k| k * (log(k) - log(p)));
        assert_close(&p.clone().kl_from(&k), &[kl], 1e-4, "KL(k, p)");
        for q in [1.2, 1.5, 2.0] {
            let log_q = |x: f64| (x.powf(q - 1.0) - 1.0) / (q - 1.0);
            let entropy = integral(&|p, _| -p * log_q(p));
            assert_close(&p.clone().tsallis_entropy(q), &[entropy], 1e-4, "Tsallis entropy");
            let divergence = integral(&|p, k| p * (log_q(p) - q * log_q(k)) + k.powf(q)) - 1.0;
            assert_close(&p.clone().tsallis_divergence(&k, q), &[divergence], 1e-4, "Tsallis divergence");
        }
    }
}

#[test]
fn the_tsallis_divergence_tends_to_kl_and_is_the_squared_distance_at_order_two() {
    let (p, k) = (gaussian(&[0.3], &[-0.2]), gaussian(&[0.1], &[0.1]));
    let kl = f64::from(p.clone().kl_to(&k).to_host()[0]);
    assert_close(&p.clone().tsallis_divergence(&k, 1.0), &[kl], 1e-7, "order 1");
    assert_close(&p.clone().tsallis_divergence(&k, 1.001), &[kl], 1e-2, "order 1.001");
    let squared = integrate((&[0.3], &[-0.2]), (&[0.1], &[0.1]), |p, k| (p - k).powi(2));
    assert_close(&p.tsallis_divergence(&k, 2.0), &[squared], 1e-4, "order 2");
}

fn spaces() -> Vec<Space> {
    vec![Space::discrete(3), Space::MultiDiscrete { sizes: vec![2, 3] }, Space::symmetric(2, 1.0)]
}

/// A policy with larger weights than at the start, so that states and actions differ.
fn policy(actions: &Space, config: &NetworkConfig) -> Policy<Cpu> {
    let seed = Seed::new(3);
    let mut policy = Policy::new(&device(), &Space::symmetric(3, 1.0), actions, config, seed).unwrap();
    let mut rng = seed.stream("larger weights");
    let values: Vec<f32> =
        flat_parameters(&policy).iter().map(|x| x + 0.3 * rng.sample::<f32, _>(StandardNormal)).collect();
    policy.set_flat_parameters(&values);
    policy
}

fn small() -> NetworkConfig {
    NetworkConfig { hidden: vec![5], initial_log_std: -0.3, ..NetworkConfig::default() }
}

fn with_noise(noise: StateDependentNoise) -> NetworkConfig {
    NetworkConfig { state_dependent_noise: Some(noise), ..small() }
}

fn policies() -> impl Iterator<Item = (Space, Policy<Cpu>)> {
    let plain = spaces().into_iter().map(|space| (space.clone(), policy(&space, &small())));
    let noise = StateDependentNoise {
        initial_log_std: -0.3,
        redraw_every: None,
        learn_features: true,
        mean_bound: None,
    };
    let gaussian = [NetworkConfig { state_dependent_std: true, ..small() }, with_noise(noise)];
    let space = Space::symmetric(2, 1.0);
    plain.chain(gaussian.map(|config| (space.clone(), policy(&space, &config))))
}

fn observations(rows: usize, rng: &mut Stream) -> Vec<f32> {
    (0..rows * 3).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// Draws one action per row; returns them as features, with their log-probabilities.
fn draw(
    policy: &Policy<Cpu>,
    space: &Space,
    observations: &[f32],
    mode: Mode,
    rng: &mut Stream,
) -> (Matrix<Cpu>, Vec<f32>) {
    let rows = observations.len() / 3;
    let mut actions = Actions::zeros(space, rows);
    let mut log_probs = vec![f32::NAN; rows];
    policy.act(observations, mode, rng, &mut actions, Some(&mut log_probs), &mut Vec::new()).unwrap();
    let mut features = vec![0.0; rows * space.features()];
    for (i, row) in features.chunks_exact_mut(space.features()).enumerate() {
        space.encode_action(actions.row(i), row);
    }
    (device().matrix(&features, rows, space.features()).unwrap(), log_probs)
}

#[test]
fn the_host_and_the_tape_agree_on_the_log_probability_of_an_action() {
    let mut rng = Seed::new(4).stream("test");
    for (space, policy) in policies() {
        let observations = observations(50, &mut rng);
        let matrix = device().matrix(&observations, 50, 3).unwrap();
        for mode in [Mode::Sample, Mode::Greedy] {
            let (actions, on_host) = draw(&policy, &space, &observations, mode, &mut rng);
            let expected: Vec<f64> = on_host.iter().map(|x| f64::from(*x)).collect();
            let found = policy.distribution(matrix.clone()).unwrap().log_prob(&actions);
            assert_close(&found, &expected, 1e-5, "log-probability");
        }
    }
}

#[test]
fn no_sampled_action_is_likelier_than_the_greedy_one() {
    let mut rng = Seed::new(5).stream("test");
    for (space, policy) in policies() {
        let observations = observations(200, &mut rng);
        let (_, greedy) = draw(&policy, &space, &observations, Mode::Greedy, &mut rng);
        let (_, sampled) = draw(&policy, &space, &observations, Mode::Sample, &mut rng);
        assert!(greedy.iter().zip(&sampled).all(|(g, s)| g >= s));
    }
}

#[test]
fn sampled_actions_have_the_moments_of_their_distribution() {
    let rows = 40_000;
    let mut rng = Seed::new(6).stream("test");
    for (space, policy) in policies() {
        let observation = observations(1, &mut rng);
        let (actions, log_probs) = draw(&policy, &space, &observation.repeat(rows), Mode::Sample, &mut rng);
        let distribution = policy.distribution(device().matrix(&observation, 1, 3).unwrap()).unwrap();
        // The mean of −log π over samples estimates the entropy.
        let estimate = -log_probs.iter().map(|x| f64::from(*x)).sum::<f64>() / rows as f64;
        assert_close(&distribution.clone().entropy(), &[estimate], 0.02, "entropy");
        let (actions, width) = (actions.to_host(), space.features());
        for i in 0..width {
            let column = || actions.iter().skip(i).step_by(width).map(|x| f64::from(*x));
            let mean = column().sum::<f64>() / rows as f64;
            let variance = column().map(|x| (x - mean).powi(2)).sum::<f64>() / rows as f64;
            let (expected_mean, expected_variance) = match &distribution {
                Distribution::Categorical(Categorical { logits, sizes }) => {
                    let logits = logits.to_host();
                    let part = categorical::parts(sizes).find(|part| part.contains(&i)).unwrap();
                    let total: f64 = logits[part].iter().map(|x| f64::from(*x).exp()).sum();
                    let p = f64::from(logits[i]).exp() / total;
                    (p, p * (1.0 - p))
                }
                Distribution::DiagonalGaussian(DiagonalGaussian { mean, log_std }) => {
                    let std = f64::from(log_std.clone().exp().to_host()[i]);
                    (f64::from(mean.to_host()[i]), std * std)
                }
            };
            assert!((mean - expected_mean).abs() < 0.02, "{mean} {expected_mean}");
            assert!((variance - expected_variance).abs() < 0.02, "{variance} {expected_variance}");
        }
    }
}

type Quantity =
    fn(Distribution<Cpu, Recording<Cpu>>, &Distribution<Cpu>, &Matrix<Cpu>) -> Scalar<Cpu, Recording<Cpu>>;

/// Everything that a loss may be made of, averaged over rows.
const QUANTITIES: [(&str, Quantity); 7] = [
    ("log-probability", |p, _, actions| p.log_prob(actions).mean_all()),
    ("entropy", |p, _, _| p.entropy().mean_all()),
    ("KL(p, k)", |p, k, _| p.kl_to(k).mean_all()),
    ("KL(k, p)", |p, k, _| p.kl_from(k).mean_all()),
    ("Tsallis entropy", |p, _, _| p.tsallis_entropy(1.5).mean_all()),
    ("Tsallis divergence", |p, k, _| p.tsallis_divergence(k, 1.5).mean_all()),
    ("squared distance", |p, k, _| p.tsallis_divergence(k, 2.0).mean_all()),
];

#[test]
fn gradients_agree_with_finite_differences() {
    let mut rng = Seed::new(7).stream("test");
    for (space, mut policy) in policies() {
        let rows = observations(8, &mut rng);
        let matrix = device().matrix(&rows, 8, 3).unwrap();
        let (actions, _) = draw(&policy, &space, &rows, Mode::Sample, &mut rng);
        let fixed = policy.distribution(matrix.clone()).unwrap();
        // Away from the fixed policy, where divergences have a gradient.
        let start: Vec<f32> =
            flat_parameters(&policy).iter().map(|x| x + 0.1 * rng.sample::<f32, _>(StandardNormal)).collect();
        for (name, quantity) in QUANTITIES {
            let mut evaluate = |parameters: &[f32]| {
                policy.set_flat_parameters(parameters);
                let loss = quantity(policy.record(matrix.clone()).unwrap(), &fixed, &actions);
                let (value, mut gradients) = backward(loss, "quantity").unwrap();
                (f64::from(value), flat_gradient(&policy, &mut gradients))
            };
            let (_, gradient) = evaluate(&start);
            assert!(gradient.iter().any(|g| g.abs() > 1e-3), "{name}");
            for _ in 0..5 {
                let direction: Vec<f32> = start.iter().map(|_| rng.sample(StandardNormal)).collect();
                let size = 1e-2;
                let shifted = |sign: f32| -> Vec<f32> {
                    start.iter().zip(&direction).map(|(x, d)| x + sign * size * d).collect()
                };
                let difference =
                    (evaluate(&shifted(1.0)).0 - evaluate(&shifted(-1.0)).0) / (2.0 * f64::from(size));
                let product: f64 = gradient.iter().zip(&direction).map(|(g, d)| f64::from(g * d)).sum();
                let scale = 1.0 + product.abs();
                assert!((difference - product).abs() < 5e-3 * scale, "{name}: {difference} {product}");
            }
        }
    }
}

#[test]
fn the_gradient_of_every_divergence_vanishes_at_the_fixed_policy() {
    let mut rng = Seed::new(8).stream("test");
    for (_, policy) in policies() {
        let matrix = device().matrix(&observations(8, &mut rng), 8, 3).unwrap();
        let fixed = policy.distribution(matrix.clone()).unwrap();
        for (name, quantity) in QUANTITIES {
            if !(name.starts_with("KL") || name == "Tsallis divergence" || name == "squared distance") {
                continue;
            }
            // No divergence depends on the actions taken.
            let actions = device().matrix(&[], 0, 0).unwrap();
            let loss = quantity(policy.record(matrix.clone()).unwrap(), &fixed, &actions);
            let (value, mut gradients) = backward(loss, "divergence").unwrap();
            assert!(value.abs() < 1e-6, "{name}: {value}");
            let gradient = flat_gradient(&policy, &mut gradients);
            assert!(gradient.iter().all(|g| g.abs() < 1e-5), "{name}: {gradient:?}");
        }
    }
}

#[test]
fn fisher_products_are_the_curvature_of_kl_in_both_orders() {
    let mut rng = Seed::new(9).stream("test");
    let mut fisher = FisherProduct::default();
    for (_, mut policy) in policies() {
        let rows = observations(8, &mut rng);
        let matrix = device().matrix(&rows, 8, 3).unwrap();
        let fixed = policy.distribution(matrix.clone()).unwrap();
        let start = flat_parameters(&policy);
        let mut random = || -> Vec<f32> { start.iter().map(|_| rng.sample(StandardNormal)).collect() };
        let (v, w) = (random(), random());
        let mut product = vec![f32::NAN; v.len()];
        fisher.apply(&policy, &rows, &v, &mut product);

        for kl in [Distribution::kl_to, Distribution::kl_from] {
            // The gradient is zero at the start: a step along v shows the Hessian's product.
            let mut gradient = |size: f32| {
                let shifted: Vec<f32> = start.iter().zip(&v).map(|(x, d)| x + size * d).collect();
                policy.set_flat_parameters(&shifted);
                let loss = kl(policy.record(matrix.clone()).unwrap(), &fixed).mean_all();
                let (_, mut gradients) = backward(loss, "KL").unwrap();
                flat_gradient(&policy, &mut gradients)
            };
            let size = 3e-3;
            let (up, down) = (gradient(size), gradient(-size));
            for ((up, down), expected) in up.iter().zip(&down).zip(&product) {
                let difference = (up - down) / (2.0 * size);
                assert!(
                    (difference - expected).abs() < 5e-3 * (1.0 + expected.abs()),
                    "{difference} {expected}"
                );
            }
        }

        policy.set_flat_parameters(&start);
        let mut other = vec![f32::NAN; v.len()];
        fisher.apply(&policy, &rows, &w, &mut other);
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        assert!((dot(&w, &product) - dot(&v, &other)).abs() < 1e-3, "F is symmetric");
        assert!(dot(&v, &product) >= 0.0 && dot(&w, &other) >= 0.0, "F is positive semidefinite");
    }
}

#[test]
fn a_policy_starts_nearly_uniform_and_a_copy_of_it_is_saved_and_loaded() {
    let mut rng = Seed::new(10).stream("test");
    let config = NetworkConfig::default();
    for space in spaces() {
        let observation_space = Space::symmetric(3, 1.0);
        let new =
            |seed| Policy::new(&device(), &observation_space, &space, &config, Seed::new(seed)).unwrap();
        let (first, mut second) = (new(1), new(2));
        let matrix = device().matrix(&observations(8, &mut rng), 8, 3).unwrap();
        let fixed = second.distribution(matrix.clone()).unwrap();
        let kl = first.distribution(matrix.clone()).unwrap().kl_to(&fixed);
        assert!(kl.to_host().iter().all(|kl| *kl < 1e-2));
        assert_ne!(flat_parameters(&first), flat_parameters(&second));

        let mut checkpoint = crate::Checkpoint::new();
        first.save(&mut checkpoint);
        second.load(&checkpoint).unwrap();
        assert_eq!(flat_parameters(&first), flat_parameters(&second));
        assert_eq!(flat_parameters(&first.duplicate("old").unwrap()), flat_parameters(&first));
    }
}
