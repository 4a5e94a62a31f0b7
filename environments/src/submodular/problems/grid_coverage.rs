//! Coverage of a grid, with the weights and discs of the paper.

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{check_grid, check_horizon, plane};
use crate::{
    Error,
    parameters::require,
    random::{Seed, Stream},
    submodular::{Coverage, Exploration, Kernel, Moves, Observation, Reward, gaussian_process},
};

/// Which cells a place covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disc {
    /// All cells whose centre is within the radius.
    #[default]
    Centred,
    /// The authors' code: the cell itself, those to its right and below, and the one between: a block
    /// of 2 × 2 cells that lies off centre. The radius does not matter.
    Block,
    /// The authors' large disc: the blocks of the block, 3 × 3 cells.
    LargeBlock,
}

/// How much each cell counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weights {
    /// 1 each.
    #[default]
    Constant,
    /// 1/(1 + exp(−xy)) with x and y from −1 to 1: much in two opposite corners.
    Bimodal,
    /// A draw from a Gaussian process with a Matérn 5/2 kernel of lengthscale 1, on cells 0.1 apart,
    /// given one observation of zero with noise of variance 1e-3 at a random place of [0, 10]². Raised
    /// by 3, and never below 0.
    GaussianProcess,
}

impl Weights {
    fn draw(self, rows: usize, columns: usize, rng: &mut Stream) -> Result<Vec<f64>, Error> {
        let span = |i: usize, count: usize| 2.0 * i as f64 / (count.max(2) - 1) as f64 - 1.0;
        let cells = 0..rows * columns;
        match self {
            Weights::Constant => Ok(vec![1.0; rows * columns]),
            Weights::Bimodal => Ok(cells
                .map(|cell| span(cell % columns, columns) * span(cell / columns, rows))
                .map(|product| 1.0 / (1.0 + (-product).exp()))
                .collect()),
            Weights::GaussianProcess => {
                let zero = [rng.random_range(0.0..10.0), rng.random_range(0.0..10.0)];
                let kernel = Kernel::Matern { lengthscale: 1.0 };
                let density = gaussian_process::draw(kernel, &plane(rows, columns), zero, 1e-3, rng);
                let density = density.ok_or_else(|| Error::InvalidProcess {
                    reason: "the covariance of the weights is not positive definite".into(),
                })?;
                Ok(density.iter().map(|value| (value + 3.0).max(0.0)).collect())
            }
        }
    }
}

/// The cells that each cell covers; walls neither cover nor are covered.
pub(super) fn regions(
    rows: usize,
    columns: usize,
    walls: &[bool],
    disc: Disc,
    radius: f64,
) -> Vec<Vec<usize>> {
    let covers = |from: usize, to: usize| {
        let down = (to / columns) as f64 - (from / columns) as f64;
        let right = (to % columns) as f64 - (from % columns) as f64;
        let block = |side: f64| (0.0..side).contains(&down) && (0.0..side).contains(&right);
        match disc {
            Disc::Centred => down.hypot(right) <= radius,
            Disc::Block => block(2.0),
            Disc::LargeBlock => block(3.0),
        }
    };
    let cells = rows * columns;
    let open = |cell: &usize| !walls[*cell];
    let region = |from| (0..cells).filter(open).filter(|&to| covers(from, to)).collect();
    (0..cells).map(|from| if walls[from] { Vec::new() } else { region(from) }).collect()
}

/// Cover as much weight of a grid as possible.
///
/// The defaults are the 30 × 30 grid of the paper. Actions: 0 stay, 1 right, 2 down, 3 left, 4 up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GridCoverage {
    /// Number of rows, 1 to 60.
    pub rows: usize,
    /// Number of columns, 1 to 60.
    pub columns: usize,
    /// How much each cell counts.
    pub weights: Weights,
    /// Which of the instances with random weights.
    pub instance: u64,
    /// Which cells a place covers.
    pub disc: Disc,
    /// Radius of a centred disc in cells, at least 0. 1: the cell and its four neighbours.
    pub radius: f64,
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

impl Default for GridCoverage {
    fn default() -> Self {
        GridCoverage {
            rows: 30,
            columns: 30,
            weights: Weights::Constant,
            instance: 0,
            disc: Disc::Centred,
            radius: 1.0,
            start: 34,
            horizon: 39,
            action_noise: 0.0,
            observation: Observation::Place,
            reward: Reward::Gain,
        }
    }
}

impl GridCoverage {
    /// The environment. Errors when a parameter is out of range.
    pub fn build(&self) -> Result<Exploration<Coverage>, Error> {
        let (rows, columns) = (self.rows, self.columns);
        check_grid(rows, columns)?;
        let radius = self.radius;
        require("radius", radius, radius >= 0.0 && radius.is_finite(), "0 and more")?;
        let walls = vec![false; rows * columns];
        let regions = regions(rows, columns, &walls, self.disc, radius);
        let weights = self.weights.draw(rows, columns, &mut Seed::new(self.instance).stream("weights"))?;
        check_horizon(self.horizon)?;
        let moves = Moves::grid(rows, columns, walls)?.with_noise(self.action_noise)?;
        let exploration =
            Exploration::new(moves, Coverage::new(&regions, weights)?, self.start, self.horizon)?;
        Ok(exploration.observing(self.observation).rewarding(self.reward))
    }
}
