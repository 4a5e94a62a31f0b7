use rand::{Rng, seq::index};

use super::*;
use crate::{
    Action, Environment, conformance,
    random::{Seed, Stream},
};

/// One set function of every kind, small and random enough for properties to be able to fail.
fn functions() -> Vec<(&'static str, Box<dyn SetFunction>)> {
    let mut rng = Seed::new(3).stream("functions");
    let weights: Vec<f64> = (0..20).map(|_| rng.random_range(0.0..2.0)).collect();
    let mut subset = |most: usize| {
        let count = rng.random_range(0..=most);
        index::sample(&mut rng, 20, count).into_vec()
    };
    let regions: Vec<Vec<usize>> = (0..12).map(|_| subset(6)).collect();
    let groups: Vec<Option<usize>> = (0..12).map(|state| (state % 4 < 3).then_some(state % 4)).collect();
    let grid = GridCoverage { rows: 4, columns: 4, start: 0, ..GridCoverage::default() };
    let path = InformativePath { rows: 4, columns: 4, start: 0, ..InformativePath::default() };
    let design = ExperimentDesign { side: 4, start: 0, ..ExperimentDesign::default() };
    let graph = GraphExploration { nodes: 15, ..GraphExploration::default() };
    vec![
        ("random coverage", Box::new(Coverage::new(&regions, weights.clone()).unwrap())),
        ("discs", Box::new(grid.build().unwrap().function().clone())),
        ("graph", Box::new(graph.build().unwrap().function().clone())),
        ("items", Box::new(ItemCollection::new(&groups, &[1, 2, 9]).unwrap())),
        ("path", Box::new(path.build().unwrap().function().clone())),
        ("design", Box::new(design.build().unwrap().function().clone())),
        ("modular", Box::new(Modular::new(weights[..12].to_vec()).unwrap())),
    ]
}

fn random_set(states: usize, rng: &mut Stream) -> Vec<usize> {
    let count = rng.random_range(0..=states);
    index::sample(rng, states, count).into_vec()
}

#[test]
fn set_functions_are_monotone_submodular_and_zero_for_the_empty_set() {
    for (name, function) in functions() {
        let mut rng = Seed::new(0).stream(name);
        assert_eq!(function.value(&[]), 0.0, "{name}");
        for _ in 0..10_000 {
            let large = random_set(function.states(), &mut rng);
            let small = &large[..rng.random_range(0..=large.len())];
            let state = rng.random_range(0..function.states());
            let gain = |set: &[usize]| {
                let with: Vec<usize> = set.iter().copied().chain([state]).collect();
                function.value(&with) - function.value(set)
            };
            let tolerance = 1e-9 * (1.0 + function.value(&large));
            assert!(function.value(small) <= function.value(&large) + tolerance, "{name}: not monotone");
            let (early, late) = (gain(small), gain(&large));
            assert!(late >= -tolerance, "{name}: a gain of {late}");
            assert!(early >= late - tolerance, "{name}: {early} given {small:?}, {late} given {large:?}");
        }
    }
}

#[test]
fn increments_are_the_differences_of_the_definition() {
    for (name, function) in functions() {
        let mut rng = Seed::new(1).stream(name);
        let mut set = VisitedSet::new(&*function, function.states());
        for _ in 0..300 {
            set.clear();
            let mut path: Vec<usize> = Vec::new();
            for _ in 0..2 * function.states() {
                let state = rng.random_range(0..function.states());
                let before = function.value(&path);
                let probe = rng.random_range(0..function.states());
                let expected = function.value(&[path.clone(), vec![probe]].concat()) - before;
                let tolerance = 1e-9 * (1.0 + before);
                let gain = set.gain(&*function, probe);
                assert!((gain - expected).abs() < tolerance, "{name}: {gain}, not {expected}");
                path.push(state);
                let revisit = set.contains(state);
                let gain = set.add(&*function, state);
                assert!(!revisit || gain == 0.0, "{name}: a revisit gains {gain}");
                assert!((gain - (function.value(&path) - before)).abs() < tolerance, "{name}");
                assert!((set.value() - function.value(&path)).abs() < tolerance, "{name}");
            }
            assert_eq!(set.members().len(), set.indicator().iter().filter(|in_it| **in_it).count());
        }
    }
}

#[test]
fn single_values_are_those_of_sets_of_one() {
    for (name, function) in functions() {
        for (state, single) in singles(&*function).into_iter().enumerate() {
            assert!((single - function.value(&[state])).abs() < 1e-12 * (1.0 + single), "{name}");
        }
    }
}

#[test]
fn what_is_no_set_function_is_refused() {
    assert!(Coverage::new(&[vec![0, 3]], vec![1.0; 3]).is_err());
    assert!(Coverage::new(&[vec![0]], vec![-1.0]).is_err());
    assert!(ItemCollection::new(&[Some(1)], &[2]).is_err());
    assert!(Modular::new(vec![f64::NAN]).is_err());
    let kernel = Kernel::Matern { lengthscale: 1.0 };
    assert!(Information::new(vec![[0.0; 2]], kernel, 0.0, &[]).is_err());
    let modular = Modular::new(vec![1.0; 3]).unwrap();
    let moves = || Moves::grid(2, 2, vec![false, true, false, false]).unwrap();
    assert!(Exploration::new(moves(), modular, 0, 3).is_err(), "three states for four places");
    let modular = Modular::new(vec![1.0; 4]).unwrap();
    assert!(Exploration::new(moves(), modular.clone(), 1, 3).is_err(), "starts in a wall");
    assert!(Exploration::new(moves(), modular, 0, 0).is_err(), "no steps");
}

#[test]
fn every_variant_keeps_the_contract() {
    for observation in [Observation::Place, Observation::History] {
        for reward in [Reward::Gain, Reward::Modular] {
            let (rows, columns, start, horizon, action_noise) = (5, 6, 7, 9, 0.2);
            let coverage = GridCoverage {
                rows,
                columns,
                start,
                horizon,
                action_noise,
                weights: Weights::GaussianProcess,
                observation,
                reward,
                ..GridCoverage::default()
            };
            conformance::check(&coverage.build().unwrap()).unwrap();
            let path = InformativePath {
                rows,
                columns,
                start,
                horizon,
                action_noise,
                observation,
                reward,
                ..InformativePath::default()
            };
            conformance::check(&path.build().unwrap()).unwrap();
            let graph = GraphExploration {
                nodes: 9,
                action_noise,
                observation,
                reward,
                ..GraphExploration::default()
            };
            conformance::check(&graph.build().unwrap()).unwrap();
        }
    }
}

/// Plays random actions and calls `check` after each step with the environment, the reward, the return
/// so far and the features of the observation.
fn play<F>(
    environment: &mut Exploration<F>,
    episodes: usize,
    mut check: impl FnMut(&Exploration<F>, f64, &[f32]),
) where
    Exploration<F>: Environment,
    F: SetFunction,
{
    let mut rng = Seed::new(5).stream("environment");
    let space = environment.observation_space();
    let mut raw = vec![0.0; space.width()];
    let mut features = vec![0.0; space.features()];
    for _ in 0..episodes {
        environment.reset(&mut rng, &mut raw).unwrap();
        let mut total = 0.0;
        loop {
            let action = rng.random_range(0..environment.moves().actions());
            let outcome = environment.step(Action::Discrete(action), &mut rng, &mut raw).unwrap();
            total += outcome.reward;
            space.encode(&raw, &mut features);
            check(environment, total, &features);
            if outcome.terminated {
                break;
            }
        }
    }
}

#[test]
fn the_return_is_the_value_of_the_path_and_an_observation_tells_step_and_place() {
    for observation in [Observation::Place, Observation::History] {
        let coverage = GridCoverage {
            rows: 4,
            columns: 3,
            start: 2,
            horizon: 8,
            observation,
            ..GridCoverage::default()
        };
        let mut environment = coverage.build().unwrap();
        assert_eq!(environment.observes_history(), observation == Observation::History);
        play(&mut environment, 50, |environment, total, features| {
            let path = environment.path();
            assert_eq!(total, environment.function().value(path));
            assert_eq!(environment.observed(features), Some((path.len() - 1, path[path.len() - 1])));
            if environment.observes_history() {
                let visited = &features[features.len() - 12..];
                assert!((0..12).all(|place| (visited[place] == 1.0) == path.contains(&place)));
            }
        });
    }
    let design = ExperimentDesign { side: 3, start: 4, ..ExperimentDesign::default() };
    play(&mut design.build().unwrap(), 50, |environment, total, features| {
        let path = environment.path();
        assert!((total - environment.function().value(path)).abs() < 1e-9);
        assert_eq!(environment.observed(features), Some((path.len() - 1, path[path.len() - 1])));
    });
}

#[test]
fn the_modular_reward_pays_for_a_place_at_every_visit() {
    let items = ItemGrid {
        rows: 2,
        columns: 2,
        items: vec![2],
        quotas: vec![1],
        start: 0,
        horizon: 6,
        reward: Reward::Modular,
        ..ItemGrid::default()
    };
    play(&mut items.build().unwrap(), 20, |environment, total, _| {
        let singles = singles(environment.function());
        assert_eq!(total, environment.path().iter().map(|&place| singles[place]).sum::<f64>());
    });
}

#[test]
fn discs_cover_what_they_should() {
    let region = |disc, radius, start: usize| {
        let grid = GridCoverage { rows: 4, columns: 5, start: 0, disc, radius, ..GridCoverage::default() };
        grid.build().unwrap().function().region(start).to_vec()
    };
    assert_eq!(region(Disc::Centred, 1.0, 6), [1, 5, 6, 7, 11]);
    assert_eq!(region(Disc::Centred, 1.5, 0), [0, 1, 5, 6]);
    assert_eq!(region(Disc::Centred, 0.0, 7), [7]);
    assert_eq!(region(Disc::Block, 1.0, 6), [6, 7, 11, 12]);
    assert_eq!(region(Disc::Block, 1.0, 19), [19]);
    assert_eq!(region(Disc::LargeBlock, 1.0, 6), [6, 7, 8, 11, 12, 13, 16, 17, 18]);
}

#[test]
fn weights_are_those_of_the_paper() {
    let weights = |weights, instance| {
        let grid =
            GridCoverage { rows: 9, columns: 9, weights, instance, start: 0, ..GridCoverage::default() };
        grid.build().unwrap().function().weights().to_vec()
    };
    let bimodal = weights(Weights::Bimodal, 0);
    assert_eq!(bimodal[40], 0.5);
    assert!((bimodal[0] - 1.0 / (1.0 + (-1f64).exp())).abs() < 1e-15 && bimodal[0] == bimodal[80]);
    let drawn = weights(Weights::GaussianProcess, 0);
    assert_eq!(drawn, weights(Weights::GaussianProcess, 0));
    assert_ne!(drawn, weights(Weights::GaussianProcess, 1));
    assert!(drawn.iter().all(|weight| (0.0..9.0).contains(weight)), "{drawn:?}");
    let neighbours = drawn.windows(2).map(|pair| (pair[0] - pair[1]).abs()).fold(0.0, f64::max);
    assert!(neighbours < 3.0 && drawn.iter().any(|weight| (weight - drawn[0]).abs() > 0.05));
}

/// Draws with the kernel's covariance: three points, 20,000 draws, four standard errors.
#[test]
fn draws_of_the_process_have_its_covariance() {
    let (points, zero, noise) = ([[1.0, 1.0], [1.0, 1.5], [3.0, 2.0]], [1.2, 1.0], 1e-3);
    let kernel = Kernel::Matern { lengthscale: 1.0 };
    let mut rng = Seed::new(0).stream("draws");
    let draws = 20_000;
    let mut sums = [[0.0; 3]; 3];
    for _ in 0..draws {
        let draw = gaussian_process::draw(kernel, &points, zero, noise, &mut rng).unwrap();
        for (i, row) in sums.iter_mut().enumerate() {
            for (j, sum) in row.iter_mut().enumerate() {
                *sum += draw[i] * draw[j];
            }
        }
    }
    for i in 0..3 {
        for j in 0..3 {
            let k = |a, b| kernel.covariance(a, b);
            let expected =
                k(points[i], points[j]) - k(points[i], zero) * k(points[j], zero) / (k(zero, zero) + noise);
            let error = (sums[i][j] / f64::from(draws) - expected).abs();
            assert!(error < 4.0 * (2.0 / f64::from(draws)).sqrt(), "{i} {j}: {error}");
        }
    }
}

#[test]
fn earlier_measurements_leave_the_posterior_covariance() {
    let kernel = Kernel::Matern { lengthscale: 0.7 };
    let (points, noise) = (vec![[0.0, 0.0], [0.3, 0.1], [1.0, 2.0]], 0.05);
    let measured = [[0.1, 0.2], [0.9, 1.5]];
    let posterior = Information::new(points.clone(), kernel, noise, &measured).unwrap();
    // The information of measuring more is the information of all less that of what was there.
    let all: Vec<[f64; 2]> = points.iter().chain(&measured).copied().collect();
    let prior = Information::new(all, kernel, noise, &[]).unwrap();
    let expected = prior.value(&[0, 1, 2, 3, 4]) - prior.value(&[3, 4]);
    assert!((posterior.value(&[0, 1, 2]) - expected).abs() < 1e-10);
}

#[test]
fn the_rooms_are_joined_by_a_corridor_of_two_rows() {
    let environment = RoomExploration::default().build().unwrap();
    let moves = environment.moves();
    let open: usize = (0..98).filter(|&cell| moves.is_open(cell)).count();
    assert_eq!(open, 2 * 28 + 12);
    assert_eq!(environment.start(), 2 * 14 + 6);
    assert_eq!(moves.next(34, action::UP), 34);
    assert_eq!(moves.next(34, action::DOWN), 48);
    assert_eq!(moves.next(48, action::DOWN), 48);
    assert_eq!(moves.next(2 * 14 + 9, action::RIGHT), 2 * 14 + 10);
    assert_eq!(moves.next(4 * 14 + 10, action::LEFT), 4 * 14 + 10);
    assert_eq!(environment.function().value(&(0..98).collect::<Vec<_>>()), open as f64);
}

#[test]
fn items_do_not_overlap_and_count_up_to_their_quota() {
    let environment = ItemGrid::default().build().unwrap();
    let function = environment.function();
    let count = |group| (0..105).filter(|&cell| function.group(cell) == Some(group)).count();
    assert_eq!((0..6).map(count).collect::<Vec<_>>(), [18, 14, 13, 16, 18, 14]);
    assert_eq!(function.value(&(0..105).collect::<Vec<_>>()), 21.0);
}

#[test]
fn every_node_of_a_graph_can_be_reached_and_edges_lead_both_ways() {
    for instance in 0..20 {
        let graph = GraphExploration { nodes: 40, nearest: 1, instance, ..GraphExploration::default() };
        let environment = graph.build().unwrap();
        let moves = environment.moves();
        let mut reached = [false; 40];
        let mut open = vec![0];
        while let Some(node) = open.pop() {
            if !std::mem::replace(&mut reached[node], true) {
                open.extend(moves.successors(node));
            }
            assert!(moves.successors(node).iter().all(|&next| moves.successors(next).contains(&node)));
        }
        assert!(reached.iter().all(|reached| *reached), "instance {instance}");
    }
}

#[test]
fn action_noise_replaces_the_stated_share_of_actions() {
    let design = ExperimentDesign { side: 3, start: 0, action_noise: 0.3, ..ExperimentDesign::default() };
    let environment = design.build().unwrap();
    let mut rng = Seed::new(0).stream("moves");
    let trials = 20_000;
    let kept = (0..trials).filter(|_| environment.moves().draw(0, 5, &mut rng) == 5).count();
    let expected = 0.7 + 0.3 / 9.0;
    let error = kept as f64 / f64::from(trials) - expected;
    assert!(error.abs() < 4.0 * (0.25 / f64::from(trials)).sqrt(), "{error}");
}

#[test]
fn pictures_show_map_path_and_covered_area() {
    let grid = GridCoverage { rows: 3, columns: 3, start: 4, horizon: 2, ..GridCoverage::default() };
    let mut environment = grid.build().unwrap();
    let before = environment.draw().unwrap();
    let mut rng = Seed::new(0).stream("environment");
    environment.step(Action::Discrete(action::RIGHT), &mut rng, &mut [0.0; 3]).unwrap();
    let after = environment.draw().unwrap();
    assert_ne!(before, after);
    assert_eq!(before.shapes.len(), 9 + 2);
    assert_eq!(after.shapes.len(), 9 + 3);
    for picture in [before, GraphExploration::default().build().unwrap().draw().unwrap()] {
        picture.svg(200.0).unwrap();
    }
}
