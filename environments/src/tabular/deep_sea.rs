//! A dive for a treasure that only a long plan finds.

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{Cell, FiniteMdp, Layout, Transition};
use crate::{Error, parameters::require, random::Seed};

/// Dive to the bottom of a square sea; the treasure lies in the corner that only going right at
/// every single step reaches.
///
/// The problem of Osband et al. (2020), "Behaviour suite for reinforcement learning",
/// arXiv 1908.03568: random actions find the treasure with probability 2^−size.
///
/// **States**: the cells, row by row from the top, and a terminal state below the bottom.
/// **Actions**: one of 0 and 1 goes down to the right, the other down to the left; which is which
/// depends on the cell when there is a `mapping_seed`, and otherwise 1 is right. In the stochastic
/// variant, going right only goes down with probability 1/size. (Its Gaussian noise on the last
/// reward, which has mean zero, is not part of the table.)
/// **Reward**: −`move_cost`/size for every action to the right, and 1 for going right in the last
/// column. **Start**: the upper left cell. **End**: after `size` steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeepSea {
    /// Depth and width of the sea; at least 2.
    pub size: usize,
    /// The cost of going right at every step of an episode, in all.
    pub move_cost: f64,
    /// Whether going right may fail.
    pub stochastic: bool,
    /// Chooses which action is right in each cell; absent by default.
    pub mapping_seed: Option<u64>,
}

impl Default for DeepSea {
    fn default() -> Self {
        DeepSea { size: 10, move_cost: 0.01, stochastic: false, mapping_seed: None }
    }
}

impl DeepSea {
    /// The process. Errors when a parameter is out of range.
    pub fn build(&self) -> Result<FiniteMdp, Error> {
        let size = self.size;
        require("size", size, (2..=1000).contains(&size), "2 to 1000")?;
        let cells = size * size;
        let right_action: Vec<usize> = match self.mapping_seed {
            None => vec![1; cells],
            Some(seed) => {
                let mut rng = Seed::new(seed).stream("deep sea");
                (0..cells).map(|_| rng.random_range(0..2)).collect()
            }
        };
        let mut initial = vec![0.0; cells + 1];
        initial[0] = 1.0;
        let cost = self.move_cost / size as f64;
        let failure = if self.stochastic { 1.0 / size as f64 } else { 0.0 };
        let mdp = FiniteMdp::new(cells + 1, 2, &initial, &[cells], |cell, action| {
            let (row, column) = (cell / size, cell % size);
            let below = |column: usize| if row + 1 == size { cells } else { (row + 1) * size + column };
            if action != right_action[cell] {
                return Transition::certain(below(column.saturating_sub(1)), 0.0);
            }
            let treasure = if column + 1 == size { 1.0 } else { 0.0 };
            let go = |probability, column| {
                let next = below(column);
                Transition { probability, next, reward: treasure - cost }
            };
            vec![go(1.0 - failure, (column + 1).min(size - 1)), go(failure, column)]
        })?;
        let mut kinds = vec![Cell::Floor; cells];
        (kinds[0], kinds[cells - 1]) = (Cell::Start, Cell::Goal);
        let places = (0..=cells).map(|state| (state < cells).then_some(state)).collect();
        mdp.with_layout(Layout::new(size, kinds, places)?)
    }
}
