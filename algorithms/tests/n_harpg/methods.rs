//! What the methods do with the estimates: limits that they have in common, and the true error of
//! their directions.

use assay_algorithms::{
    Learner,
    hapg::{self, Hapg},
    is_mbpg::{self, IsMbpg},
    n_harpg::{Harpg, NPgIgt},
    normalised_policy_gradient::MomentumPolicyGradient,
    srvr_pg::{self, SrvrPg},
    storm_pg::{self, StormPg},
    trajectory_gradient::{
        BaselineForm, Estimator, Iterate, Method, Momentum, PolicySearch, ScorePolicy, StepSize, Trajectory,
        norm,
    },
};
use assay_environments::{Batch, random::Seed};
use assay_theory::{evaluation::evaluate_horizon, gradient::horizon_policy_gradient, policy::softmax};
use ndarray::{Array2, Array3};

use crate::problems::*;

const NO_MOMENTUM: Momentum = Momentum { offset: 2.0, exponent: 0.0 };
const STEP: StepSize = StepSize { scale: 2.0, offset: 40.0, exponent: 1.0 };

/// With horizon 1 there is one gradient for each state and action, so that a direction can be
/// recognised as one of them. Rewards are handed out in single precision. `length` is that of every
/// step, where it has one.
#[test]
fn without_momentum_every_method_is_the_normalised_policy_gradient() {
    fn check<M: Method>(name: &str, length: Option<StepSize>, make: impl Fn(Vec<f64>) -> M) {
        let seed = Seed::new(3);
        let agent = agent(garnet(3), 1, seed);
        let method = make(agent.initial_parameters());
        let mut learner = PolicySearch::new(agent, method);
        let single: Vec<Trajectory> = trajectories(&mdp(0), 1).into_iter().map(|(_, t)| t).collect();
        let mut estimator = Estimator::new(DISCOUNT, BaselineForm::None);
        let mut policy = tabular();
        for _ in 0..50 {
            let before = learner.method().iterate().parameters.clone();
            learner.advance().unwrap();
            let iterate = learner.method().iterate();
            policy.move_to(&before);
            let mut gradient = vec![0.0; SIZE];
            let known = single.iter().any(|trajectory| {
                estimator.gradient(&mut policy, std::slice::from_ref(trajectory), &mut gradient);
                distance(&gradient, &iterate.direction) < 1e-6
            });
            assert!(known, "{name}: {:?}", iterate.direction);
            if let Some(length) = length.map(|step| step.at(iterate.iteration - 1)) {
                assert!((norm(&iterate.displacement) - length).abs() < 1e-12, "{name}");
            }
        }
    }
    let normalised = Some(STEP);
    check("N-MPG", normalised, |x| MomentumPolicyGradient::new(x, STEP, NO_MOMENTUM, true));
    check("N-PG-IGT", normalised, |x| NPgIgt::new(x, STEP, NO_MOMENTUM));
    check("N-HARPG", normalised, |x| Harpg::new(x, STEP, NO_MOMENTUM, true, Seed::new(3)));
    check("HARPG", None, |x| Harpg::new(x, STEP, NO_MOMENTUM, false, Seed::new(3)));
    let storm = storm_pg::Config {
        step_size: STEP,
        momentum: NO_MOMENTUM,
        normalised: true,
        first_batch: 1,
        ..storm_pg::Config::default()
    };
    check("STORM-PG", normalised, |x| StormPg::new(x, &storm));
    // Methods with two loops have no momentum; they start afresh in every iteration.
    let srvr = srvr_pg::Config {
        step_size: STEP,
        normalised: true,
        epoch: 1,
        reference_batch: 1,
        ..srvr_pg::Config::default()
    };
    check("SRVR-PG", normalised, |x| SrvrPg::new(x, &srvr));
    let hapg = hapg::Config {
        step_size: STEP,
        normalised: true,
        epoch: 1,
        reference_batch: 1,
        ..hapg::Config::default()
    };
    check("HAPG", normalised, |x| Hapg::new(x, &hapg, Seed::new(3)));
    let is_mbpg = is_mbpg::Config { least_momentum: 1.0, ..is_mbpg::Config::default() };
    check("IS-MBPG", None, |x| IsMbpg::new(x, &is_mbpg));
}

/// On a quadratic objective the look-ahead makes up for the old gradients exactly:
/// d_t = (1 − η)∇J(θ_{t−1}) + η ∇J(θ̃_t) = ∇J(θ_t), since the gradient is linear.
#[test]
fn implicit_transport_is_exact_for_a_quadratic_objective_and_plain_momentum_is_not() {
    let slopes = [-1.0, -0.3, -2.0];
    let gradient = |x: &[f64]| -> Vec<f64> { x.iter().zip(slopes).map(|(x, s)| s * (x - 1.0)).collect() };
    let run = |transport: bool| {
        let mut iterate = Iterate::new(vec![0.0, 3.0, -2.0]);
        let mut worst = 0.0_f64;
        let mut look_ahead = vec![0.0; 3];
        for t in 0..200 {
            let eta = Momentum::power(0.8).at(t);
            iterate.extrapolate(if transport { (1.0 - eta) / eta } else { 0.0 }, &mut look_ahead);
            let newest = gradient(&look_ahead);
            for (d, g) in iterate.direction.iter_mut().zip(&newest) {
                *d = (1.0 - eta) * *d + eta * g;
            }
            worst = worst.max(distance(&iterate.direction, &gradient(&iterate.parameters)));
            iterate.ascend(StepSize { scale: 1.0, offset: 2.0, exponent: 1.0 }.at(t), true);
        }
        worst
    };
    assert!(run(true) < 1e-12);
    assert!(run(false) > 0.1);
}

/// Mean over seeds of ‖d_t − ∇J_H(θ_t)‖ around some iterations, and of the gap to the best
/// stationary deterministic policy in the end.
fn errors<M: Method>(times: &[u64], make: impl Fn(Vec<f64>, Seed) -> M) -> (Vec<f64>, f64) {
    const SEEDS: u64 = 8;
    const HORIZON: usize = 5;
    const AROUND: u64 = 50;
    let mdp = mdp(0).with_horizon(HORIZON).unwrap();
    let worth = |policy: &Array2<f64>| {
        let staged = policy.broadcast((HORIZON, STATES, ACTIONS)).unwrap().to_owned();
        let staged: Array3<f64> = staged;
        evaluate_horizon(&mdp, &staged, DISCOUNT).unwrap().expected_return(&mdp)
    };
    let best = (0..ACTIONS.pow(STATES as u32))
        .map(|code| {
            worth(&Array2::from_shape_fn((STATES, ACTIONS), |(s, a)| {
                if code / ACTIONS.pow(s as u32) % ACTIONS == a { 1.0 } else { 0.0 }
            }))
        })
        .fold(f64::NEG_INFINITY, f64::max);
    let (mut errors, mut gap) = (vec![0.0; times.len()], 0.0);
    for seed in (0..SEEDS).map(Seed::new) {
        let environment = Box::new(Batch::new(mdp.clone(), 1, seed).unwrap());
        let agent = agent(environment, HORIZON, seed);
        let method = make(agent.initial_parameters(), seed);
        let mut learner = PolicySearch::new(agent, method);
        for t in 0..times[times.len() - 1] {
            let before = learner.method().iterate().parameters.clone();
            learner.advance().unwrap();
            for (error, &time) in errors.iter_mut().zip(times) {
                if t < time && t + AROUND >= time {
                    let truth = horizon_policy_gradient(&mdp, &table(&before), DISCOUNT).unwrap();
                    let truth: Vec<f64> = truth.into_iter().collect();
                    let off = distance(&learner.method().iterate().direction, &truth);
                    *error += off / (SEEDS * AROUND) as f64;
                }
            }
        }
        let reached = softmax(&table(&learner.method().iterate().parameters));
        gap += (best - worth(&reached)) / SEEDS as f64;
    }
    (errors, gap)
}

#[test]
fn estimates_become_better_in_the_order_of_the_theory_and_as_fast() {
    let times = [100, 1000, 4000];
    let plain = errors(&times, |x, _| MomentumPolicyGradient::new(x, STEP, NO_MOMENTUM, true));
    let momentum = Momentum::power(2.0 / 3.0);
    let with_momentum = errors(&times, |x, _| MomentumPolicyGradient::new(x, STEP, momentum, true));
    let transported = errors(&times, |x, _| NPgIgt::new(x, STEP, Momentum::power(0.8)));
    let corrected = errors(&times, |x, seed| Harpg::new(x, STEP, Momentum::power(1.0), true, seed));
    let all = format!("{plain:?}\n{with_momentum:?}\n{transported:?}\n{corrected:?}");
    for i in 1..times.len() {
        let order = [&corrected, &transported, &with_momentum, &plain].map(|(errors, _)| errors[i]);
        assert!(order.is_sorted(), "after {}:\n{all}", times[i]);
    }
    assert!(corrected.1 < with_momentum.1 && with_momentum.1 < plain.1, "{all}");
    let slope = |errors: &[f64]| (errors[2] / errors[0]).ln() / (4000.0_f64 / 100.0).ln();
    // Without momentum the error stays what it is; the theorems have −1/3, −2/5 and −1/2.
    assert!(slope(&plain.0).abs() < 0.1, "{all}");
    assert!(slope(&corrected.0) < -0.45, "{}\n{all}", slope(&corrected.0));
    assert!(slope(&transported.0) < -0.35, "{}\n{all}", slope(&transported.0));
}
