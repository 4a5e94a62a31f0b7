//! A gridworld with walls, pits and unreliable moves.

use serde::{Deserialize, Serialize};

use super::{
    Cell, FiniteMdp, Layout,
    grid::{CLOCKWISE_FROM_UP, Grid},
};
use crate::{Error, parameters::require};

/// Walk to a goal on a grid with walls.
///
/// The default is the 4 × 3 world of Russell and Norvig, *Artificial Intelligence: A Modern
/// Approach*, with its textbook utilities (0.705 at the start, without discounting).
///
/// **States**: the cells that are not walls, row by row from the top.
/// **Actions**: 0 up, 1 right, 2 down, 3 left. A move succeeds with probability `success_rate`,
/// and slips to either side with half of the rest. A move into a wall or over the edge stays.
/// **Reward**: `step_reward` for every step, and the goal's or the pit's in addition on arrival.
/// **Start**: uniform over the cells marked `S`. **End**: at a goal or a pit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GridWorld {
    /// The rows of the map from the top: `.` floor, `#` wall, `S` start, `G` goal, `X` pit.
    pub map: Vec<String>,
    /// Probability that a move goes where it should, 0 to 1.
    pub success_rate: f64,
    /// Reward of every step.
    pub step_reward: f64,
    /// Additional reward of reaching a goal.
    pub goal_reward: f64,
    /// Additional reward of falling into a pit.
    pub pit_reward: f64,
}

impl Default for GridWorld {
    fn default() -> Self {
        GridWorld {
            map: ["...G", ".#.X", "S..."].map(String::from).into(),
            success_rate: 0.8,
            step_reward: -0.04,
            goal_reward: 1.0,
            pit_reward: -1.0,
        }
    }
}

impl GridWorld {
    /// The process. Errors when the map is not one or a parameter is out of range.
    pub fn build(&self) -> Result<FiniteMdp, Error> {
        let rate = self.success_rate;
        require("success_rate", rate, (0.0..=1.0).contains(&rate), "0 to 1")?;
        let grid = Grid::parse(&self.map, |letter| match letter {
            '.' => Some(Cell::Floor),
            '#' => Some(Cell::Wall),
            'S' => Some(Cell::Start),
            'G' => Some(Cell::Goal),
            'X' => Some(Cell::Hazard),
            _ => None,
        })?;
        let open: Vec<usize> = (0..grid.cells.len()).filter(|&cell| grid.cells[cell] != Cell::Wall).collect();
        let mut state_of = vec![usize::MAX; grid.cells.len()];
        open.iter().enumerate().for_each(|(state, &cell)| state_of[cell] = state);

        let weights = grid.initial();
        let initial: Vec<f64> = open.iter().map(|&cell| weights[cell]).collect();
        let terminal: Vec<usize> =
            grid.all(Cell::Goal).chain(grid.all(Cell::Hazard)).map(|cell| state_of[cell]).collect();
        let enter = |cell: usize| {
            let bonus = match grid.cells[cell] {
                Cell::Goal => self.goal_reward,
                Cell::Hazard => self.pit_reward,
                _ => 0.0,
            };
            (state_of[cell], self.step_reward + bonus)
        };
        let mdp = FiniteMdp::new(open.len(), 4, &initial, &terminal, |state, action| {
            grid.slip(open[state], CLOCKWISE_FROM_UP, action, rate, enter)
        })?;
        let places = open.iter().copied().map(Some).collect();
        mdp.with_layout(Layout::new(grid.columns, grid.cells, places)?)
    }
}
