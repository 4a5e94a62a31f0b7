//! The tables of the tabular problems against Gymnasium's own, recorded by `tables/record.py`.

use std::collections::BTreeMap;

use assay_environments::tabular::{CliffWalking, FiniteMdp, FrozenLake, LakeMap};

/// Probability by successor and reward, for one state and action.
type Row = BTreeMap<(usize, i64), f64>;

/// A recorded table, and which states end an episode when they are entered.
struct Recording {
    rows: BTreeMap<(usize, usize), Row>,
    terminal: Vec<usize>,
}

fn read(text: &str) -> Recording {
    let mut recording = Recording { rows: BTreeMap::new(), terminal: Vec::new() };
    let mut lines = text.lines();
    assert!(lines.next().unwrap().starts_with("# "));
    assert_eq!(lines.next(), Some("state,action,probability,next,reward,terminated"));
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        let [state, action, probability, next, reward, terminated] = fields[..] else {
            panic!("{line}");
        };
        let index = |text: &str| text.parse::<usize>().unwrap();
        let number = |text: &str| text.parse::<f64>().unwrap();
        let row = recording.rows.entry((index(state), index(action))).or_default();
        // All recorded rewards are whole numbers.
        *row.entry((index(next), number(reward) as i64)).or_default() += number(probability);
        if terminated == "true" {
            recording.terminal.push(index(next));
        }
    }
    recording
}

fn assert_same_table(mdp: &FiniteMdp, recorded: &str) {
    let recording = read(recorded);
    assert_eq!(recording.rows.len(), mdp.states() * mdp.actions());
    for (&(state, action), expected) in &recording.rows {
        // What happens after the end is not part of either problem.
        if recording.terminal.contains(&state) {
            assert!(mdp.is_terminal(state), "state {state}");
            continue;
        }
        assert!(!mdp.is_terminal(state), "state {state}");
        let mut found = Row::new();
        for t in mdp.transitions(0, state, action) {
            *found.entry((t.next, t.reward as i64)).or_default() += t.probability;
        }
        assert!(found.keys().eq(expected.keys()), "state {state}, action {action}");
        for (key, p) in &found {
            // Both are sums of a few thirds, in different order.
            assert!((p - expected[key]).abs() < 4.0 * f64::EPSILON, "state {state}, action {action}");
        }
    }
}

#[test]
fn frozen_lakes_have_the_tables_of_gymnasium() {
    let lake = |map, success_rate| FrozenLake { map, success_rate }.build().unwrap();
    assert_same_table(&lake(LakeMap::Small, 1.0 / 3.0), include_str!("tables/frozen_lake_4x4.csv"));
    assert_same_table(&lake(LakeMap::Large, 1.0 / 3.0), include_str!("tables/frozen_lake_8x8.csv"));
    assert_same_table(&lake(LakeMap::Small, 1.0), include_str!("tables/frozen_lake_not_slippery.csv"));
}

#[test]
fn cliffs_have_the_tables_of_gymnasium() {
    let cliff = |success_rate| CliffWalking { success_rate, ..CliffWalking::default() }.build().unwrap();
    assert_same_table(&cliff(1.0), include_str!("tables/cliff_walking.csv"));
    assert_same_table(&cliff(1.0 / 3.0), include_str!("tables/cliff_walking_slippery.csv"));
}
