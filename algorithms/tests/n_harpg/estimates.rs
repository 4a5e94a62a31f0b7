//! Expectations of the estimates.

use assay_algorithms::{
    policies::NetworkConfig,
    tensor::Cpu,
    trajectory_gradient::{
        BaselineForm, Estimator, ImportanceWeight, LinearGaussian, PolicyConfig, PolicyForm, ScorePolicy,
        Trajectory, norm,
    },
};
use assay_environments::{
    Batch, Space,
    hills::{HillClimb, Hills, NormalActions},
    random::Seed,
};

use crate::problems::*;

const HORIZON: usize = 3;
const FAR: f64 = f64::INFINITY;

fn mean_gradient(
    all: &[Weighted],
    policy: &mut dyn ScorePolicy,
    estimator: &mut Estimator,
    parameters: &[f64],
) -> Vec<f64> {
    let probabilities = probabilities(all, policy, parameters);
    expectation(all, &probabilities, parameters.len(), |trajectory, gradient| {
        estimator.gradient(policy, std::slice::from_ref(trajectory), gradient);
    })
}

fn mean_product(
    all: &[Weighted],
    policy: &mut dyn ScorePolicy,
    estimator: &mut Estimator,
    parameters: &[f64],
    direction: &[f64],
) -> Vec<f64> {
    let probabilities = probabilities(all, policy, parameters);
    expectation(all, &probabilities, parameters.len(), |trajectory, product| {
        estimator.hessian_product(policy, std::slice::from_ref(trajectory), direction, product);
    })
}

/// Without a baseline.
fn plain() -> Estimator {
    Estimator::new(DISCOUNT, BaselineForm::None)
}

/// Estimators without and with a baseline that has seen other trajectories.
fn estimators(all: &[Weighted]) -> [Estimator; 2] {
    let mut with_baseline = Estimator::new(DISCOUNT, BaselineForm::Step);
    let few: Vec<Trajectory> = all.iter().step_by(97).map(|(_, trajectory)| trajectory.clone()).collect();
    with_baseline.observe(&few);
    [plain(), with_baseline]
}

#[test]
fn the_expectation_of_the_gradient_estimate_is_the_gradient() {
    for seed in 0..3 {
        let mdp = mdp(seed);
        let all = trajectories(&mdp, HORIZON);
        let parameters = uniform(SIZE, &mut Seed::new(seed).stream("test"));
        for mut estimator in estimators(&all) {
            let mean = mean_gradient(&all, &mut tabular(), &mut estimator, &parameters);
            assert!(distance(&mean, &exact_gradient(&mdp, HORIZON, &parameters)) < 1e-12, "{mean:?}");
        }
    }
}

#[test]
fn the_expectation_of_b_is_the_hessian_and_both_of_its_terms_are_needed() {
    for seed in 0..3 {
        let mdp = mdp(seed);
        let all = trajectories(&mdp, HORIZON);
        let mut rng = Seed::new(seed).stream("test");
        let (parameters, direction) = (uniform(SIZE, &mut rng), uniform(SIZE, &mut rng));
        let exact = exact_product(&mdp, HORIZON, &parameters, &direction);
        for mut estimator in estimators(&all) {
            let mean = mean_product(&all, &mut tabular(), &mut estimator, &parameters, &direction);
            assert!(distance(&mean, &exact) < 1e-9, "{mean:?} {exact:?}");
        }

        // ∇²Φ alone, a difference of g over the same trajectories, is not enough.
        let here = probabilities(&all, &mut tabular(), &parameters);
        let curvature = derivative(1e-3, |by| {
            let (mut policy, mut estimator) = (tabular(), plain());
            policy.move_to(&moved(&parameters, by, &direction));
            expectation(&all, &here, SIZE, |trajectory, gradient| {
                estimator.gradient(&mut policy, std::slice::from_ref(trajectory), gradient);
            })
        });
        assert!(distance(&curvature, &exact) > 0.1, "{curvature:?} {exact:?}");
    }
}

/// ∇J_2 of a Gaussian policy on Hills in closed form.
fn gradient_of_two_steps(hills: &HillClimb, means: &[f64], deviation: f64) -> Vec<f64> {
    let tables = hills.normal_tables(means, deviation);
    let later = tables.transition_slopes.dot(&tables.rewards);
    let reached = |state: usize| -> f64 {
        tables.initial.iter().zip(tables.transitions.column(state)).map(|(start, p)| start * p).sum()
    };
    let slope = |state: usize| {
        let (now, start) = (tables.reward_slopes[state], tables.initial[state]);
        start * (now + DISCOUNT * later[state]) + DISCOUNT * reached(state) * now
    };
    (0..means.len()).map(slope).collect()
}

/// Over actions too the expectations are exact: integrals by a rule whose error is below rounding.
#[test]
fn both_expectations_hold_for_linear_gaussian_policies() {
    const STATES: usize = 2;
    let deviation = 0.6;
    for seed in 0..2 {
        let hills = Hills { seed, states: STATES, ..Hills::default() }.build().unwrap();
        let all = trajectories_on_hills(&hills, STATES, 2);
        let mut rng = Seed::new(seed).stream("test");
        let (means, direction) = (uniform(STATES, &mut rng), uniform(STATES, &mut rng));
        let exact = gradient_of_two_steps(&hills, &means, deviation);
        let curved =
            derivative(1e-3, |by| gradient_of_two_steps(&hills, &moved(&means, by, &direction), deviation));
        let mut policy = LinearGaussian::new(&Space::discrete(STATES), 1, deviation);
        for mut estimator in estimators(&all) {
            let gradient = mean_gradient(&all, &mut policy, &mut estimator, &means);
            assert!(distance(&gradient, &exact) < 1e-9, "{gradient:?} {exact:?}");
            let product = mean_product(&all, &mut policy, &mut estimator, &means, &direction);
            assert!(distance(&product, &curved) < 1e-9, "{product:?} {curved:?}");
        }
    }
}

/// A network computes in single precision, and so far do derivatives agree with differences.
#[test]
fn both_expectations_hold_for_a_network() {
    let mdp = mdp(0);
    let all = trajectories(&mdp, HORIZON);
    let environment = Batch::new(mdp, 1, Seed::new(0)).unwrap();
    let network = NetworkConfig { hidden: vec![4], ..NetworkConfig::default() };
    let config = PolicyConfig { form: PolicyForm::Network, network, ..PolicyConfig::default() };
    let mut policy = config.policy(&environment, Seed::new(1), Cpu::default()).unwrap();
    let mut rng = Seed::new(2).stream("test");
    let size = policy.dimension();
    let parameters = moved(&policy.initial_parameters(), 0.5, &uniform(size, &mut rng));
    let direction = uniform(size, &mut rng);
    let gradient = mean_gradient(&all, &mut *policy, &mut plain(), &parameters);
    let product = mean_product(&all, &mut *policy, &mut plain(), &parameters, &direction);

    let slope = derivative(0.02, |by| {
        let there = probabilities(&all, &mut *policy, &moved(&parameters, by, &direction));
        expectation(&all, &there, 1, |trajectory, value| value[0] = trajectory.discounted_return(DISCOUNT))
    });
    let along: f64 = gradient.iter().zip(&direction).map(|(g, v)| g * v).sum();
    assert!((along - slope[0]).abs() < 1e-3 * norm(&gradient) * norm(&direction), "{along} {slope:?}");
    let curved = derivative(0.02, |by| {
        mean_gradient(&all, &mut *policy, &mut plain(), &moved(&parameters, by, &direction))
    });
    assert!(distance(&product, &curved) < 1e-3 * norm(&product), "{product:?} {curved:?}");
}

#[test]
fn the_expected_correction_is_the_difference_of_the_gradients_and_at_the_end_point_it_is_not() {
    for seed in 0..3 {
        let mdp = mdp(seed);
        let all = trajectories(&mdp, HORIZON);
        let mut rng = Seed::new(seed).stream("test");
        let (before, displacement) = (uniform(SIZE, &mut rng), uniform(SIZE, &mut rng));
        let now = moved(&before, 1.0, &displacement);
        let product = |at: &[f64]| mean_product(&all, &mut tabular(), &mut plain(), at, &displacement);
        let mut mean = vec![0.0; SIZE];
        for (q, weight) in quadrature() {
            let product = product(&moved(&before, q, &displacement));
            mean.iter_mut().zip(&product).for_each(|(m, p)| *m += weight * p);
        }
        let (old, new) = (exact_gradient(&mdp, HORIZON, &before), exact_gradient(&mdp, HORIZON, &now));
        let difference = moved(&new, -1.0, &old);
        assert!(distance(&mean, &difference) < 1e-9, "{mean:?} {difference:?}");
        assert!(distance(&product(&now), &difference) > 0.1 * norm(&difference));
    }
}

#[test]
fn the_importance_weighted_gradient_is_unbiased_and_a_cap_makes_it_biased() {
    for seed in 0..3 {
        let mdp = mdp(seed);
        let all = trajectories(&mdp, HORIZON);
        let mut rng = Seed::new(seed).stream("test");
        let (now, before) = (uniform(SIZE, &mut rng), uniform(SIZE, &mut rng));
        let exact = exact_gradient(&mdp, HORIZON, &before);
        let mut behaviour = tabular();
        let here = probabilities(&all, &mut behaviour, &now);
        let mut policy = tabular();
        policy.move_to(&before);
        for mut estimator in estimators(&all) {
            let mut error = |importance| {
                let mean = expectation(&all, &here, SIZE, |trajectory, gradient| {
                    let log_probs = log_probs(&mut behaviour, trajectory);
                    let batch = std::slice::from_ref(trajectory);
                    estimator.weighted_gradient(&mut policy, batch, &log_probs, importance, gradient);
                });
                distance(&mean, &exact)
            };
            assert!(error(ImportanceWeight::PerStep { cap: FAR }) < 1e-12);
            assert!(error(ImportanceWeight::WholeTrajectory { cap: FAR }) < 1e-12);
            assert!(error(ImportanceWeight::PerStep { cap: 1.2 }) > 1e-3);
            assert!(error(ImportanceWeight::WholeTrajectory { cap: 1.2 }) > 1e-3);
        }
    }
}

/// E‖correction‖²/‖θ_t − θ_{t−1}‖², of the correction by importance weights,
/// g(τ, θ_t) − g_w(τ, θ_{t−1}), and by the Hessian, B(τ̂, θ̂)(θ_t − θ_{t−1}).
///
/// ‖B‖ ≤ Σ_t c_t (H M_g² + M_h) and Σ_t c_t ≤ r_max Σ_h (h + 1) γʰ, however far the points are from
/// each other; importance weights grow exponentially with the distance.
#[test]
fn corrections_by_the_hessian_are_bounded_over_any_distance_and_those_by_importance_weights_are_not() {
    let mdp = mdp(0);
    let all = trajectories(&mdp, HORIZON);
    let returns: f64 = (0..HORIZON).map(|h| (h + 1) as f64 * DISCOUNT.powi(h as i32)).sum();
    let bound = LARGEST_REWARD * returns * (HORIZON as f64 * SCORE_BOUND.powi(2) + CURVATURE_BOUND);
    let mut rng = Seed::new(4).stream("test");
    let (before, direction) = (uniform(SIZE, &mut rng), uniform(SIZE, &mut rng));
    let direction = moved(&[0.0; SIZE], 1.0 / norm(&direction), &direction);
    let mut weighted = Vec::new();
    for length in [0.1, 1.0, 5.0, 25.0] {
        let displacement = moved(&[0.0; SIZE], length, &direction);
        let now = moved(&before, 1.0, &displacement);
        let square = |correction: &[f64]| (norm(correction) / length).powi(2);

        let mut by_hessian = 0.0;
        for (q, weight) in quadrature() {
            let (mut policy, mut correction) = (tabular(), vec![0.0; SIZE]);
            let there = probabilities(&all, &mut policy, &moved(&before, q, &displacement));
            let mean = expectation(&all, &there, 1, |trajectory, value| {
                let batch = std::slice::from_ref(trajectory);
                plain().hessian_product(&mut policy, batch, &displacement, &mut correction);
                value[0] = square(&correction);
            });
            by_hessian += weight * mean[0];
        }
        assert!(by_hessian <= bound * bound, "{by_hessian} over {length}, {bound}");

        let (mut behaviour, mut policy) = (tabular(), tabular());
        let here = probabilities(&all, &mut behaviour, &now);
        policy.move_to(&before);
        let (mut fresh, mut old) = (vec![0.0; SIZE], vec![0.0; SIZE]);
        let mean = expectation(&all, &here, 1, |trajectory, value| {
            let (batch, mut estimator) = (std::slice::from_ref(trajectory), plain());
            let log_probs = log_probs(&mut behaviour, trajectory);
            let importance = ImportanceWeight::PerStep { cap: FAR };
            estimator.gradient(&mut behaviour, batch, &mut fresh);
            estimator.weighted_gradient(&mut policy, batch, &log_probs, importance, &mut old);
            value[0] = square(&moved(&fresh, -1.0, &old));
        });
        weighted.push(mean[0]);
    }
    assert!(weighted[0] < bound * bound, "{weighted:?}");
    assert!(weighted[3] > 100.0 * bound * bound, "{weighted:?}, {bound}");
}
