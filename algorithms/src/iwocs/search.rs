//! Finding the worst point of a unit cube.

use assay_environments::{
    parameters::{ParameterError, require},
    random::Stream,
};
use serde::{Deserialize, Serialize};

use super::cma_es::CmaEs;

/// How the worst model is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Search {
    /// By CMA-ES from the middle. The paper's IWOCS.
    CmaEs {
        /// Generations, at least 1. Paper: 6.
        generations: usize,
        /// Candidates in a generation, at least 4. Paper: 100.
        population: usize,
        /// Standard deviation of the first generation, in units of the cube; positive. Paper: 0.5.
        deviation: f64,
    },
    /// Over all points of a grid with the cube's corners. The paper's IWOCS*.
    Grid {
        /// Points along each side, at least 2.
        points: usize,
    },
}

impl Default for Search {
    fn default() -> Self {
        Search::CmaEs { generations: 6, population: 100, deviation: 0.5 }
    }
}

impl Search {
    /// Errors when a setting is out of its range.
    pub fn validate(&self) -> Result<(), ParameterError> {
        match *self {
            Search::CmaEs { generations, population, deviation } => {
                require("search.generations", generations, generations >= 1, "at least 1")?;
                require("search.population", population, population >= 4, "at least 4")?;
                let positive = deviation > 0.0 && deviation.is_finite();
                require("search.deviation", deviation, positive, "positive and finite")
            }
            Search::Grid { points } => require("search.points", points, points >= 2, "at least 2"),
        }
    }

    /// The candidate of the unit cube with the smallest value, the first of several, and that value.
    /// `values` is given several candidates at once. Errors as it does.
    pub fn least<E>(
        &self,
        dimensions: usize,
        rng: &mut Stream,
        mut values: impl FnMut(&[Vec<f64>]) -> Result<Vec<f64>, E>,
    ) -> Result<(Vec<f64>, f64), E> {
        let mut least = (vec![0.5; dimensions], f64::INFINITY);
        let mut keep = |candidates: &[Vec<f64>], values: &[f64]| {
            for (candidate, &value) in candidates.iter().zip(values) {
                if value < least.1 {
                    least = (candidate.clone(), value);
                }
            }
        };
        match *self {
            Search::Grid { points } => {
                let candidates = grid(dimensions, points);
                keep(&candidates, &values(&candidates)?);
            }
            Search::CmaEs { generations, population, deviation } => {
                let mut strategy = CmaEs::new(&vec![0.5; dimensions], deviation, population);
                for _ in 0..generations {
                    let candidates = strategy.ask(rng);
                    let values = values(&candidates)?;
                    keep(&candidates, &values);
                    strategy.tell(&candidates, &values);
                }
            }
        }
        Ok(least)
    }
}

/// All points of a grid in the unit cube with `points` (2 or more) along each side, the last dimension
/// fastest.
pub fn grid(dimensions: usize, points: usize) -> Vec<Vec<f64>> {
    let mut all = vec![Vec::with_capacity(dimensions)];
    for _ in 0..dimensions {
        let extended = all.iter().flat_map(|start: &Vec<f64>| {
            (0..points).map(|i| [&start[..], &[i as f64 / (points - 1) as f64]].concat())
        });
        all = extended.collect();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_environments::random::Seed;

    fn least(search: Search, function: fn(&[f64]) -> f64, dimensions: usize) -> (Vec<f64>, f64) {
        let mut rng = Seed::new(1).stream("search");
        let values = |candidates: &[Vec<f64>]| Ok::<_, ()>(candidates.iter().map(|c| function(c)).collect());
        search.least(dimensions, &mut rng, values).unwrap()
    }

    #[test]
    fn a_grid_has_the_corners_and_finds_its_least_point() {
        assert_eq!(grid(2, 3)[..4], [[0.0, 0.0], [0.0, 0.5], [0.0, 1.0], [0.5, 0.0]]);
        assert_eq!(grid(3, 4).len(), 64);
        let (point, value) = least(Search::Grid { points: 5 }, |x| x[0] - 2.0 * x[1], 2);
        assert_eq!((point, value), (vec![0.0, 1.0], -2.0));
    }

    #[test]
    fn both_searches_find_the_same_worst_corner_or_interior_point() {
        let strategy = Search::CmaEs { generations: 12, population: 30, deviation: 0.5 };
        type Function = fn(&[f64]) -> f64;
        let functions: [(Function, [f64; 2]); 3] = [
            (|x| -(x[0] * x[0]) - x[1], [1.0, 1.0]),
            (|x| (x[0] - 0.25).powi(2) + (x[1] - 0.75).powi(2), [0.25, 0.75]),
            (|x| (x[0] - 0.5).abs() + x[1], [0.5, 0.0]),
        ];
        for (function, expected) in functions {
            for search in [strategy, Search::Grid { points: 5 }] {
                let (point, _) = least(search, function, 2);
                assert!(point.iter().zip(expected).all(|(x, e)| (x - e).abs() < 0.05), "{point:?}");
                assert!(point.iter().all(|x| (0.0..=1.0).contains(x)));
            }
        }
    }
}
