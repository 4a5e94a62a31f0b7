//! Crossing a frozen lake on which the ice pushes on after every move.

use std::collections::VecDeque;

use rand::Rng;
use rand_distr::{Dirichlet, Distribution};
use serde::{Deserialize, Serialize};

use super::{
    Cell, Decision, Layout, PostDecisionMdp, Transition,
    grid::{COUNTER_CLOCKWISE_FROM_LEFT, Grid},
};
use crate::{Error, parameters::require, random::Seed};

/// Cross a frozen lake on which every move goes where it should, and then the ice may push on by
/// another cell.
///
/// The lake of Felizardo et al. 2025 (arXiv 2504.05150) as in the authors' code. The random push comes
/// after the agent's own move, so the cell where that move ends is a post-decision state.
///
/// **States**: the cells, row by row from the top, and after them one state out of the lake.
/// **Actions**: 0 left, 1 down, 2 right, 3 up. A move against the shore stays.
/// **Deterministic half**: the move to a cell x. It brings 1/(1 + d(x)), where d is the Manhattan
/// distance to the goal: 1 at the goal.
/// **Random half**: at the goal nothing. Elsewhere, with probability `slip`, a push to a neighbouring
/// cell y in a direction drawn from x's own distribution, which brings 1/(1 + d(y)). Every hole that
/// is entered, in either half, costs 1/(2 · `size`).
/// **End**: at the goal; and with the step after the one that ends in a hole, which brings nothing and
/// leads out of the lake. The authors cut episodes after 100 steps.
/// **Post-decision states**: the cells, and out of the lake.
///
/// The map is drawn anew until a path leads around the holes, and the directions of the pushes are
/// drawn from a symmetric Dirichlet distribution, from `seed` and cell by cell as the authors do from
/// theirs; with another generator the maps are others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StochasticFrozenLake {
    /// Rows and columns, 2 to 100. Authors' code: 10.
    pub size: usize,
    /// Probability that a cell is ice rather than a hole, above 0.6 (below, hardly any map has a path)
    /// to 1. Authors' code: 0.8.
    pub frozen: f64,
    /// Probability of a push, 0 to 1. Authors' code: 0.5.
    pub slip: f64,
    /// From which the map and the pushes are drawn.
    pub seed: u64,
}

impl Default for StochasticFrozenLake {
    fn default() -> Self {
        StochasticFrozenLake { size: 10, frozen: 0.8, slip: 0.5, seed: 0 }
    }
}

impl StochasticFrozenLake {
    /// The process. Errors when a parameter is out of range.
    pub fn build(&self) -> Result<PostDecisionMdp, Error> {
        let StochasticFrozenLake { size, frozen, slip, seed } = *self;
        require("size", size, (2..=100).contains(&size), "2 to 100")?;
        require("frozen", frozen, frozen > 0.6 && frozen <= 1.0, "above 0.6 to 1")?;
        require("slip", slip, (0.0..=1.0).contains(&slip), "0 to 1")?;
        let seed = Seed::new(seed);
        let grid = draw_map(size, frozen, seed);
        let pushes = draw_pushes(size * size, seed);

        let (goal, out) = (size * size - 1, size * size);
        let distance = |cell: usize| (size - 1 - cell / size) + (size - 1 - cell % size);
        let nearness = |cell: usize| 1.0 / (1.0 + distance(cell) as f64);
        let hole = |cell: usize| grid.cells[cell] == Cell::Hazard;
        let penalty = |cell: usize| if hole(cell) { -0.5 / size as f64 } else { 0.0 };
        let mut initial = vec![0.0; out + 1];
        initial[0] = 1.0;
        let decide = |cell: usize, action: usize| {
            if hole(cell) {
                return Decision { post: out, reward: 0.0 };
            }
            let post = grid.neighbour(cell, COUNTER_CLOCKWISE_FROM_LEFT[action]);
            Decision { post, reward: nearness(post) }
        };
        let outcomes = |x: usize| {
            if x == goal || x == out {
                return Transition::certain(x, 0.0);
            }
            let mut outcomes = vec![Transition { probability: 1.0 - slip, next: x, reward: penalty(x) }];
            for (direction, probability) in COUNTER_CLOCKWISE_FROM_LEFT.into_iter().zip(pushes[x]) {
                let next = grid.neighbour(x, direction);
                let reward = penalty(x) + nearness(next) + penalty(next);
                outcomes.push(Transition { probability: slip * probability, next, reward });
            }
            outcomes
        };
        let mdp = PostDecisionMdp::new([out + 1, 4, out + 1], &initial, &[goal, out], decide, outcomes)?;
        let places = (0..out).map(Some).chain([None]).collect();
        mdp.with_layout(Layout::new(size, grid.cells, places)?)
    }
}

/// The number of directions.
const DIRECTIONS: usize = COUNTER_CLOCKWISE_FROM_LEFT.len();

/// Draws maps until one has a path from the first cell to the last.
fn draw_map(size: usize, frozen: f64, seed: Seed) -> Grid {
    let mut rng = seed.stream("map");
    loop {
        let mut ice = || if rng.random_bool(frozen) { Cell::Floor } else { Cell::Hazard };
        let mut cells: Vec<Cell> = (0..size * size).map(|_| ice()).collect();
        cells[0] = Cell::Start;
        cells[size * size - 1] = Cell::Goal;
        let grid = Grid { columns: size, cells };
        if has_path(&grid) {
            return grid;
        }
    }
}

/// Whether a path around the holes leads from the first cell to the last.
fn has_path(grid: &Grid) -> bool {
    let last = grid.cells.len() - 1;
    let mut reached = vec![false; last + 1];
    let mut frontier = VecDeque::from([0]);
    reached[0] = true;
    while let Some(cell) = frontier.pop_front() {
        for direction in COUNTER_CLOCKWISE_FROM_LEFT {
            let next = grid.neighbour(cell, direction);
            if !reached[next] && grid.cells[next] != Cell::Hazard {
                reached[next] = true;
                frontier.push_back(next);
            }
        }
    }
    reached[last]
}

/// The distribution over directions in every cell.
fn draw_pushes(cells: usize, seed: Seed) -> Vec<[f64; DIRECTIONS]> {
    let mut rng = seed.stream("pushes");
    let uniform = Dirichlet::new([1.0; DIRECTIONS]).expect("ones are allowed");
    (0..cells).map(|_| uniform.sample(&mut rng)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_brings_what_the_authors_table_says() {
        let lake = StochasticFrozenLake { size: 4, frozen: 0.7, slip: 0.5, seed: 3 }.build().unwrap();
        let layout = lake.layout().unwrap();
        let hole = (0..16).find(|&s| layout.cell(s / 4, s % 4) == Cell::Hazard).unwrap();
        let distance = |s: usize| (3 - s / 4 + 3 - s % 4) as f64;
        let enter = |s: usize| {
            let hole = layout.cell(s / 4, s % 4) == Cell::Hazard;
            if s == 15 { 1.0 } else { 1.0 / (1.0 + distance(s)) - if hole { 1.0 / 8.0 } else { 0.0 } }
        };
        for state in (0..15).filter(|&s| layout.cell(s / 4, s % 4) != Cell::Hazard) {
            for action in 0..4 {
                let Decision { post, reward } = lake.decision(state, action);
                assert_eq!(reward, 1.0 / (1.0 + distance(post)));
                for t in lake.outcomes(post) {
                    let slipped = reward + t.reward - enter(post);
                    let stays = t.next == post && slipped.abs() < 1e-12;
                    assert!(stays || (slipped - enter(t.next)).abs() < 1e-12, "{state} {action} {t:?}");
                }
            }
        }
        assert_eq!(lake.decision(hole, 0), Decision { post: 16, reward: 0.0 });
        assert!(lake.is_terminal(15) && lake.is_terminal(16) && !lake.is_terminal(hole));
    }

    #[test]
    fn without_pushes_a_step_is_its_deterministic_half() {
        let lake = StochasticFrozenLake { slip: 0.0, ..StochasticFrozenLake::default() }.build().unwrap();
        for post in 0..lake.post_states() {
            assert!(matches!(lake.outcomes(post), [t] if t.next == post && t.probability == 1.0));
        }
    }

    #[test]
    fn other_seeds_are_other_lakes_and_all_can_be_crossed() {
        let map = |seed| {
            let grid = draw_map(10, 0.8, Seed::new(seed));
            assert!(has_path(&grid));
            grid.cells
        };
        assert_eq!(map(1), map(1));
        assert_ne!(map(1), map(2));
    }
}
