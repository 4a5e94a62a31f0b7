//! Items of several kinds on a grid.

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::{check_grid, check_horizon};
use crate::{
    Error,
    parameters::require,
    random::Seed,
    submodular::{Exploration, ItemCollection, Moves, Observation, Reward},
};

/// Collect some items of every kind on a grid.
///
/// The defaults are the 7 × 15 grid with 93 items of six kinds of the authors' code; where the items lie
/// is drawn. Actions: 0 stay, 1 right, 2 down, 3 left, 4 up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ItemGrid {
    /// Number of rows, 1 to 60.
    pub rows: usize,
    /// Number of columns, 1 to 60.
    pub columns: usize,
    /// How many items of each kind there are, at most one to a cell.
    pub items: Vec<usize>,
    /// How many items of each kind count.
    pub quotas: Vec<usize>,
    /// Which of the random instances.
    pub instance: u64,
    /// The cell to start in, counted row by row.
    pub start: usize,
    /// Actions of an episode, 1 to 1000.
    pub horizon: usize,
    /// Probability of a uniformly random action instead of the one chosen, 0 to 1.
    pub action_noise: f64,
    /// What is observed.
    pub observation: Observation,
    /// What is rewarded.
    pub reward: Reward,
}

impl Default for ItemGrid {
    fn default() -> Self {
        ItemGrid {
            rows: 7,
            columns: 15,
            items: vec![18, 14, 13, 16, 18, 14],
            quotas: vec![3, 2, 3, 4, 6, 3],
            instance: 0,
            start: 34,
            horizon: 39,
            action_noise: 0.0,
            observation: Observation::Place,
            reward: Reward::Gain,
        }
    }
}

impl ItemGrid {
    /// The environment. Errors when a parameter is out of range, or there are more items than cells.
    pub fn build(&self) -> Result<Exploration<ItemCollection>, Error> {
        check_grid(self.rows, self.columns)?;
        let cells = self.rows * self.columns;
        let total = self.items.iter().fold(0, |total: usize, &items| total.saturating_add(items));
        require("items", format!("{:?}", self.items), total <= cells, "no more than there are cells")?;
        let as_many = self.quotas.len() == self.items.len();
        require("quotas", format!("{:?}", self.quotas), as_many, "as many as there are kinds of items")?;
        let mut order: Vec<usize> = (0..cells).collect();
        order.shuffle(&mut Seed::new(self.instance).stream("items"));
        let mut groups = vec![None; cells];
        let mut order = order.into_iter();
        for (group, &items) in self.items.iter().enumerate() {
            order.by_ref().take(items).for_each(|cell| groups[cell] = Some(group));
        }
        check_horizon(self.horizon)?;
        let moves = Moves::grid(self.rows, self.columns, vec![false; cells])?;
        let moves = moves.with_noise(self.action_noise)?;
        let exploration =
            Exploration::new(moves, ItemCollection::new(&groups, &self.quotas)?, self.start, self.horizon)?;
        Ok(exploration.observing(self.observation).rewarding(self.reward))
    }
}
