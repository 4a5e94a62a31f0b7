//! Walking against the wind, through one of three corridors.

use serde::{Deserialize, Serialize};

use super::{
    FiniteMdp, Transition, UncertaintySet,
    grid::{Direction, Grid},
};
use crate::{Error, parameters::require, tabular::Cell};

/// Walk from west to east through the north, the middle or the south corridor; the shorter the way, the
/// stronger the wind.
///
/// The windy walk of Zouitine, Geist and Rachelson (2024), arXiv 2410.06212. The paper gives the number of
/// cells and walls, and the wind, but no map; this one agrees with everything that it says.
///
/// ```text
/// S . . . . G     wind α in the north corridor
/// . # # # . .
/// . . . . . .     wind α³ in the middle corridor
/// . # # # . .
/// . . . . . .     wind α⁶ in the south corridor
/// . . . . . .
/// ```
///
/// **States**: the 36 cells, row by row from the top; the six walls are never entered. A corridor's cells
/// are those of the walled columns.
/// **Actions**: 0 north, 1 south, 2 east, 3 west. With the probability of the wind the cell lies in, the
/// agent moves west instead. Moves over the edge or into a wall stay.
/// **Reward**: −1 for every step. **Start**: upper left. **End**: upper right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WindyWalk {
    /// The wind's strength α, 0 to 1.
    pub wind: f64,
}

impl Default for WindyWalk {
    fn default() -> Self {
        WindyWalk { wind: 0.0 }
    }
}

const MAP: [&str; 6] = ["S....G", ".###..", "......", ".###..", "......", "......"];
const GOAL: usize = 5;
const WALLED_COLUMNS: std::ops::RangeInclusive<usize> = 1..=3;
/// North, south, east, west.
const DIRECTIONS: [Direction; 4] = [Direction::Up, Direction::Down, Direction::Right, Direction::Left];
/// The exponents of α in the rows of the three corridors.
const EXPONENTS: [i32; 6] = [1, 0, 3, 0, 6, 6];

impl WindyWalk {
    /// The process. Errors when the wind is out of its range.
    pub fn build(&self) -> Result<FiniteMdp, Error> {
        let WindyWalk { wind } = *self;
        require("wind", wind, (0.0..=1.0).contains(&wind), "0 to 1")?;
        let grid = Grid::parse(&MAP, |letter| match letter {
            '.' => Some(Cell::Floor),
            'S' => Some(Cell::Start),
            'G' => Some(Cell::Goal),
            '#' => Some(Cell::Wall),
            _ => None,
        })?;
        let mdp = FiniteMdp::new(36, 4, &grid.initial(), &[GOAL], |cell, action| {
            let in_corridor = WALLED_COLUMNS.contains(&(cell % 6));
            let pushed = if in_corridor { wind.powi(EXPONENTS[cell / 6]) } else { 0.0 };
            let to = |direction, probability| Transition {
                probability,
                next: grid.neighbour(cell, direction),
                reward: -1.0,
            };
            vec![to(DIRECTIONS[action], 1.0 - pushed), to(Direction::Left, pushed)]
        })?;
        mdp.with_layout(grid.layout()?)
    }

    /// The walks with `levels` (1 or more) strengths of the wind, evenly from 0 to `strongest`. The paper
    /// has 25 from 0 to 0.5. Errors when a number is out of its range.
    pub fn uncertainty_set(levels: usize, strongest: f64) -> Result<UncertaintySet, Error> {
        require("levels", levels, (1..=10_000).contains(&levels), "1 to 10000")?;
        require("strongest", strongest, (0.0..=1.0).contains(&strongest), "0 to 1")?;
        let wind = |i: usize| strongest * i as f64 / (levels - 1).max(1) as f64;
        let models = (0..levels).map(|i| WindyWalk { wind: wind(i) }.build());
        UncertaintySet::coupled(models.collect::<Result<_, _>>()?)
    }
}
