//! What each tabular problem promises about its tables.

use assay_environments::{
    Action, Environment,
    random::Seed,
    tabular::{
        Cell, Chain, CliffWalking, DeepSea, FiniteMdp, FrozenLake, Garnet, GridWorld, LakeMap, LayeredRandom,
        RiverSwim, Transition,
    },
};
use proptest::prelude::*;

/// The total reward of a fixed sequence of actions.
fn total_reward(mdp: &mut FiniteMdp, actions: &[usize]) -> (f64, bool) {
    let mut rng = Seed::new(0).stream("environment");
    mdp.reset(&mut rng, &mut [0.0]).unwrap();
    let mut total = 0.0;
    for (i, &action) in actions.iter().enumerate() {
        let outcome = mdp.step(Action::Discrete(action), &mut rng, &mut [0.0]).unwrap();
        total += outcome.reward;
        if outcome.terminated {
            return (total, i + 1 == actions.len());
        }
    }
    (total, false)
}

fn outcome(mdp: &FiniteMdp, state: usize, action: usize, next: usize) -> (f64, f64) {
    let of = |t: &&Transition| t.next == next;
    let t = mdp.transitions(0, state, action).iter().find(of).copied();
    t.map_or((0.0, 0.0), |t| (t.probability, t.reward))
}

#[test]
fn a_gridworld_numbers_the_cells_that_are_not_walls() {
    let mdp = GridWorld::default().build().unwrap();
    assert_eq!((mdp.states(), mdp.actions()), (11, 4));
    // The start is below the wall's column on the left: row 2, after four and three cells.
    assert_eq!(mdp.initial()[7], 1.0);
    let layout = mdp.layout().unwrap();
    assert_eq!((layout.rows(), layout.columns()), (3, 4));
    assert_eq!(layout.cell(1, 1), Cell::Wall);
    assert_eq!(layout.place(7), Some((2, 0)));
    assert_eq!(layout.place(4), Some((1, 0)));
    assert_eq!(layout.place(5), Some((1, 2)));
    // Up from the start, slipping to the wall of the world on the left and to the floor on the right.
    assert_eq!(outcome(&mdp, 7, 0, 4).0, 0.8);
    assert!((outcome(&mdp, 7, 0, 7).0 - 0.1).abs() < 1e-15 && (outcome(&mdp, 7, 0, 8).0 - 0.1).abs() < 1e-15);
    assert!(mdp.is_terminal(3) && mdp.is_terminal(6));
    assert!((outcome(&mdp, 2, 1, 3).1 - 0.96).abs() < 1e-15);
    assert!((outcome(&mdp, 5, 1, 6).1 + 1.04).abs() < 1e-15);
    assert!(mdp.draw().is_some());
}

#[test]
fn the_best_walk_along_the_cliff_earns_minus_thirteen() {
    let mut mdp = CliffWalking::default().build().unwrap();
    let mut best = vec![0];
    best.extend([1; 11]);
    best.push(2);
    assert_eq!(total_reward(&mut mdp, &best), (-13.0, true));
    // Over the edge, back at the start, and then the best walk.
    let mut fallen = vec![1];
    fallen.extend(best);
    assert_eq!(total_reward(&mut mdp, &fallen), (-113.0, true));
}

#[test]
fn river_swim_has_the_probabilities_of_strehl_and_littman() {
    let mdp = RiverSwim::default().build().unwrap();
    assert_eq!((mdp.states(), mdp.actions()), (6, 2));
    assert_eq!(mdp.initial(), [0.0, 0.5, 0.5, 0.0, 0.0, 0.0]);
    assert_eq!(mdp.transitions(0, 0, 0), Transition::certain(0, 5.0));
    assert_eq!(mdp.transitions(0, 3, 0), Transition::certain(2, 0.0));
    assert_eq!([0, 1].map(|next| outcome(&mdp, 0, 1, next).0), [0.7, 0.3]);
    assert_eq!([2, 3, 4].map(|next| outcome(&mdp, 3, 1, next).0), [0.1, 0.6, 0.3]);
    assert_eq!(outcome(&mdp, 5, 1, 4), (0.7, 0.0));
    assert_eq!(outcome(&mdp, 5, 1, 5), (0.3, 10_000.0));
}

#[test]
fn a_chain_that_does_not_slip_pays_at_its_end() {
    let mut mdp = Chain { slip: 0.0, ..Chain::default() }.build().unwrap();
    assert_eq!(total_reward(&mut mdp, &[0, 0, 0, 0, 0, 0]), (20.0, false));
    assert_eq!(total_reward(&mut mdp, &[0, 0, 0, 1, 1]), (4.0, false));
}

#[test]
fn only_going_right_at_every_step_finds_the_treasure() {
    for mapping_seed in [None, Some(3)] {
        let sea = DeepSea { size: 5, mapping_seed, ..DeepSea::default() };
        let mut mdp = sea.build().unwrap();
        // Which action goes right in the cells on the diagonal shows in its cost.
        let right: Vec<usize> = (0..5).map(|i| usize::from(mdp.reward(0, 6 * i, 1) != 0.0)).collect();
        assert_eq!(mapping_seed.is_none(), right == [1; 5]);
        let (total, ended) = total_reward(&mut mdp, &right);
        assert!(ended && (total - 0.99).abs() < 1e-12, "{total}");
        for wrong in 0..5 {
            let mut actions = right.clone();
            actions[wrong] = 1 - actions[wrong];
            assert!(total_reward(&mut mdp, &actions).0 <= 0.0);
        }
    }
    let stochastic = DeepSea { size: 5, stochastic: true, ..DeepSea::default() }.build().unwrap();
    assert!((outcome(&stochastic, 0, 1, 6).0 - 0.8).abs() < 1e-15);
    assert!((outcome(&stochastic, 0, 1, 5).0 - 0.2).abs() < 1e-15);
}

#[test]
fn problems_without_sense_are_errors_that_name_the_field() {
    let message = |result: Result<FiniteMdp, _>| match result {
        Err(error) => assay_environments::Error::to_string(&error),
        Ok(_) => panic!("it was accepted"),
    };
    assert!(message(Chain { states: 1, ..Chain::default() }.build()).contains("`states` is 1"));
    assert!(message(Chain { slip: 1.5, ..Chain::default() }.build()).contains("`slip` is 1.5"));
    assert!(message(RiverSwim { states: 2, ..RiverSwim::default() }.build()).contains("`states` is 2"));
    assert!(message(RiverSwim { large_reward: f64::NAN, ..RiverSwim::default() }.build()).contains("NaN"));
    assert!(
        message(CliffWalking { columns: 2, ..CliffWalking::default() }.build()).contains("`columns` is 2")
    );
    assert!(message(DeepSea { size: 0, ..DeepSea::default() }.build()).contains("`size` is 0"));
    assert!(message(Garnet { branching: 0, ..Garnet::default() }.build()).contains("`branching` is 0"));
    assert!(
        message(LayeredRandom { concentration: 0.0, ..Default::default() }.build()).contains("concentration")
    );
    let map =
        |rows: &[&str]| GridWorld { map: rows.iter().map(|r| r.to_string()).collect(), ..Default::default() };
    assert!(message(map(&["S.", "..."]).build()).contains("row 1"));
    assert!(message(map(&["S?"]).build()).contains("`?`"));
    assert!(message(map(&["..G"]).build()).contains("no start"));
    assert!(message(map(&[]).build()).contains("no start"));
    let lake = FrozenLake { map: LakeMap::Custom(vec!["SXG".into()]), ..FrozenLake::default() };
    assert!(message(lake.build()).contains("`X`"));
}

proptest! {
    #[test]
    fn garnets_have_the_given_number_of_successors_and_depend_on_the_seed_alone(
        states in 1usize..12, actions in 1usize..5, share in 0.0f64..1.0, seed in 0u64..1000,
    ) {
        let branching = 1 + (share * (states - 1) as f64) as usize;
        let garnet = Garnet { states, actions, branching, seed };
        let mdp = garnet.build().unwrap();
        prop_assert_eq!(&mdp, &garnet.build().unwrap());
        for state in 0..states {
            for action in 0..actions {
                let row = mdp.transitions(0, state, action);
                let mut successors: Vec<usize> = row.iter().map(|t| t.next).collect();
                successors.sort_unstable();
                successors.dedup();
                prop_assert_eq!(successors.len(), branching);
                prop_assert!((0.0..=1.0).contains(&mdp.reward(0, state, action)));
            }
        }
        if states * actions > 4 {
            prop_assert_ne!(mdp, Garnet { seed: seed + 1, ..garnet }.build().unwrap());
        }
    }

    #[test]
    fn layered_processes_have_a_table_for_every_step(
        states in 1usize..6, actions in 1usize..4, horizon in 1usize..6,
        concentration in prop_oneof![Just(1e-4), 0.05f64..5.0], seed in 0u64..1000,
    ) {
        let problem = LayeredRandom { states, actions, horizon, concentration, seed };
        let mdp = problem.build().unwrap();
        prop_assert_eq!((mdp.stages(), mdp.horizon()), (horizon, Some(horizon)));
        prop_assert_eq!(&mdp, &problem.build().unwrap());
        if horizon > 1 {
            prop_assert_ne!(mdp.rewards(0), mdp.rewards(1));
        }
    }
}
