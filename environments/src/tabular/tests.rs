//! Tests of the finite decision process.

use ndarray::{Array, arr2};

use super::{
    Cell, FiniteMdp, GridWorld, Layout, RandomUncertainty, RectangularSet, Transition, UncertaintySet,
    WindyWalk,
};
use crate::{Action, Environment, Error, picture::Shape, random::Seed};

fn two_way(state: usize) -> Vec<Transition> {
    let go = |probability, next, reward| Transition { probability, next, reward };
    match state {
        0 => vec![go(0.25, 0, 1.0), go(0.5, 1, 2.0), go(0.25, 1, -2.0)],
        _ => vec![go(0.75, 0, 0.0), go(0.25, 2, 5.0)],
    }
}

/// Three states, the last one terminal; action 1 stays, action 0 is `two_way`.
fn example() -> FiniteMdp {
    FiniteMdp::new(3, 2, &[0.5, 0.5, 0.0], &[2], |state, action| match action {
        0 => two_way(state),
        _ => Transition::certain(state, -1.0),
    })
    .unwrap()
}

fn message(result: Result<FiniteMdp, Error>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn tables_read_back_as_they_were_given() {
    let mdp = example();
    assert_eq!((mdp.states(), mdp.actions(), mdp.stages(), mdp.horizon()), (3, 2, 1, None));
    assert_eq!(mdp.transitions(0, 0, 0), two_way(0));
    assert_eq!(mdp.transitions(7, 1, 0), two_way(1));
    assert_eq!(mdp.transitions(0, 2, 1), Transition::certain(2, 0.0));
    assert_eq!(mdp.rewards(0), arr2(&[[0.75, -1.0], [1.25, -1.0], [0.0, 0.0]]));
    let dense = mdp.dense_transitions(0);
    assert_eq!(dense[[0, 0, 1]], 0.75);
    assert_eq!(dense.sum_axis(ndarray::Axis(2)), Array::ones((3, 2)));
}

#[test]
fn dense_tables_give_the_same_process() {
    let mdp = example();
    let dense = mdp.dense_transitions(0);
    let read = FiniteMdp::from_arrays(dense.view(), mdp.rewards(0).view(), mdp.initial()).unwrap();
    assert_eq!(read.dense_transitions(0), dense);
    assert_eq!(read.rewards(0), mdp.rewards(0));
    let wrong = FiniteMdp::from_arrays(dense.view(), Array::zeros((3, 1)).view(), mdp.initial());
    assert!(message(wrong).contains("shape"));
}

#[test]
fn what_is_not_a_decision_process_is_an_error_that_names_the_place() {
    let with = |t: Transition| FiniteMdp::new(2, 1, &[1.0, 0.0], &[], |_, _| vec![t]);
    let fine = Transition { probability: 1.0, next: 0, reward: 0.0 };
    assert!(with(fine).is_ok());
    let m = message(with(Transition { probability: 0.9, ..fine }));
    assert!(m.contains("state 0, action 0, stage 0 sum to 0.9"), "{m}");
    assert!(message(with(Transition { probability: f64::NAN, ..fine })).contains("NaN"));
    assert!(message(with(Transition { probability: -1.0, ..fine })).contains("-1"));
    assert!(message(with(Transition { next: 2, ..fine })).contains("leads to state 2 of 2"));
    assert!(message(with(Transition { reward: f64::INFINITY, ..fine })).contains("reward of inf"));

    let loops = |states, initial: &[f64], terminal: &[usize]| {
        FiniteMdp::new(states, 1, initial, terminal, |s, _| Transition::certain(s, 0.0))
    };
    assert!(message(loops(0, &[], &[])).contains("0 states"));
    assert!(message(loops(2, &[1.0], &[])).contains("1 initial probabilities for 2 states"));
    assert!(message(loops(2, &[0.5, 0.6], &[])).contains("the initial state sum to 1.1"));
    assert!(message(loops(2, &[0.5, 0.5], &[1])).contains("state 1, which is terminal"));
    assert!(message(loops(2, &[1.0, 0.0], &[5])).contains("state 5 is terminal"));
    assert!(message(example().with_horizon(0)).contains("horizon of 0"));
    assert!(message(example().unrolled()).contains("no horizon"));
    let empty = FiniteMdp::new(1, 1, &[1.0], &[], |_, _| vec![]);
    assert!(message(empty).contains("sum to 0"));
    let layered = FiniteMdp::layered(2, 1, 1, &[1.0], |_, _, _| Transition::certain(0, 0.0)).unwrap();
    assert!(message(layered.with_horizon(3)).contains("tables of 2 stages"));
}

#[test]
fn sampling_follows_the_table() {
    let mut mdp = example();
    let mut rng = Seed::new(3).stream("environment");
    let mut observation = [f32::NAN];
    let draws = 40_000;
    let mut starts = [0u32; 3];
    let mut outcomes = [0u32; 3];
    for _ in 0..draws {
        mdp.reset(&mut rng, &mut observation).unwrap();
        starts[mdp.state()] += 1;
        mdp.set_state(0).unwrap();
        let outcome = mdp.step(Action::Discrete(0), &mut rng, &mut observation).unwrap();
        assert_eq!(observation[0] as usize, mdp.state());
        let which = two_way(0).iter().position(|t| t.reward == outcome.reward).unwrap();
        outcomes[which] += 1;
    }
    // Five standard deviations.
    let close = |count: u32, p: f64| {
        let deviation = 5.0 * (p * (1.0 - p) * f64::from(draws)).sqrt();
        (f64::from(count) - p * f64::from(draws)).abs() <= deviation
    };
    assert!(close(starts[0], 0.5) && starts[2] == 0, "{starts:?}");
    assert!(close(outcomes[0], 0.25) && close(outcomes[1], 0.5), "{outcomes:?}");
}

#[test]
fn an_episode_terminates_in_a_terminal_state_and_at_the_horizon() {
    let mut rng = Seed::new(0).stream("environment");
    let mut observation = [0.0];
    let chain = FiniteMdp::new(3, 1, &[1.0, 0.0, 0.0], &[2], |s, _| Transition::certain(s + 1, 1.0));
    let mut chain = chain.unwrap();
    chain.reset(&mut rng, &mut observation).unwrap();
    let mut step = |mdp: &mut FiniteMdp| {
        let outcome = mdp.step(Action::Discrete(0), &mut rng, &mut observation).unwrap();
        assert!(!outcome.truncated);
        (outcome.terminated, outcome.reward)
    };
    assert_eq!(step(&mut chain), (false, 1.0));
    assert_eq!(step(&mut chain), (true, 1.0));
    assert_eq!(step(&mut chain), (true, 0.0));

    let mut layered =
        FiniteMdp::layered(2, 1, 1, &[1.0], |h, _, _| Transition::certain(0, h as f64)).unwrap();
    assert_eq!(step(&mut layered), (false, 0.0));
    assert_eq!(step(&mut layered), (true, 1.0));
    layered.set_state(0).unwrap();
    assert_eq!(step(&mut layered), (false, 0.0));
}

#[test]
fn an_action_that_does_not_exist_is_an_error() {
    let mut rng = Seed::new(0).stream("environment");
    for action in [Action::Discrete(2), Action::Continuous(&[0.0])] {
        assert!(matches!(example().step(action, &mut rng, &mut [0.0]), Err(Error::ActionMismatch { .. })));
    }
    assert!(example().set_state(3).is_err());
}

#[test]
fn a_restored_process_has_the_same_bits_and_a_damaged_one_is_an_error() {
    let third = 1.0 / 3.0;
    let thirds = FiniteMdp::new(3, 1, &[third, third, third], &[], |_, _| {
        (0..3).map(|next| Transition { probability: third, next, reward: 0.1 }).collect()
    });
    let mut mdp = thirds.unwrap().with_horizon(9).unwrap();
    let mut rng = Seed::new(0).stream("environment");
    for _ in 0..3 {
        mdp.step(Action::Discrete(0), &mut rng, &mut [0.0]).unwrap();
    }
    let bytes = postcard::to_allocvec(&mdp).unwrap();
    assert_eq!(postcard::from_bytes::<FiniteMdp>(&bytes).unwrap(), mdp);
    for i in 0..bytes.len() {
        assert!(postcard::from_bytes::<FiniteMdp>(&bytes[..i]).is_err());
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[i] ^= 1 << bit;
            // Another process, or an error; never one that fails when it is used.
            if let Ok(mut other) = postcard::from_bytes::<FiniteMdp>(&damaged) {
                let _ = other.step(Action::Discrete(0), &mut rng, &mut [0.0]);
                other.reset(&mut rng, &mut [0.0]).unwrap();
            }
        }
    }
}

#[test]
fn copies_share_their_tables() {
    let mdp = example();
    assert!(std::ptr::eq(mdp.clone().transitions(0, 0, 0), mdp.transitions(0, 0, 0)));
    assert_eq!(mdp.tabular().unwrap().finite_mdp(), mdp);
}

#[test]
fn an_unrolled_process_takes_the_same_steps() {
    let mdp = FiniteMdp::layered(3, 2, 2, &[0.5, 0.5], |h, s, a| {
        let reward = (100 * h + 10 * s + a) as f64;
        (0..2).map(|next| Transition { probability: 0.5, next, reward }).collect()
    });
    let mut mdp = mdp.unwrap();
    let mut unrolled = mdp.unrolled().unwrap();
    assert_eq!((unrolled.states(), unrolled.horizon()), (7, None));
    let mut streams = [(); 2].map(|()| Seed::new(4).stream("environment"));
    for episode in 0..20 {
        mdp.reset(&mut streams[0], &mut [0.0]).unwrap();
        unrolled.reset(&mut streams[1], &mut [0.0]).unwrap();
        for step in 0..3 {
            assert_eq!(unrolled.state(), 2 * step + mdp.state());
            let action = Action::Discrete((episode + step) % 2);
            let outcome = mdp.step(action, &mut streams[0], &mut [0.0]).unwrap();
            assert_eq!(outcome, unrolled.step(action, &mut streams[1], &mut [0.0]).unwrap());
            assert_eq!(outcome.terminated, step == 2);
        }
        // The copies must draw alike to stay together: both streams are at the same place.
        assert_eq!(streams[0], streams[1]);
    }
}

#[test]
fn the_observed_step_and_state_are_the_state_of_the_unrolled_process() {
    let mdp = GridWorld::default().build().unwrap();
    assert!(message(mdp.clone().observing_step()).contains("no horizon"));
    let mut mdp = mdp.with_horizon(4).unwrap().observing_step().unwrap();
    assert_eq!(mdp.observation_space(), crate::Space::discrete(4 * 11 + 1));
    let mut unrolled = mdp.unrolled().unwrap();
    let mut streams = [(); 2].map(|()| Seed::new(5).stream("environment"));
    let (mut seen, mut expected) = ([0.0], [0.0]);
    for episode in 0..50 {
        mdp.reset(&mut streams[0], &mut seen).unwrap();
        unrolled.reset(&mut streams[1], &mut expected).unwrap();
        for step in 0.. {
            assert_eq!(seen, expected);
            let action = Action::Discrete((episode + step) % 4);
            let outcome = mdp.step(action, &mut streams[0], &mut seen).unwrap();
            unrolled.step(action, &mut streams[1], &mut expected).unwrap();
            if outcome.terminated {
                break;
            }
        }
        assert_eq!(seen, expected);
    }
    let bytes = postcard::to_allocvec(&mdp).unwrap();
    assert_eq!(postcard::from_bytes::<FiniteMdp>(&bytes).unwrap(), mdp);
}

#[test]
fn a_layout_that_does_not_fit_is_an_error() {
    let reason = |result: Result<Layout, Error>| result.unwrap_err().to_string();
    assert!(reason(Layout::new(2, vec![Cell::Floor; 3], vec![])).contains("3 cells in rows of 2"));
    assert!(reason(Layout::new(0, vec![], vec![])).contains("0 cells"));
    assert!(reason(Layout::new(1, vec![Cell::Floor], vec![Some(1)])).contains("cell 1 of 1"));
    let grid = GridWorld::default().build().unwrap();
    let other = Layout::new(1, vec![Cell::Floor], vec![Some(0)]).unwrap();
    assert!(message(grid.clone().with_layout(other)).contains("a layout of 1 states for a process of 11"));
    assert_eq!(grid.layout().unwrap().place(11), None);
}

#[test]
fn the_agent_is_drawn_where_its_state_lies() {
    let mut grid = GridWorld::default().build().unwrap();
    grid.set_state(4).unwrap();
    let picture = grid.draw().unwrap();
    assert!(picture.width() > 4.0 && picture.height() > 3.0);
    // First column, second of three rows.
    let centre = picture.shapes.iter().find_map(|shape| match shape {
        Shape::Circle { centre, .. } => Some(*centre),
        _ => None,
    });
    assert_eq!(centre, Some([0.5, 1.5]));
    assert!(example().draw().is_none());
}

#[test]
fn the_windy_walk_pushes_west_in_its_corridors_alone() {
    let walk = WindyWalk { wind: 0.5 }.build().unwrap();
    assert_eq!((walk.states(), walk.actions()), (36, 4));
    let layout = walk.layout().unwrap();
    let walls = (0..36).filter(|cell| layout.cell(cell / 6, cell % 6) == Cell::Wall).count();
    assert_eq!(walls, 6);
    let east = |cell: usize| {
        let ahead = walk.transitions(0, cell, 2).iter().filter(|t| t.next == cell + 1);
        ahead.map(|t| t.probability).sum::<f64>()
    };
    let [north, middle, south] = [2, 14, 26].map(east);
    assert_eq!([north, middle, south], [0.5, 1.0 - 0.125, 1.0 - 0.015625]);
    assert_eq!([east(0), east(12), east(28)], [1.0; 3]);
    // West always works, and north goes nowhere but where the wind goes.
    assert!(walk.transitions(0, 2, 3).iter().all(|t| t.next == 1));
    assert_eq!(walk.dense_transitions(0)[[2, 0, 2]], 0.5);
    assert!(walk.is_terminal(5));
    assert!(message(WindyWalk { wind: 1.5 }.build()).contains("`wind` is 1.5"));
}

#[test]
fn an_uncertainty_set_holds_what_it_was_given_and_survives_a_round_trip() {
    for rectangular in [false, true] {
        let problem = RandomUncertainty { rectangular, ..RandomUncertainty::default() };
        let set = problem.build().unwrap();
        let bytes = postcard::to_allocvec(&set).unwrap();
        assert_eq!(postcard::from_bytes::<UncertaintySet>(&bytes).unwrap(), set);
        assert_ne!(RandomUncertainty { seed: 1, ..problem }.build().unwrap(), set);
        let hull = set.hull().unwrap();
        assert_eq!(hull.rows(), 5 * 3 * 4);
        assert_eq!(hull.model(&[0; 15]).unwrap(), set.nominal());
        let second = hull.model(&[1; 15]).unwrap();
        assert_eq!(second.transitions(0, 4, 2), hull.alternatives(4, 2)[1]);
        assert!(message(hull.model(&[4; 15])).contains("no choice"));
    }
}

#[test]
fn what_is_not_an_uncertainty_set_is_an_error() {
    let alone = |set: Result<UncertaintySet, Error>| set.unwrap_err().to_string();
    assert!(alone(UncertaintySet::coupled(Vec::new())).contains("without a process"));
    let other = FiniteMdp::new(3, 2, &[1.0, 0.0, 0.0], &[2], |s, _| Transition::certain(s, 0.0)).unwrap();
    let message = alone(UncertaintySet::coupled(vec![example(), other]));
    assert!(message.contains("process 1"), "{message}");
    assert!(alone(UncertaintySet::coupled(vec![example().with_horizon(3).unwrap()])).contains("process 0"));
    let rows = |_: usize, action: usize| match action {
        0 => vec![Transition::certain(0, 0.0), Transition::certain(7, 0.0)],
        _ => vec![Transition::certain(1, 0.0)],
    };
    let set = RectangularSet::new(2, 2, &[1.0, 0.0], &[], rows);
    assert!(set.unwrap_err().to_string().contains("leads to state 7"));
    let set = RectangularSet::new(2, 1, &[1.0, 0.0], &[], |_, _| Vec::new());
    assert!(set.unwrap_err().to_string().contains("state 0, action 0 has no rows"));
}
