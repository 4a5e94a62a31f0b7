//! The constants, bounds and assumptions of the theorems, where all of them can be computed.

use assay_algorithms::{
    Learner,
    n_harpg::Harpg,
    trajectory_gradient::{
        BaselineForm, Estimator, Exact, Method, Momentum, PolicyConfig, PolicyForm, PolicySearch, StepSize,
        norm,
    },
};
use assay_environments::{Batch, hills::Hills, random::Seed};
use assay_theory::{
    evaluation::evaluate,
    gradient::{least_fisher_eigenvalue, policy_gradient},
    normal_actions::{best_means, objective},
    planning::policy_iteration,
    policy::softmax,
};
use ndarray::Array2;
use rand::Rng;

use crate::problems::*;

/// ‖∇²J‖ ≤ L = r_max (M_g² + M_h)/(1 − γ)².
#[test]
fn the_gradient_changes_no_faster_than_the_smoothness_constant() {
    let bound = LARGEST_REWARD * (SCORE_BOUND.powi(2) + CURVATURE_BOUND) / (1.0 - DISCOUNT).powi(2);
    let mut rng = Seed::new(6).stream("test");
    for seed in 0..20 {
        let mdp = mdp(seed);
        let parameters = uniform(SIZE, &mut rng);
        let gradient = |at: &[f64]| -> Vec<f64> {
            policy_gradient(&mdp, &table(at), DISCOUNT).unwrap().into_iter().collect()
        };
        // The Hessian's largest eigenvalue by its absolute value, by the power method.
        let mut direction = uniform(SIZE, &mut rng);
        let mut largest = 0.0;
        for _ in 0..50 {
            direction = moved(&[0.0; SIZE], 1.0 / norm(&direction), &direction);
            direction = derivative(1e-3, |by| gradient(&moved(&parameters, by, &direction)));
            largest = norm(&direction);
        }
        assert!(largest > 0.0 && largest <= bound, "{largest} {bound}");
    }
}

/// E‖g − ∇J_H‖² ≤ r_max² M_g²/(1 − γ)³.
#[test]
fn the_variance_of_the_gradient_estimate_is_within_its_bound() {
    const HORIZON: usize = 4;
    let bound = (LARGEST_REWARD * SCORE_BOUND).powi(2) / (1.0 - DISCOUNT).powi(3);
    for seed in 0..5 {
        let mdp = mdp(seed);
        let all = trajectories(&mdp, HORIZON);
        let parameters = uniform(SIZE, &mut Seed::new(seed).stream("test"));
        let exact = exact_gradient(&mdp, HORIZON, &parameters);
        let mut policy = tabular();
        let here = probabilities(&all, &mut policy, &parameters);
        let mut estimator = Estimator::new(DISCOUNT, BaselineForm::None);
        let mut gradient = vec![0.0; SIZE];
        let variance = expectation(&all, &here, 1, |trajectory, value| {
            estimator.gradient(&mut policy, std::slice::from_ref(trajectory), &mut gradient);
            value[0] = distance(&gradient, &exact).powi(2);
        })[0];
        assert!(variance > 0.0 && variance <= bound, "{variance} {bound}");
    }
}

/// ‖∇J_H − ∇J‖ ≤ (M_g r_max/(1 − γ)) √(1/(1 − γ) + H) γᴴ with M_g = √2 and r_max = 1.
#[test]
fn cutting_trajectories_off_biases_the_gradient_by_no_more_than_the_bound() {
    for seed in 0..20 {
        let mdp = mdp(seed);
        let parameters = uniform(SIZE, &mut Seed::new(seed).stream("test"));
        let endless: Vec<f64> =
            policy_gradient(&mdp, &table(&parameters), DISCOUNT).unwrap().into_iter().collect();
        for horizon in [1, 3, 10, 30, 100] {
            let error = distance(&exact_gradient(&mdp, horizon, &parameters), &endless);
            let rest = 1.0 / (1.0 - DISCOUNT);
            let bound = SCORE_BOUND * rest * (rest + horizon as f64).sqrt() * DISCOUNT.powi(horizon as i32);
            assert!(error <= bound + 1e-12, "{horizon}: {error} {bound}");
        }
    }
}

/// The least eigenvalue is at least (1 − γ)/(n σ²) for Gaussian policies on Hills, wherever their
/// means are; that of a tabular softmax policy has no such bound.
#[test]
fn the_fisher_information_of_gaussian_policies_is_bounded_away_from_zero_and_that_of_softmax_is_not() {
    let (discount, deviation, states) = (0.8, 0.5, 4);
    let mut rng = Seed::new(1).stream("test");
    for seed in 0..5 {
        let hills = Hills { seed, states, ..Hills::default() }.build().unwrap();
        for _ in 0..50 {
            let means: Vec<f64> = (0..states).map(|_| rng.random_range(-20.0..20.0)).collect();
            let occupancy = objective(&hills, &means, deviation, discount).unwrap().occupancy;
            let least = occupancy.fold(f64::INFINITY, |m, d| m.min(*d)) / (deviation * deviation);
            let bound = (1.0 - discount) / (states as f64 * deviation * deviation);
            assert!(least >= bound - 1e-12, "{least} {bound}");
        }
    }
    let mdp = mdp(0);
    let mut last = f64::INFINITY;
    for scale in [0.0, 2.0, 5.0, 10.0, 20.0] {
        let mut logits = Array2::zeros((STATES, ACTIONS));
        logits.column_mut(0).fill(scale);
        let least = least_fisher_eigenvalue(&mdp, &logits, DISCOUNT).unwrap();
        assert!(least < last);
        last = least;
    }
    assert!(last < 1e-8, "{last}");
}

/// J* − J(θ) ≤ M_g ‖∇J(θ)‖/μ_F + √ε_bias/(1 − γ): the relaxed gradient domination. A table can
/// express every advantage, so that its ε_bias is zero; μ_F is that at θ.
#[test]
fn gradients_dominate_the_gap_of_softmax_policies_by_the_fisher_eigenvalue_at_hand() {
    let mut rng = Seed::new(7).stream("test");
    for seed in 0..20 {
        let mdp = mdp(seed);
        let values = policy_iteration(&mdp, DISCOUNT).unwrap().values;
        let best: f64 = mdp.initial().iter().zip(&values).map(|(p, v)| p * v).sum();
        for _ in 0..20 {
            let parameters: Vec<f64> = (0..SIZE).map(|_| rng.random_range(-3.0..3.0)).collect();
            let logits = table(&parameters);
            let value = evaluate(&mdp, &softmax(&logits), DISCOUNT).unwrap().expected_return(&mdp);
            let gradient: Vec<f64> = policy_gradient(&mdp, &logits, DISCOUNT).unwrap().into_iter().collect();
            let least = least_fisher_eigenvalue(&mdp, &logits, DISCOUNT).unwrap();
            let bound = SCORE_BOUND * norm(&gradient) / least;
            assert!(best - value <= bound, "{} {bound}", best - value);
        }
    }
}

/// The same on Hills, with μ_F = (1 − γ)/(n σ²) for all policies and ε_bias by integration over the
/// actions of the best policy π*: ε_bias = E_{s ~ d*, a ~ π*}[(A(s, a) − (1 − γ) ⟨w*, ∇ log π(a|s)⟩)²]
/// with w* = F⁻¹ ∇J. M_g² is the mean of ‖∇ log π‖² there. The same integral of A alone is
/// (1 − γ)(J* − J), which shows that it is right.
#[test]
fn gradients_dominate_the_gap_of_gaussian_policies_on_hills_up_to_the_bias() {
    const N: usize = 3;
    let (discount, deviation) = (0.8, 0.5);
    let mut rng = Seed::new(8).stream("test");
    for seed in 0..5 {
        let hills = Hills { seed, states: N, ..Hills::default() }.build().unwrap();
        let best = best_means(&hills, N, deviation, discount, 3.0).unwrap();
        let optimum = objective(&hills, &best, deviation, discount).unwrap();
        for _ in 0..10 {
            let means = uniform(N, &mut rng);
            let here = objective(&hills, &means, deviation, discount).unwrap();
            let gap = optimum.expected_return - here.expected_return;
            let (mut advantage, mut bias, mut score_square) = (0.0, 0.0, 0.0);
            for action in grid() {
                let (rewards, transitions) = of_action(&hills, N, action);
                for state in 0..N {
                    let z = (action - best[state]) / deviation;
                    let density = (-0.5 * z * z).exp() / (deviation * std::f64::consts::TAU.sqrt());
                    let weight = optimum.occupancy[state] * density * SPACING;
                    let next: f64 = transitions[state].iter().zip(&here.values).map(|(p, v)| p * v).sum();
                    let a = rewards[state] + discount * next - here.values[state];
                    let score = (action - means[state]) / (deviation * deviation);
                    let w = here.gradient[state] * deviation * deviation / here.occupancy[state];
                    advantage += weight * a;
                    bias += weight * (a - (1.0 - discount) * w * score).powi(2);
                    score_square += weight * score * score;
                }
            }
            assert!((advantage / (1.0 - discount) - gap).abs() < 1e-6, "{advantage} {gap}");
            let least = (1.0 - discount) / (N as f64 * deviation * deviation);
            let steepness = norm(here.gradient.as_slice().unwrap());
            let bound = score_square.sqrt() * steepness / least + bias.sqrt() / (1.0 - discount);
            assert!(gap <= bound, "{gap} {bound}");
        }
    }
}

/// Steps of 6 M_g/(μ_F (t + 2)), with the values at the start for M_g and μ_F, put a tabular policy
/// next to a deterministic one in a few iterations, whichever that is; there the gradients vanish.
#[test]
fn the_step_sizes_of_the_theorem_freeze_a_tabular_policy() {
    let mdp = mdp(1);
    let start = Array2::zeros((STATES, ACTIONS));
    let least = least_fisher_eigenvalue(&mdp, &start, DISCOUNT).unwrap();
    let literal = StepSize { scale: 6.0 * SCORE_BOUND / least, offset: 2.0, exponent: 1.0 };
    let mut stuck = 0;
    for seed in 0..8 {
        let environment = Box::new(Batch::new(mdp.clone(), 1, Seed::new(seed)).unwrap());
        let exact = Exact::new(&*environment, &PolicyConfig::default(), DISCOUNT).unwrap();
        let agent = agent(environment, 40, Seed::new(seed));
        let method =
            Harpg::new(agent.initial_parameters(), literal, Momentum::power(1.0), true, Seed::new(seed));
        let mut learner = PolicySearch::new(agent, method);
        for _ in 0..300 {
            learner.advance().unwrap();
        }
        let iterate = learner.method().iterate();
        let reached = exact.compare(&iterate.parameters, &iterate.direction, &iterate.parameters).unwrap();
        assert!(reached.least_fisher < 1e-6, "{reached:?}");
        let (_, gradient) = exact.objective(&iterate.parameters).unwrap();
        stuck += usize::from(reached.optimality_gap > 0.02 * exact.optimum() && norm(&gradient) < 1e-3);
    }
    assert!(stuck >= 2, "{stuck} of 8 runs are stuck at a policy that is not optimal");
}

#[test]
fn exact_objectives_agree_with_differences_of_themselves() {
    let hills = Hills::default().build().unwrap();
    let gaussian = PolicyConfig { form: PolicyForm::LinearGaussian, ..PolicyConfig::default() };
    let environment = Batch::new(hills, 1, Seed::new(0)).unwrap();
    let of_hills = Exact::new(&environment, &gaussian, 0.8).unwrap();
    let of_tables = Exact::new(&*garnet(0), &PolicyConfig::default(), 0.8).unwrap();
    for (exact, size) in [(of_hills, 4), (of_tables, SIZE)] {
        let at: Vec<f64> = uniform(size, &mut Seed::new(2).stream("test"));
        let (value, gradient) = exact.objective(&at).unwrap();
        assert!(value < exact.optimum());
        for i in 0..size {
            let mut direction = vec![0.0; size];
            direction[i] = 1.0;
            let value = |by: f64| exact.objective(&moved(&at, by, &direction)).unwrap().0;
            assert!(((value(1e-5) - value(-1e-5)) / 2e-5 - gradient[i]).abs() < 1e-8);
        }
    }
}
