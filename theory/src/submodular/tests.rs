use assay_environments::{
    random::{Seed, Stream},
    submodular::{
        Coverage, Exploration, GridCoverage, Modular, Moves, SetFunction, Trap, VisitedSet, Weights,
    },
};
use ndarray::Array3;
use rand::{Rng, seq::index};

use super::*;

/// Coverage of 15 weighted elements by random regions of `states` states.
fn random_coverage(states: usize, rng: &mut Stream) -> Coverage {
    let weights = (0..15).map(|_| rng.random_range(0.0..1.0)).collect();
    let regions: Vec<Vec<usize>> = (0..states)
        .map(|_| {
            let count = rng.random_range(1..6);
            index::sample(rng, 15, count).into_vec()
        })
        .collect();
    Coverage::new(&regions, weights).unwrap()
}

/// A grid of `side` × `side` cells with random coverage, from the middle.
fn random_grid(side: usize, horizon: usize, noise: f64, seed: u64) -> Exploration<Coverage> {
    let mut rng = Seed::new(seed).stream("grid");
    let cells = side * side;
    let moves = Moves::grid(side, side, vec![false; cells]).unwrap().with_noise(noise).unwrap();
    Exploration::new(moves, random_coverage(cells, &mut rng), cells / 2, horizon).unwrap()
}

fn random_policy(problem: &dyn Submodular, rng: &mut Stream) -> Array3<f64> {
    let shape = (problem.horizon(), problem.moves().places(), problem.moves().actions());
    softmax(&Array3::from_shape_simple_fn(shape, || rng.random_range(-3.0..3.0)))
}

/// The largest value of all action sequences.
fn brute_force(problem: &dyn Submodular) -> f64 {
    let actions = problem.moves().actions();
    let sequences = actions.pow(problem.horizon() as u32);
    let value = |mut code: usize| {
        let mut path = vec![problem.start()];
        for h in 0..problem.horizon() {
            path.push(problem.moves().next(path[h], code % actions));
            code /= actions;
        }
        problem.set_function().value(&path)
    };
    (0..sequences).map(value).fold(0.0, f64::max)
}

#[test]
fn branch_and_bound_finds_the_optimum_of_exhaustive_search() {
    for seed in 0..30 {
        let problem = random_grid(3, 5, 0.0, seed);
        let (greedy, beam) = (greedy_plan(&problem).unwrap(), beam_plan(&problem, 3).unwrap());
        let best = optimal_plan(&problem, 1_000_000).unwrap();
        let exhaustive = brute_force(&problem);
        assert!((best.value - exhaustive).abs() < 1e-12, "{seed}: {} and {exhaustive}", best.value);
        assert!((optimal_value(&problem) - exhaustive).abs() < 1e-12, "{seed}");
        for plan in [&greedy, &beam, &best] {
            assert!((plan.value - problem.function().value(&plan.path)).abs() < 1e-12);
            assert!(plan.value <= exhaustive + 1e-12);
            let moves = problem.moves();
            assert!((0..5).all(|h| moves.next(plan.path[h], plan.actions[h]) == plan.path[h + 1]));
        }
    }
}

#[test]
fn discs_on_a_grid_are_covered_optimally_without_an_exhaustive_search() {
    let grid = GridCoverage {
        rows: 6,
        columns: 6,
        start: 14,
        horizon: 8,
        weights: Weights::GaussianProcess,
        ..GridCoverage::default()
    };
    let problem = grid.build().unwrap();
    let best = optimal_plan(&problem, 200_000).unwrap();
    let narrow = beam_plan(&problem, 1).unwrap();
    assert!(narrow.value < best.value, "the best plan needs more than one step of sight");
}

#[test]
fn a_limit_that_does_not_suffice_is_an_error_with_the_gap() {
    let problem = random_grid(4, 8, 0.0, 0);
    let error = optimal_plan(&problem, 3).unwrap_err();
    assert!(
        matches!(error, Error::NoConvergence { iterations: 4, residual, .. } if residual > 0.0),
        "{error}"
    );
    let error = optimal_set(problem.function(), &[0], 5, 2).unwrap_err();
    assert!(matches!(error, Error::NoConvergence { residual, .. } if residual > 0.0), "{error}");
}

#[test]
fn plans_need_reliable_moves() {
    let problem = random_grid(3, 3, 0.1, 0);
    for error in [
        greedy_plan(&problem).unwrap_err(),
        beam_plan(&problem, 3).unwrap_err(),
        optimal_plan(&problem, 10).unwrap_err(),
    ] {
        assert!(matches!(error, Error::Unreliable { noise: 0.1, .. }), "{error}");
    }
}

#[test]
fn no_markovian_policy_is_worth_more_than_the_best_history_dependent_one() {
    for (seed, noise) in [(0, 0.0), (1, 0.2), (2, 0.5)] {
        let problem = random_grid(3, 4, noise, seed);
        let best = optimal_value(&problem);
        let mut rng = Seed::new(seed).stream("policies");
        for _ in 0..20 {
            let value = expected_value(&problem, &random_policy(&problem, &mut rng)).unwrap();
            assert!(value <= best + 1e-12, "{value} and {best}");
        }
    }
}

#[test]
fn expected_gains_agree_with_episodes() {
    use assay_environments::{Action, Environment};
    let mut problem = random_grid(3, 4, 0.3, 7);
    let mut rng = Seed::new(7).stream("policy");
    let policy = random_policy(&problem, &mut rng);
    let expected = expected_gains(&problem, &policy).unwrap();
    let episodes = 40_000;
    let mut sums = [0.0; 4];
    let mut squares = [0.0; 4];
    for _ in 0..episodes {
        problem.reset(&mut rng, &mut [0.0; 3]).unwrap();
        for (h, (sum, square)) in sums.iter_mut().zip(&mut squares).enumerate() {
            let place = problem.path()[h];
            let mut left: f64 = rng.random();
            let action = (0..5).find(|&a| {
                left -= policy[[h, place, a]];
                left < 0.0
            });
            let action = Action::Discrete(action.unwrap_or(4));
            let reward = problem.step(action, &mut rng, &mut [0.0; 3]).unwrap().reward;
            *sum += reward;
            *square += reward * reward;
        }
    }
    for ((sum, square), expected) in sums.iter().zip(&squares).zip(&expected) {
        let mean = sum / f64::from(episodes);
        let error = ((square / f64::from(episodes) - mean * mean) / f64::from(episodes)).sqrt();
        assert!((mean - expected).abs() < 4.0 * error + 1e-12, "{mean} and {expected}");
    }
}

#[test]
fn a_policy_of_another_shape_is_an_error() {
    let problem = random_grid(3, 4, 0.0, 0);
    let error = expected_value(&problem, &Array3::zeros((3, 9, 5))).unwrap_err();
    assert!(matches!(error, Error::Shape { what: "policy", .. }), "{error}");
}

#[test]
fn one_step_of_sight_falls_into_the_trap() {
    let trap = Trap::default().build().unwrap();
    assert_eq!(greedy_plan(&trap).unwrap().value, 4.0);
    assert_eq!(optimal_plan(&trap, 1000).unwrap().value, 1000.0);
}

#[test]
fn the_best_set_is_that_of_exhaustive_search_and_greedy_has_its_share_of_it() {
    for seed in 0..40 {
        let mut rng = Seed::new(seed).stream("sets");
        let function = random_coverage(12, &mut rng);
        let (start, count) = (rng.random_range(0..12), rng.random_range(1..=4));
        let (set, value) = optimal_set(&function, &[start], count, 1_000_000).unwrap();
        assert!((function.value(&set) - value).abs() < 1e-12 && set.len() <= count + 1);
        let subsets = (0..1usize << 12).filter(|subset| subset.count_ones() as usize <= count);
        let members = |subset: usize| (0..12).filter(move |state| subset >> state & 1 == 1);
        let exhaustive = subsets
            .map(|subset| function.value(&members(subset).chain([start]).collect::<Vec<_>>()))
            .fold(0.0, f64::max);
        assert!((value - exhaustive).abs() < 1e-12, "{seed}: {value} and {exhaustive}");

        // Nemhauser, Wolsey and Fisher 1978, on what is left to gain after the start.
        let moves = Moves::free(vec![[0.0; 2]; 12]).unwrap();
        let problem = Exploration::new(moves, function.clone(), start, count).unwrap();
        let initial = function.value(&[start]);
        let greedy = greedy_plan(&problem).unwrap().value - initial;
        assert!(greedy >= (1.0 - (-1f64).exp()) * (exhaustive - initial) - 1e-12, "{seed}");
        let plan = optimal_plan(&problem, 1_000_000).unwrap();
        assert!((plan.value - exhaustive).abs() < 1e-12 && plan.path.len() == count + 1);
        assert!((function.value(&plan.path) - exhaustive).abs() < 1e-12);
    }
}

#[test]
fn curvature_is_zero_for_additive_values_and_one_for_copies() {
    let modular = Modular::new(vec![1.0, 0.0, 3.0]).unwrap();
    assert_eq!(curvature(&modular), 0.0);
    let copies = Coverage::new(&[vec![0], vec![0], vec![1]], vec![1.0, 1.0]).unwrap();
    assert_eq!(curvature(&copies), 1.0);
    // State 0 covers 1 + 2, of which the 2 is shared with state 1.
    let shared = Coverage::new(&[vec![0, 1], vec![1, 2]], vec![1.0, 2.0, 6.0]).unwrap();
    assert!((curvature(&shared) - 2.0 / 3.0).abs() < 1e-15);
    assert_eq!(curvature(&Modular::new(vec![0.0]).unwrap()), 0.0);
}

/// F(s|A) ≥ (1 − c) F({s}) is what curvature means.
#[test]
fn gains_are_at_least_one_minus_curvature_of_single_values() {
    for seed in 0..20 {
        let mut rng = Seed::new(seed).stream("curvature");
        let function = random_coverage(8, &mut rng);
        let c = curvature(&function);
        assert!((0.0..=1.0).contains(&c));
        for _ in 0..200 {
            let mut set = VisitedSet::new(&function, 8);
            for state in index::sample(&mut rng, 8, 5) {
                let gain = set.add(&function, state);
                assert!(gain >= (1.0 - c) * function.value(&[state]) - 1e-12);
            }
        }
    }
}
