use proptest::prelude::*;

use super::*;
use crate::{
    Action, Actions, Batch, BatchedEnvironment, BatchedStep, Environment, PostDecision, Space, conformance,
    random::{Seed, Stream},
    tabular::{PostDecisionMdp, StochasticFrozenLake, Tabular},
    wrappers::TimeLimit,
};

/// Two machines and two items, of which the second machine cannot make the first.
fn two_machines() -> Plant {
    let instance = Instance {
        items: 2,
        machines: 2,
        production: vec![5, 4, 0, 6],
        setup_loss: vec![1, 2, 3, 1],
        setup_cost: vec![10.0, 20.0, 30.0, 40.0],
        lost_sale_cost: vec![1.5, 2.0],
        holding_cost: vec![0.1, 0.2],
        demand: Demand::Binomial { trials: 3, probability: 0.5 },
        capacity: 8,
    };
    Plant::new(instance, ObservedSetups::Number, 4).unwrap()
}

/// One machine, two items, small enough for tables.
fn one_machine() -> Plant {
    LotSizing { size: "2x1".into(), family: Family::Small, seed: 1, ..LotSizing::default() }.build().unwrap()
}

#[test]
fn a_step_agrees_with_the_sums_done_by_hand() {
    let mut plant = two_machines();
    plant.set_state(&[2, 7], &[1, 2]).unwrap();
    // The first machine goes on with item 1; the second changes to item 1, which it cannot make.
    let action = Action::MultiDiscrete(&[1, 1]);
    let mut observation = [f32::NAN; 4];
    assert_eq!(plant.decide(action, &mut observation).unwrap(), -30.0);
    assert_eq!(observation, [2.0 + 5.0 - 3.0, 7.0, 1.0, 1.0]);
    assert_eq!(plant.produce(action).unwrap(), -30.0);
    assert_eq!((plant.inventory(), plant.setups()), (&[4, 7][..], &[1, 1][..]));
    // A shortfall of 2 at 1.5, and 6 left at 0.2.
    assert!((plant.meet(|item| [6, 1][item]) + 3.0 + 1.2).abs() < 1e-12);
    assert_eq!(plant.inventory(), [0, 6]);
    // Standing idle forgets the setup, so going on with it costs again; 11 units do not fit.
    assert_eq!(plant.produce(Action::MultiDiscrete(&[0, 2])).unwrap(), -40.0);
    assert!((plant.meet(|_| 0) + 8.0 * 0.2).abs() < 1e-12);
    assert_eq!((plant.inventory(), plant.setups()), (&[0, 8][..], &[0, 2][..]));
    let plan: Vec<_> =
        plant.plan().periods().map(|(period, setups, flows)| (period, setups.to_vec(), flows[0])).collect();
    let flow = Flow { produced: 2, demand: 6, lost: 2, inventory: 0 };
    assert_eq!(plan, [(0, vec![1, 1], flow), (1, vec![0, 2], Flow::default())]);
}

#[test]
fn an_inventory_may_be_negative_before_demand_and_the_shortfall_is_paid() {
    let mut plant = two_machines();
    plant.set_state(&[1, 0], &[0, 0]).unwrap();
    let mut observation = [f32::NAN; 4];
    plant.decide(Action::MultiDiscrete(&[0, 1]), &mut observation).unwrap();
    assert_eq!(observation[0], -2.0);
    assert!(plant.post_decision_space().contains(&observation));
    plant.produce(Action::MultiDiscrete(&[0, 1])).unwrap();
    assert!((plant.meet(|_| 1) + 3.0 * 1.5 + 2.0).abs() < 1e-12);
}

proptest! {
    #[test]
    fn units_balance(seed in any::<u64>(), items in 1usize..6, machines in 1usize..4, small in any::<bool>()) {
        let family = if small { Family::Small } else { Family::Large };
        let problem = LotSizing { size: format!("{items}x{machines}"), family, seed, ..LotSizing::default() };
        let mut plant = problem.build().unwrap();
        let capacity = plant.instance().capacity as i32;
        let mut rng = Seed::new(seed).stream("test");
        let mut observation = vec![0.0; items + machines];
        plant.reset(&mut rng, &mut observation).unwrap();
        let mut actions = Actions::zeros(&plant.action_space(), 20);
        plant.action_space().sample(&mut rng, &mut actions);
        for t in 0..20 {
            let before = plant.inventory().to_vec();
            let mut post = vec![0.0; items + machines];
            let known = plant.decide(actions.row(t), &mut post).unwrap();
            let outcome = plant.step(actions.row(t), &mut rng, &mut observation).unwrap();
            let (_, _, flows) = plant.plan().periods().last().unwrap();
            let mut random = 0.0;
            for item in 0..items {
                let Flow { produced, demand, lost, inventory } = flows[item];
                prop_assert_eq!(before[item] + produced, post[item] as i32);
                let left = post[item] as i32 - demand as i32 + lost;
                prop_assert_eq!(inventory, left.min(capacity));
                prop_assert_eq!(inventory as f32, observation[item]);
                prop_assert!(lost == 0 || inventory == 0);
                let Instance { lost_sale_cost, holding_cost, .. } = plant.instance();
                random -= f64::from(lost) * lost_sale_cost[item] + f64::from(inventory) * holding_cost[item];
            }
            prop_assert!((outcome.reward - known - random).abs() < 1e-9);
        }
    }
}

#[test]
fn instances_have_the_numbers_of_their_family() {
    for (family, size) in [(Family::Large, "30x15"), (Family::Large, "15x5"), (Family::Small, "10x2")] {
        let plant = LotSizing { size: size.into(), family, ..LotSizing::default() }.build().unwrap();
        let instance = plant.instance();
        let large = family == Family::Large;
        let within = |values: &[i32], low, high| values.iter().all(|x| (low..=high).contains(x));
        assert!(within(&instance.production, 0, if large { 40 } else { 4 }));
        assert!(within(&instance.setup_loss, 1, if large { 3 } else { 1 }));
        let costs = if large { 15.0..=30.0 } else { 1.0..=2.0 };
        assert!(instance.setup_cost.iter().all(|x| costs.contains(x)));
        let lost: &[f64] = if large { &[0.1, 1.1] } else { &[1.0, 2.0, 3.0] };
        assert!(instance.lost_sale_cost.iter().all(|x| lost.contains(x)));
        let zeros = instance.production.iter().filter(|x| **x == 0).count() as f64;
        let share = zeros / instance.production.len() as f64;
        assert!((share - if large { 0.4 } else { 0.2 }).abs() < 0.25, "{share}");
        for item in 0..instance.items {
            assert!((0..instance.machines).any(|m| instance.makes(m).any(|made| made == item)));
        }
    }
}

#[test]
fn a_machine_that_can_make_nothing_and_a_missing_number_are_errors() {
    let valid = two_machines().instance().clone();
    let message =
        |instance: Instance| Plant::new(instance, ObservedSetups::Hidden, 0).unwrap_err().to_string();
    assert!(message(Instance { production: vec![1, 1, 0, 0], ..valid.clone() }).contains("machine 1"));
    assert!(message(Instance { setup_cost: vec![1.0; 3], ..valid.clone() }).contains("matrices"));
    assert!(message(Instance { holding_cost: vec![f64::NAN; 2], ..valid }).contains("NaN"));
    for size in ["15", "0x5", "15x", "15x5x2", "1000x1"] {
        let problem = LotSizing { size: size.into(), ..LotSizing::default() };
        let message = problem.build().unwrap_err().to_string();
        assert!(message.contains("`size`") && message.contains(size), "{message}");
    }
}

#[test]
fn observations_tell_setups_as_they_are_asked_to() {
    for (observed_setups, expected) in [
        (ObservedSetups::Hidden, vec![]),
        (ObservedSetups::Number, vec![2.0]),
        (ObservedSetups::OneHot, vec![0.0, 0.0, 1.0]),
    ] {
        let problem = LotSizing { observed_setups, ..small_problem() };
        let mut plant = problem.build().unwrap();
        plant.set_state(&[3, 4], &[0]).unwrap();
        let mut observation = vec![f32::NAN; 2 + expected.len()];
        plant.decide(Action::MultiDiscrete(&[2]), &mut observation).unwrap();
        assert_eq!(observation[2..], expected);
        conformance::check(&TimeLimit::new(plant, 20).unwrap()).unwrap();
    }
}

fn small_problem() -> LotSizing {
    LotSizing { size: "2x1".into(), family: Family::Small, seed: 1, ..LotSizing::default() }
}

// Exact tables.

/// A distribution over next states, with the expected reward of each.
fn law(transitions: impl IntoIterator<Item = (f64, usize, f64)>, states: usize) -> Vec<[f64; 2]> {
    let mut law = vec![[0.0; 2]; states];
    for (probability, next, reward) in transitions {
        law[next][0] += probability;
        law[next][1] += probability * reward;
    }
    law
}

#[test]
fn both_halves_of_lot_sizing_have_the_law_of_the_whole_step() {
    let plant = one_machine();
    let exact = plant.exact().unwrap();
    let composed = exact.finite_mdp();
    assert_eq!((exact.states(), exact.actions()), (11 * 11 * 3, 3));
    assert!((exact.initial().iter().sum::<f64>() - 1.0).abs() < 1e-12);
    let demand = plant.instance().demand.probabilities();
    for (inventory, setup) in [([0, 0], 1), ([10, 3], 2), ([1, 10], 0), ([5, 5], 2)] {
        let mut start = plant.clone();
        start.set_state(&inventory, &[setup]).unwrap();
        for action in 0..3 {
            // Every demand there is, with its probability.
            let mut outcomes = Vec::new();
            for (first, p) in demand.iter().enumerate() {
                for (second, q) in demand.iter().enumerate() {
                    let mut plant = start.clone();
                    let known = plant.produce(Action::MultiDiscrete(&[action])).unwrap();
                    let random = plant.meet(|item| [first, second][item] as u32);
                    outcomes.push((p * q, plant.state_number(), known + random));
                }
            }
            let row = composed.transitions(0, start.state_number(), action);
            let found = law(row.iter().map(|t| (t.probability, t.next, t.reward)), exact.states());
            let expected = law(outcomes, exact.states());
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found[0] - expected[0]).abs() < 1e-14 && (found[1] - expected[1]).abs() < 1e-12);
            }
        }
    }
}

/// Draws steps of an environment from random states, and compares frequencies and mean rewards with
/// the table.
fn steps_have_the_law_of_the_table<E: Environment>(
    environment: &E,
    exact: &PostDecisionMdp,
    number: impl Fn(&E) -> usize,
) {
    let mut rng: Stream = Seed::new(4).stream("test");
    let composed = exact.finite_mdp();
    let mut environment = environment.clone();
    let mut observation = vec![0.0; environment.observation_space().width()];
    for round in 0..6 {
        environment.reset(&mut rng, &mut observation).unwrap();
        for action in (0..=round).map(|i| (7 * i) % exact.actions()) {
            environment.step(Action::Discrete(action), &mut rng, &mut observation).unwrap();
        }
        let (state, action) = (number(&environment), (5 * round) % exact.actions());
        if exact.is_terminal(state) {
            continue;
        }
        let draws = 20_000;
        let mut outcomes = Vec::with_capacity(draws);
        for _ in 0..draws {
            let mut copy = environment.clone();
            let outcome = copy.step(Action::Discrete(action), &mut rng, &mut observation).unwrap();
            outcomes.push((1.0 / draws as f64, number(&copy), outcome.reward));
        }
        let row = composed.transitions(0, state, action);
        let expected = law(row.iter().map(|t| (t.probability, t.next, t.reward)), exact.states());
        for (found, expected) in law(outcomes, exact.states()).iter().zip(&expected) {
            let deviation = (expected[0] * (1.0 - expected[0]) / draws as f64).sqrt();
            assert!((found[0] - expected[0]).abs() <= 5.0 * deviation + 1e-9, "{found:?} {expected:?}");
            // Where one reward belongs to each next state, means follow frequencies.
            let scale = expected[1].abs() / expected[0].max(1e-300);
            assert!((found[1] - expected[1]).abs() <= (5.0 * deviation + 1e-9) * (2.0 * scale + 10.0));
        }
    }
}

#[test]
fn steps_are_drawn_from_the_law_of_the_tables() {
    let inventory = Inventory {
        lead_time: 3,
        largest_order: 4,
        capacity: 9,
        demand: Demand::Binomial { trials: 4, probability: 0.6 },
        fixed_cost: 1.0,
        unit_cost: 0.5,
        ..Inventory::default()
    };
    let warehouse = inventory.build().unwrap();
    steps_have_the_law_of_the_table(&warehouse, &warehouse.exact().unwrap(), Warehouse::state_number);
    let store = EnergyStorage { capacity: 8, prices: 5, ..EnergyStorage::default() }.build().unwrap();
    steps_have_the_law_of_the_table(&store, &store.exact().unwrap(), EnergyStore::state_number);
    let lake = StochasticFrozenLake { size: 5, ..StochasticFrozenLake::default() }.build().unwrap();
    steps_have_the_law_of_the_table(&lake, &lake, PostDecisionMdp::state);
}

#[test]
fn what_a_half_step_shows_is_the_tables_post_decision_state() {
    // Post-decision states of these two are numbered by what is observed of them.
    let inventory =
        Inventory { lead_time: 3, largest_order: 4, capacity: 9, unit_cost: 0.5, ..Inventory::default() };
    let mut warehouse = inventory.build().unwrap();
    let mut store = EnergyStorage::default().build().unwrap();
    let (stock, energy) = (warehouse.exact().unwrap(), store.exact().unwrap());
    let mut rng = Seed::new(2).stream("test");
    warehouse.reset(&mut rng, &mut [0.0; 3]).unwrap();
    store.reset(&mut rng, &mut [0.0; 2]).unwrap();
    for t in 0..50 {
        let action = (3 * t) % 5;
        let mut post = [f32::NAN; 4];
        let reward = warehouse.decide(Action::Discrete(action), &mut post).unwrap();
        let decision = stock.decision(warehouse.state_number(), action);
        let number = post[1..].iter().fold(post[0] as usize, |n, x| n * 5 + *x as usize);
        assert_eq!((decision.post, decision.reward), (number, reward));
        warehouse.step(Action::Discrete(action), &mut rng, &mut [0.0; 3]).unwrap();

        let action = (4 * t) % 9;
        let mut post = [f32::NAN; 2];
        let reward = store.decide(Action::Discrete(action), &mut post).unwrap();
        let decision = energy.decision(store.state_number(), action);
        assert_eq!((decision.post / 11, decision.reward), (post[0] as usize, reward));
        store.step(Action::Discrete(action), &mut rng, &mut [0.0; 2]).unwrap();
    }
}

#[test]
fn tables_of_large_problems_are_refused_and_not_tried() {
    for message in [
        LotSizing::default().build().unwrap().exact().unwrap_err().to_string(),
        Inventory { lead_time: 20, ..Inventory::default() }.build().unwrap().exact().unwrap_err().to_string(),
    ] {
        assert!(message.contains("transitions; at most"), "{message}");
    }
}

// Along a batch.

#[test]
fn a_batch_decides_as_its_copies_do_and_steps_nothing() {
    let seed = Seed::new(6);
    let plant = LotSizing { size: "4x2".into(), ..LotSizing::default() }.build().unwrap();
    let mut batch = Batch::new(TimeLimit::new(plant, 7).unwrap(), 3, seed).unwrap();
    assert_eq!(batch.post_decision_space().unwrap().features(), 6);
    let mut step = BatchedStep::new(&batch);
    batch.reset(&mut step.observations).unwrap();
    let mut rng = seed.stream("actions");
    let mut actions = Actions::zeros(batch.action_space(), 3);
    let (mut observations, mut rewards) = (vec![f32::NAN; 18], vec![f32::NAN; 3]);
    for _ in 0..20 {
        batch.action_space().sample(&mut rng, &mut actions);
        let before = batch.snapshot().unwrap();
        batch.decide(&actions, &mut observations, &mut rewards).unwrap();
        assert_eq!(batch.snapshot().unwrap(), before);
        for (copy, environment) in batch.environments().enumerate() {
            let mut expected = [f32::NAN; 6];
            let reward = environment.inner().decide(actions.row(copy), &mut expected).unwrap();
            assert_eq!((&observations[6 * copy..][..6], rewards[copy]), (&expected[..], reward as f32));
        }
        batch.step(&actions, &mut step).unwrap();
    }
    assert!(batch.decide(&actions, &mut observations[1..], &mut rewards).is_err());
    let lake = StochasticFrozenLake::default().build().unwrap();
    let mut batch = Batch::new(lake, 2, seed).unwrap();
    batch.reset(&mut vec![0.0; 2 * 101]).unwrap();
    let (mut observations, mut rewards) = (vec![f32::NAN; 2 * 101], [f32::NAN; 2]);
    // Down from the first cell is the eleventh, as a one-hot code.
    batch.decide(&Actions::Discrete(vec![1, 0]), &mut observations, &mut rewards).unwrap();
    assert_eq!((observations[10], observations[101]), (1.0, 1.0));
    assert_eq!(observations.iter().sum::<f32>(), 2.0);
}

#[test]
fn an_environment_without_a_deterministic_half_says_so() {
    let mut batch = Batch::new(crate::classic::CartPole::new(), 1, Seed::new(0)).unwrap();
    assert!(batch.post_decision_space().is_none());
    let error = batch.decide(&Actions::Discrete(vec![0]), &mut [], &mut [0.0]).unwrap_err();
    assert!(error.to_string().contains("no post-decision states"), "{error}");
}

#[test]
fn pictures_of_all_problems_can_be_drawn() {
    let mut rng = Seed::new(1).stream("test");
    let mut plant = LotSizing::default().build().unwrap();
    let mut observation = vec![0.0; 20];
    plant.reset(&mut rng, &mut observation).unwrap();
    assert!(plant.draw().unwrap().svg(600.0).is_ok());
    let mut actions = Actions::zeros(&plant.action_space(), 40);
    plant.action_space().sample(&mut rng, &mut actions);
    for t in 0..40 {
        plant.step(actions.row(t), &mut rng, &mut observation).unwrap();
    }
    assert_eq!(
        plant.plan().periods().map(|(period, ..)| period).collect::<Vec<_>>(),
        (10..40).collect::<Vec<_>>()
    );
    assert!(plant.draw().unwrap().svg(600.0).is_ok());
    assert!(Inventory::default().build().unwrap().draw().unwrap().svg(300.0).is_ok());
    assert!(EnergyStorage::default().build().unwrap().draw().unwrap().svg(300.0).is_ok());
    assert!(matches!(plant.action_space(), Space::MultiDiscrete { sizes } if sizes == [16; 5]));
}
