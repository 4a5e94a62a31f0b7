//! How much is asked for in a period.

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::{
    parameters::{ParameterError, require},
    random::Stream,
};

/// Most units that may be asked for in a period.
const MOST_UNITS: u32 = 1000;

/// A distribution of the units asked for in a period.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Demand {
    /// The number of customers out of `trials` who buy, each with `probability`.
    Binomial {
        /// Customers, 0 to 1000.
        trials: u32,
        /// Probability that one buys, 0 to 1.
        probability: f64,
    },
    /// Poisson's distribution, cut off where less than 10⁻¹² is left.
    Poisson {
        /// Its mean, above 0 to 500.
        mean: f64,
    },
    /// Every number from `low` to `high`, equally likely.
    Uniform {
        /// The least units.
        low: u32,
        /// The most units, `low` to 1000.
        high: u32,
    },
    /// Always as much.
    Constant {
        /// Units, 0 to 1000.
        units: u32,
    },
}

impl Demand {
    /// Errors when a parameter is out of its range.
    pub fn validate(&self) -> Result<(), ParameterError> {
        match *self {
            Demand::Binomial { trials, probability } => {
                require("demand.trials", trials, trials <= MOST_UNITS, "0 to 1000")?;
                let fits = (0.0..=1.0).contains(&probability);
                require("demand.probability", probability, fits, "0 to 1")
            }
            Demand::Poisson { mean } => {
                require("demand.mean", mean, mean > 0.0 && mean <= 500.0, "above 0 to 500")
            }
            Demand::Uniform { low, high } => {
                require("demand.high", high, (low..=MOST_UNITS).contains(&high), "`low` to 1000")
            }
            Demand::Constant { units } => require("demand.units", units, units <= MOST_UNITS, "0 to 1000"),
        }
    }

    /// The probability of 0, 1, 2, … units, summing to one up to rounding.
    pub fn probabilities(&self) -> Vec<f64> {
        match *self {
            Demand::Binomial { trials, probability } => {
                // One customer after the other: every step is a sum of positive numbers.
                let mut p = vec![0.0; trials as usize + 1];
                p[0] = 1.0;
                for customers in 1..p.len() {
                    for units in (0..=customers).rev() {
                        let bought = if units > 0 { p[units - 1] * probability } else { 0.0 };
                        p[units] = p[units] * (1.0 - probability) + bought;
                    }
                }
                p
            }
            Demand::Poisson { mean } => {
                let log_factorial = |k: u32| (1..=k).map(|i| f64::from(i).ln()).sum::<f64>();
                let of = |k: u32| (f64::from(k) * mean.ln() - mean - log_factorial(k)).exp();
                let (mut p, mut total) = (Vec::new(), 0.0);
                while total < 1.0 - 1e-12 && p.len() < MOST_UNITS as usize {
                    p.push(of(p.len() as u32));
                    total += p[p.len() - 1];
                }
                p.iter_mut().for_each(|p| *p /= total);
                p
            }
            Demand::Uniform { low, high } => {
                let share = 1.0 / f64::from(high - low + 1);
                (0..=high).map(|units| if units < low { 0.0 } else { share }).collect()
            }
            Demand::Constant { units } => (0..=units).map(|k| if k == units { 1.0 } else { 0.0 }).collect(),
        }
    }
}

/// Cells of the guide.
const GUIDE: usize = 128;

/// A demand, ready to be drawn from: by inversion, with a guide to where the search starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct DemandTable {
    /// Running sums of the probabilities; the last ones are exactly one.
    cumulative: Vec<f64>,
    /// For the uniform numbers from i/128 on, the least units that they can mean.
    guide: Vec<u16>,
}

impl DemandTable {
    /// The table of a valid demand.
    pub(super) fn new(demand: &Demand) -> Self {
        let mut sum = 0.0;
        let mut cumulative: Vec<f64> = demand
            .probabilities()
            .into_iter()
            .map(|p| {
                sum += p;
                sum
            })
            .collect();
        cumulative.iter_mut().filter(|x| **x >= sum).for_each(|x| *x = 1.0);
        let first = |u: f64| cumulative.partition_point(|x| *x <= u) as u16;
        let guide = (0..GUIDE).map(|i| first(i as f64 / GUIDE as f64)).collect();
        DemandTable { cumulative, guide }
    }

    /// Draws a demand. Takes one number from `rng`.
    pub(super) fn draw(&self, rng: &mut Stream) -> u32 {
        let uniform: f64 = rng.random();
        let mut units = usize::from(self.guide[(uniform * GUIDE as f64) as usize]);
        while self.cumulative[units] <= uniform {
            units += 1;
        }
        units as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Seed;

    const ALL: [Demand; 5] = [
        Demand::Binomial { trials: 20, probability: 0.4 },
        Demand::Binomial { trials: 3, probability: 1.0 },
        Demand::Poisson { mean: 7.5 },
        Demand::Uniform { low: 2, high: 5 },
        Demand::Constant { units: 4 },
    ];

    #[test]
    fn probabilities_sum_to_one_and_have_the_known_moments() {
        for (demand, mean, variance) in [
            (ALL[0], 8.0, 4.8),
            (ALL[1], 3.0, 0.0),
            (ALL[2], 7.5, 7.5),
            (ALL[3], 3.5, 1.25),
            (ALL[4], 4.0, 0.0),
        ] {
            let p = demand.probabilities();
            let moment =
                |power: i32| -> f64 { p.iter().enumerate().map(|(k, p)| p * (k as f64).powi(power)).sum() };
            assert!((moment(0) - 1.0).abs() < 1e-14, "{demand:?}");
            assert!((moment(1) - mean).abs() < 1e-9, "{demand:?}");
            assert!((moment(2) - mean * mean - variance).abs() < 1e-7, "{demand:?}");
        }
        assert!((ALL[0].probabilities()[8] - 0.179_705_787_754_689_7).abs() < 1e-14);
    }

    #[test]
    fn draws_have_the_frequencies_of_the_distribution() {
        let mut rng = Seed::new(1).stream("demand");
        for demand in ALL {
            let (table, p) = (DemandTable::new(&demand), demand.probabilities());
            let mut counts = vec![0.0; p.len()];
            let draws = 200_000;
            for _ in 0..draws {
                counts[table.draw(&mut rng) as usize] += 1.0;
            }
            for (units, (count, p)) in counts.iter().zip(&p).enumerate() {
                let deviation = (p * (1.0 - p) / f64::from(draws)).sqrt();
                let difference = (count / f64::from(draws) - p).abs();
                assert!(difference <= 5.0 * deviation + 1e-9, "{demand:?}, {units}: {difference}");
            }
        }
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        for (demand, field) in [
            (Demand::Binomial { trials: 1001, probability: 0.5 }, "demand.trials"),
            (Demand::Binomial { trials: 1, probability: f64::NAN }, "demand.probability"),
            (Demand::Poisson { mean: 0.0 }, "demand.mean"),
            (Demand::Uniform { low: 3, high: 2 }, "demand.high"),
            (Demand::Constant { units: 5000 }, "demand.units"),
        ] {
            let message = demand.validate().unwrap_err().to_string();
            assert!(message.contains(field), "{message}");
        }
    }
}
