//! Small problems of which everything is known: their trajectories can be enumerated.

use assay_algorithms::{
    tensor::Cpu,
    trajectory_gradient::{Agent, PolicyConfig, ScorePolicy, TabularSoftmax, Trajectory, TrajectoryConfig},
};
use assay_environments::{
    Batch, BatchedEnvironment,
    hills::{HillClimb, NormalActions},
    random::{Seed, Stream},
    tabular::{FiniteMdp, Garnet},
};
use assay_theory::gradient::horizon_policy_gradient;
use ndarray::ArrayView2;
use rand::Rng;

pub(crate) const STATES: usize = 3;
pub(crate) const ACTIONS: usize = 2;
pub(crate) const SIZE: usize = STATES * ACTIONS;
pub(crate) const DISCOUNT: f64 = 0.9;
/// Rewards are at most one.
pub(crate) const LARGEST_REWARD: f64 = 1.0;
/// M_g: the norm of 1{a} − π(·|s) is at most √2.
pub(crate) const SCORE_BOUND: f64 = std::f64::consts::SQRT_2;
/// M_h: the norm of diag π − π πᵀ is at most ½.
pub(crate) const CURVATURE_BOUND: f64 = 0.5;

pub(crate) fn mdp(seed: u64) -> FiniteMdp {
    Garnet { states: STATES, actions: ACTIONS, branching: STATES, seed }.build().unwrap()
}

/// Every state has two actions.
pub(crate) fn tabular() -> TabularSoftmax {
    TabularSoftmax::new(STATES, ACTIONS)
}

pub(crate) fn table(parameters: &[f64]) -> ArrayView2<'_, f64> {
    ArrayView2::from_shape((STATES, ACTIONS), parameters).unwrap()
}

pub(crate) fn uniform(size: usize, rng: &mut Stream) -> Vec<f64> {
    (0..size).map(|_| rng.random_range(-1.0..1.0)).collect()
}

pub(crate) fn moved(x: &[f64], by: f64, direction: &[f64]) -> Vec<f64> {
    x.iter().zip(direction).map(|(x, d)| x + by * d).collect()
}

pub(crate) fn distance(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum::<f64>().sqrt()
}

pub(crate) fn one_hot(index: usize, size: usize) -> Vec<f32> {
    let mut code = vec![0.0; size];
    code[index] = 1.0;
    code
}

/// A trajectory and the probability that the environment gives it if the actions are taken.
pub(crate) type Weighted = (f64, Trajectory);

/// Every trajectory of `horizon` steps.
pub(crate) fn trajectories(mdp: &FiniteMdp, horizon: usize) -> Vec<Weighted> {
    let mut open: Vec<(f64, usize, Trajectory)> = start(mdp.initial());
    for _ in 0..horizon {
        let mut longer = Vec::new();
        for (probability, state, trajectory) in open {
            for action in 0..ACTIONS {
                for transition in mdp.transitions(0, state, action) {
                    let mut trajectory = trajectory.clone();
                    trajectory.observations.extend(one_hot(state, STATES));
                    trajectory.actions.extend(one_hot(action, ACTIONS));
                    trajectory.rewards.push(transition.reward);
                    longer.push((probability * transition.probability, transition.next, trajectory));
                }
            }
        }
        open = longer;
    }
    closed(open)
}

/// Actions with which integrals of smooth functions over normal distributions are sums: the
/// trapezoidal rule, whose error here is far below rounding. Single precision holds them exactly.
pub(crate) const SPACING: f64 = 0.25;
pub(crate) fn grid() -> impl Iterator<Item = f64> {
    (-20..=20).map(|i| SPACING * f64::from(i))
}

/// Rewards (states) and transition probabilities (state × next state) of one action in every state.
pub(crate) fn of_action(hills: &HillClimb, states: usize, action: f64) -> (Vec<f64>, Vec<Vec<f64>>) {
    let tables = hills.normal_tables(&vec![action; states], 0.0);
    (tables.rewards.to_vec(), tables.transitions.rows().into_iter().map(|row| row.to_vec()).collect())
}

/// Trajectories of `horizon` steps whose actions are on the [grid]. Their probabilities have the
/// spacing as a factor, so that a sum over them is an integral over actions.
pub(crate) fn trajectories_on_hills(hills: &HillClimb, states: usize, horizon: usize) -> Vec<Weighted> {
    let mut open = start(&vec![1.0 / states as f64; states]);
    let actions: Vec<_> = grid().map(|action| (action, of_action(hills, states, action))).collect();
    for _ in 0..horizon {
        let mut longer = Vec::new();
        for (probability, state, trajectory) in open {
            for (action, (rewards, transitions)) in &actions {
                for (next, chance) in transitions[state].iter().enumerate() {
                    let mut trajectory = trajectory.clone();
                    trajectory.observations.extend(one_hot(state, states));
                    trajectory.actions.push(*action as f32);
                    trajectory.rewards.push(rewards[state]);
                    longer.push((probability * SPACING * chance, next, trajectory));
                }
            }
        }
        open = longer;
    }
    closed(open)
}

fn start(initial: &[f64]) -> Vec<(f64, usize, Trajectory)> {
    let one = |(state, &probability): (usize, &f64)| (probability, state, Trajectory::default());
    initial.iter().enumerate().map(one).collect()
}

fn closed(open: Vec<(f64, usize, Trajectory)>) -> Vec<Weighted> {
    open.into_iter().map(|(probability, _, trajectory)| (probability, trajectory)).collect()
}

/// log π_θ(a_t|s_t) of every step.
pub(crate) fn log_probs(policy: &mut dyn ScorePolicy, trajectory: &Trajectory) -> Vec<f64> {
    let mut log_probs = vec![0.0; trajectory.len()];
    policy.log_probs(trajectory, &mut log_probs);
    log_probs
}

/// p(τ|π_θ) of every trajectory.
pub(crate) fn probabilities(all: &[Weighted], policy: &mut dyn ScorePolicy, parameters: &[f64]) -> Vec<f64> {
    policy.move_to(parameters);
    let of = |(probability, trajectory): &Weighted| {
        probability * log_probs(policy, trajectory).iter().sum::<f64>().exp()
    };
    let probabilities: Vec<f64> = all.iter().map(of).collect();
    let total: f64 = probabilities.iter().sum();
    assert!((total - 1.0).abs() < 1e-5, "{total}");
    probabilities
}

/// Σ_τ p(τ) estimate(τ), for estimates of `size` numbers.
pub(crate) fn expectation(
    all: &[Weighted],
    probabilities: &[f64],
    size: usize,
    mut estimate: impl FnMut(&Trajectory, &mut [f64]),
) -> Vec<f64> {
    let (mut sum, mut one) = (vec![0.0; size], vec![0.0; size]);
    for ((_, trajectory), probability) in all.iter().zip(probabilities) {
        estimate(trajectory, &mut one);
        sum.iter_mut().zip(&one).for_each(|(s, x)| *s += probability * x);
    }
    sum
}

/// The derivative of a vector at 0, by a difference of fourth order.
pub(crate) fn derivative(step: f64, at: impl FnMut(f64) -> Vec<f64>) -> Vec<f64> {
    let [a, b, c, d] = [-2.0 * step, -step, step, 2.0 * step].map(at);
    (0..a.len()).map(|i| (8.0 * (c[i] - b[i]) - (d[i] - a[i])) / (12.0 * step)).collect()
}

/// ∇J_H.
pub(crate) fn exact_gradient(mdp: &FiniteMdp, horizon: usize, parameters: &[f64]) -> Vec<f64> {
    let limited = mdp.clone().with_horizon(horizon).unwrap();
    horizon_policy_gradient(&limited, &table(parameters), DISCOUNT).unwrap().into_iter().collect()
}

/// ∇²J_H v.
pub(crate) fn exact_product(
    mdp: &FiniteMdp,
    horizon: usize,
    parameters: &[f64],
    direction: &[f64],
) -> Vec<f64> {
    derivative(1e-3, |by| exact_gradient(mdp, horizon, &moved(parameters, by, direction)))
}

/// Nodes and weights of Gauss and Legendre on [0, 1], which integrate polynomials of degree 15.
pub(crate) fn quadrature() -> [(f64, f64); 8] {
    let half = [
        (0.183_434_642_495_649_8, 0.362_683_783_378_362),
        (0.525_532_409_916_329, 0.313_706_645_877_887_3),
        (0.796_666_477_413_626_7, 0.222_381_034_453_374_48),
        (0.960_289_856_497_536_3, 0.101_228_536_290_376_26),
    ];
    let mut all = [(0.0, 0.0); 8];
    for (i, (x, w)) in half.into_iter().enumerate() {
        all[2 * i] = (0.5 - 0.5 * x, 0.5 * w);
        all[2 * i + 1] = (0.5 + 0.5 * x, 0.5 * w);
    }
    all
}

/// Tabular policies that play trajectories of `horizon` steps.
pub(crate) fn agent(environment: Box<dyn BatchedEnvironment>, horizon: usize, seed: Seed) -> Agent {
    let config = TrajectoryConfig { discount: DISCOUNT, horizon, ..TrajectoryConfig::default() };
    Agent::new(config, &PolicyConfig::default(), environment, seed, Cpu::default()).unwrap()
}

pub(crate) fn garnet(seed: u64) -> Box<dyn BatchedEnvironment> {
    Box::new(Batch::new(mdp(0), 1, Seed::new(seed)).unwrap())
}
