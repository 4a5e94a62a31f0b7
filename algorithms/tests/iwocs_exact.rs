//! Tabular IWOCS: the paper's example to its digits, its theorem on rectangular sets, its properties,
//! and where it stalls.

use assay_algorithms::{
    Checkpoint, Learner, Mode,
    catalogue::{self, DeviceKind},
    iwocs::{
        meta::Stop,
        tabular::{Config, Initial, Model, TabularIwocs, find_worst, least},
    },
};
use assay_environments::{
    Actions, catalogue as environments,
    random::Seed,
    tabular::{FiniteMdp, RandomUncertainty, RectangularSet, UncertaintySet, WindyWalk},
};
use assay_theory::{
    planning::value_iteration,
    policy::greedy,
    robust::{robust_evaluation, robust_value_iteration},
};
use ndarray::Array2;

const EXACT: f64 = 1e-11;

/// The learner when its list has stopped growing.
fn run(config: Config, set: UncertaintySet, seed: u64) -> TabularIwocs {
    let mut learner = TabularIwocs::new(config, set, Seed::new(seed)).unwrap();
    while learner.list().stop().is_none() {
        learner.advance().unwrap();
    }
    learner
}

fn config(discount: f64) -> Config {
    Config { discount, planning_tolerance: EXACT, tolerance: 1e-8, ..Config::default() }
}

fn stop(learner: &TabularIwocs) -> Stop {
    learner.list().stop().unwrap()
}

fn random(rectangular: bool, states: usize, models: usize, seed: u64) -> UncertaintySet {
    RandomUncertainty { states, actions: 3, models, rectangular, seed }.build().unwrap()
}

fn above(upper: &Array2<f64>, lower: &Array2<f64>) -> bool {
    upper.iter().zip(lower).all(|(a, b)| *a >= b - 1e-9)
}

#[test]
fn the_windy_walk_has_the_values_of_the_paper_and_stops_at_the_robust_value_after_two_models() {
    let set = WindyWalk::uncertainty_set(25, 0.5).unwrap();
    let learner = run(config(0.95), set.clone(), 0);
    let list = learner.list();
    let round = |value: f64| (value * 1e5).round() / 1e5;
    // Without wind; then what that policy is worth in the strongest wind; then the robust value.
    assert_eq!(round(list.found()[0].predicted), -4.52438);
    assert_eq!(list.found()[0].model, Model::Listed(24));
    assert_eq!(round(list.found()[0].value), -10.29441);
    assert_eq!(round(list.found()[1].predicted), -7.95215);
    assert_eq!(round(list.found()[1].value), -7.95215);
    assert_eq!(list.models(), [Model::Listed(0), Model::Listed(24)]);
    assert_eq!(stop(&learner), Stop::Converged);
    assert!((list.found()[1].value - learner.hull_value()).abs() < 1e-8);

    // min_α V*_α is the same, and the best first move turns from east to south on the way.
    let UncertaintySet::Coupled(models) = set else { panic!("not a list") };
    let optima: Vec<_> = models.iter().map(|model| value_iteration(model, 0.95, EXACT).unwrap()).collect();
    let least = optima.iter().map(|optimum| optimum.values[0]).fold(f64::INFINITY, f64::min);
    assert!((least - learner.hull_value()).abs() < 1e-8);
    let moves: Vec<usize> =
        optima.iter().map(|o| o.policy.row(0).iter().position(|p| *p == 1.0).unwrap()).collect();
    let (east, south) = (2, 1);
    assert_eq!(moves, [vec![east; 18], vec![south; 7]].concat());
}

#[test]
fn the_windy_walk_reaches_the_robust_value_from_any_first_wind() {
    for seed in 0..60 {
        let config = Config { initial: Initial::Random, ..config(0.95) };
        let learner = run(config, WindyWalk::uncertainty_set(25, 0.5).unwrap(), seed);
        assert_eq!(stop(&learner), Stop::Converged, "{seed}");
        let worst = learner.list().found().last().unwrap();
        assert!((worst.value - learner.hull_value()).abs() < 1e-7, "{seed}: {worst:?}");
        assert!(learner.list().models().len() <= 2);
    }
}

#[test]
fn on_1000_random_rectangular_sets_the_robust_value_is_reached_and_the_bounds_hold_on_the_way() {
    let (mut models, mut most) = (0, 0);
    for seed in 0..1000 {
        let set = random(true, 5, 4, seed);
        let UncertaintySet::Rectangular(rectangular) = &set else { panic!("not rectangular") };
        let robust = robust_value_iteration(rectangular, 0.9, EXACT).unwrap();
        let learner = run(config(0.9), set.clone(), seed);
        assert_eq!(stop(&learner), Stop::Converged, "{seed}");
        let found = learner.list().found();
        let reached = found.last().unwrap().value;
        assert!((reached - robust.expected_return(rectangular)).abs() < 1e-7, "{seed}: {reached}");
        check_bounds(&learner, &set, &robust.action_values);
        models += found.len();
        most = most.max(found.len());
    }
    // The independent run had a mean of 2.2 and at most 4.
    let mean = models as f64 / 1000.0;
    assert!((2.0..2.5).contains(&mean) && most <= 5, "{mean}, {most}");
}

/// Q_{i+1} ≤ Q_i; Q_i ≥ Q* of the rectangular hull of the list so far ≥ Q* of the whole set's hull.
fn check_bounds(learner: &TabularIwocs, set: &UncertaintySet, robust: &Array2<f64>) {
    let solved: Vec<FiniteMdp> = learner.list().models().iter().map(|model| model.of(set).unwrap()).collect();
    let mut before: Option<Array2<f64>> = None;
    for i in 1..=learner.solutions().len() {
        let now = least(&learner.solutions()[..i]);
        if let Some(before) = before {
            assert!(above(&before, &now));
        }
        let hull = RectangularSet::hull(&solved[..i]).unwrap();
        let of_hull = robust_value_iteration(&hull, 0.9, EXACT).unwrap().action_values;
        assert!(above(&now, &of_hull));
        assert!(above(&of_hull, robust));
        before = Some(now);
    }
}

#[test]
fn a_single_model_takes_one_iteration_and_is_value_iteration() {
    for seed in 0..100 {
        for rectangular in [false, true] {
            let set = random(rectangular, 5, 1, seed);
            let learner = run(config(0.9), set.clone(), seed);
            assert_eq!((stop(&learner), learner.solutions().len()), (Stop::Converged, 1));
            let optimum = value_iteration(&set.nominal(), 0.9, EXACT).unwrap();
            assert_eq!(learner.least(), optimum.action_values);
        }
    }
}

#[test]
fn the_list_of_all_models_gives_the_pointwise_minimum_of_all_optima() {
    for seed in 0..100 {
        let UncertaintySet::Coupled(models) = random(false, 4, 6, seed) else { panic!("not a list") };
        let optima: Vec<Array2<f64>> =
            models.iter().map(|model| value_iteration(model, 0.9, EXACT).unwrap().action_values).collect();
        let all = least(&optima);
        for (s, a) in (0..4).flat_map(|s| (0..3).map(move |a| (s, a))) {
            let smallest = optima.iter().map(|q| q[[s, a]]).fold(f64::INFINITY, f64::min);
            assert_eq!(all[[s, a]], smallest);
        }
        // In any order.
        let reversed: Vec<Array2<f64>> = optima.into_iter().rev().collect();
        assert_eq!(least(&reversed), all);
    }
}

/// V^π_T of every model T and every deterministic policy of 4 states and 3 actions, by Gaussian elimination:
/// (models × policies × states). Policy n takes in state s the digit s of n in base 3.
fn all_values(models: &[FiniteMdp], discount: f64) -> Vec<Vec<[f64; 4]>> {
    let of_model = |model: &FiniteMdp| (0..81).map(|policy| solve(model, policy, discount)).collect();
    models.iter().map(of_model).collect()
}

fn action(policy: usize, state: usize) -> usize {
    policy / 3_usize.pow(state as u32) % 3
}

/// V = (I − γ P_π)⁻¹ r_π.
fn solve(model: &FiniteMdp, policy: usize, discount: f64) -> [f64; 4] {
    let mut system = [[0.0; 5]; 4];
    for (state, row) in system.iter_mut().enumerate() {
        row[state] = 1.0;
        for t in model.transitions(0, state, action(policy, state)) {
            row[t.next] -= discount * t.probability;
            row[4] += t.probability * t.reward;
        }
    }
    // I − γ P is diagonally dominant: no pivoting is needed.
    for pivot in 0..4 {
        for row in (0..4).filter(|row| *row != pivot) {
            let factor = system[row][pivot] / system[pivot][pivot];
            let of_pivot = system[pivot];
            system[row].iter_mut().zip(of_pivot).for_each(|(x, y)| *x -= factor * y);
        }
    }
    std::array::from_fn(|state| system[state][4] / system[state][state])
}

/// What the paper's loop does on a list of models, from nothing but the values of all policies: the index
/// of the last policy found and whether the loop stalled.
fn enumerated(models: &[FiniteMdp], values: &[Vec<[f64; 4]>], discount: f64) -> (usize, bool) {
    let optimal_action_value = |model: usize, state: usize, action: usize| -> f64 {
        let best = |next: usize| values[model].iter().map(|v| v[next]).fold(f64::NEG_INFINITY, f64::max);
        let of = models[model].transitions(0, state, action);
        of.iter().map(|t| t.probability * (t.reward + discount * best(t.next))).sum()
    };
    let mut list = vec![0];
    loop {
        let least = |state: usize, action: usize| {
            list.iter().map(|m| optimal_action_value(*m, state, action)).fold(f64::INFINITY, f64::min)
        };
        let best = |state: usize| (0..3).map(|a| (a, least(state, a))).max_by(|x, y| x.1.total_cmp(&y.1));
        let policy = (0..4).map(|s| best(s).unwrap().0 * 3_usize.pow(s as u32)).sum::<usize>();
        let worst = (0..models.len()).min_by(|x, y| values[*x][policy][0].total_cmp(&values[*y][policy][0]));
        let worst = worst.unwrap();
        if (values[worst][policy][0] - best(0).unwrap().1).abs() <= 1e-8 {
            return (policy, false);
        }
        if list.contains(&worst) {
            return (policy, true);
        }
        list.push(worst);
    }
}

#[test]
fn on_coupled_sets_it_stalls_exactly_where_enumeration_says_so_which_is_detected_and_told() {
    let (mut stalled, mut best) = (0, 0);
    for seed in 0..200 {
        let set = random(false, 4, 6, seed);
        let UncertaintySet::Coupled(models) = &set else { panic!("not a list") };
        let values = all_values(models, 0.9);
        let worst_value = |policy: usize| values.iter().map(|v| v[policy][0]).fold(f64::INFINITY, f64::min);
        let (policy, stalls) = enumerated(models, &values, 0.9);

        let learner = run(config(0.9), set.clone(), seed);
        let last = learner.list().found().last().unwrap();
        assert!((last.value - worst_value(policy)).abs() < 1e-8, "{seed}");
        match stop(&learner) {
            Stop::Stalled { known } => {
                assert!(stalls, "{seed}");
                assert_eq!(learner.list().models()[known], last.model);
                assert!(last.gap() > 1e-8);
                // Solving the model once more would change nothing: the loop would go on for ever.
                let mut solutions = learner.solutions().to_vec();
                solutions.push(solutions[known].clone());
                assert_eq!(find_worst(&set, &least(&solutions), 0.9).unwrap(), *last);
            }
            Stop::Converged => assert!(!stalls, "{seed}"),
            Stop::Exhausted => panic!("{seed}: more iterations than models"),
        }
        // No policy is worth more in its worst model than that model's optimum.
        let optimum = |v: &Vec<[f64; 4]>| v.iter().map(|v| v[0]).fold(f64::NEG_INFINITY, f64::max);
        assert!(last.value <= values.iter().map(optimum).fold(f64::INFINITY, f64::min) + 1e-8);
        // Whether it is the best deterministic policy, if not at a stall then by the min-max theorem.
        let max_min = (0..81).map(worst_value).fold(f64::NEG_INFINITY, f64::max);
        assert!(last.value <= max_min + 1e-9);
        let is_best = last.value >= max_min - 1e-9;
        assert!(stalls || is_best, "{seed}: it converged to less than the best");
        (stalled, best) = (stalled + usize::from(stalls), best + usize::from(is_best));
    }
    println!(
        "of 200 coupled sets it stalled on {stalled}, and found the best deterministic policy of {best}"
    );
    // Both ends are seen, and a stall may be at the best policy or not.
    assert!((1..200).contains(&stalled) && best > 200 - stalled && best < 200);
}

#[test]
fn the_worst_model_of_a_rectangular_set_is_that_of_robust_evaluation() {
    for seed in 0..50 {
        let set = random(true, 5, 4, seed);
        let UncertaintySet::Rectangular(rectangular) = &set else { panic!("not rectangular") };
        let q = value_iteration(&set.nominal(), 0.9, EXACT).unwrap().action_values;
        let worst = find_worst(&set, &q, 0.9).unwrap();
        let evaluation = robust_evaluation(rectangular, &greedy(&q), 0.9).unwrap();
        assert_eq!(worst.value, evaluation.expected_return(rectangular));
        assert!((worst.predicted - q.row(0).iter().copied().fold(f64::MIN, f64::max)).abs() < 1e-12);
        assert!(worst.value <= worst.predicted + 1e-9);
    }
}

#[test]
fn planning_costs_fewer_backups_than_robust_value_iteration_once_there_are_more_alternatives_than_models() {
    // Robust value iteration reads every alternative in every iteration, here 25 of them; two models are
    // solved.
    let set = WindyWalk::uncertainty_set(25, 0.5).unwrap();
    let learner = run(config(0.95), set.clone(), 0);
    let hull = set.hull().unwrap();
    let robust = robust_value_iteration(&hull, 0.95, EXACT).unwrap();
    let reads = (robust.iterations * hull.rows()) as u64;
    assert!(learner.backups() < reads, "{} {reads}", learner.backups());
}

// The contract of a learner.

fn named(environment: &str, parameters: &str, seed: u64) -> Box<dyn Learner> {
    let environment = environments::make(environment, &toml::Table::new(), 1, Seed::new(seed)).unwrap();
    let parameters = parameters.parse().unwrap();
    catalogue::make("iwocs-tabular", &parameters, environment, Seed::new(seed), DeviceKind::Cpu).unwrap()
}

#[test]
fn saved_loaded_and_continued_is_the_uninterrupted_run() {
    for environment in ["WindyWalk", "RandomUncertainty"] {
        for before in 0..4 {
            let mut learner = named(environment, "initial = \"random\"", 3);
            (0..before).for_each(|_| drop(learner.advance().unwrap()));
            let saved = |learner: &dyn Learner| {
                let mut checkpoint = Checkpoint::new();
                learner.save(&mut checkpoint).unwrap();
                checkpoint.to_bytes("iwocs-tabular").unwrap()
            };
            let bytes = saved(&*learner);
            let mut other = named(environment, "initial = \"random\"", 3);
            other.load(&Checkpoint::from_bytes(&bytes, "iwocs-tabular").unwrap()).unwrap();
            for _ in 0..3 {
                assert_eq!(learner.advance().unwrap(), other.advance().unwrap());
                assert_eq!(saved(&*learner), saved(&*other));
            }
        }
    }
}

#[test]
fn it_acts_on_the_least_of_its_solutions_and_reports_why_it_stopped() {
    let mut learner = named("WindyWalk", "", 0);
    let metric = |learner: &mut dyn Learner, name: &str| {
        learner.advance().unwrap().metrics.into_iter().find(|(known, _)| *known == name).unwrap().1
    };
    assert_eq!(metric(&mut *learner, "converged"), 0.0);
    assert_eq!(metric(&mut *learner, "converged"), 1.0);
    let steps = learner.steps();
    assert_eq!(metric(&mut *learner, "stalled"), 0.0);
    assert_eq!(learner.steps(), steps + 36 * 4);
    let mut start = [0.0; 36];
    start[0] = 1.0;
    let mut actions = Actions::Discrete(vec![0]);
    learner.act(&start, Mode::Greedy, &mut Seed::new(0).stream("act"), &mut actions).unwrap();
    // South, where the wind is weaker.
    assert_eq!(actions, Actions::Discrete(vec![1]));
}

#[test]
fn what_does_not_fit_is_named() {
    let environment = environments::make("CartPole-v1", &toml::Table::new(), 1, Seed::new(0)).unwrap();
    let learner =
        catalogue::make("iwocs-tabular", &toml::Table::new(), environment, Seed::new(0), DeviceKind::Cpu);
    assert!(learner.err().unwrap().to_string().contains("an uncertainty set of finite processes"));
    let message = |parameters: &str| {
        let entry = catalogue::find("iwocs-tabular").unwrap();
        entry.resolve(&parameters.parse().unwrap()).unwrap_err().to_string()
    };
    assert!(message("discount = 1.0").contains("`discount` is 1"));
    assert!(message("tolerance = -1.0").contains("`tolerance` is -1"));
    assert!(message("planning_tolerance = 0.0").contains("`planning_tolerance` is 0"));
    assert!(message("initial = \"frist\"").contains("unknown initial `frist`"));
    let mut checkpoint = Checkpoint::new();
    named("WindyWalk", "", 0).save(&mut checkpoint).unwrap();
    let error = named("RandomUncertainty", "", 0).load(&checkpoint).unwrap_err().to_string();
    assert!(error.contains("not those of this problem"), "{error}");
}
