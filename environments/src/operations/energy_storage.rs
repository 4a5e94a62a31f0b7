//! Trading with a battery that also serves a load.

use std::sync::Arc;

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{Demand, add_outcome, demand::DemandTable, require_small};
use crate::{
    Action, Environment, Error, Outcome, PostDecision, Space,
    parameters::require,
    picture::{Colour, Picture, Style},
    random::Stream,
    tabular::{Decision, PostDecisionMdp, Transition},
};

/// Buy energy when it is cheap, sell it when it is dear, and serve a random load, with a battery (the
/// storage problem of Powell 2011, chapter 2, in whole units).
///
/// **Deterministic half**: up to `rate` units are bought or sold at the present price p, as far as the
/// battery allows; a unit bought costs p and one sold brings `efficiency` · p. **Random half**: the price
/// moves, then a load is drawn and taken from the battery; every unit that it cannot serve costs
/// `shortage` times the new price. Prices are `low_price` to `high_price` in `prices` equal steps.
/// They revert to the middle: the price moves up with probability `volatility` times the share of steps
/// above it, and down with `volatility` times the share of steps below (the urns of Ehrenfest).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EnergyStorage {
    /// Units that the battery holds, 1 to 1000.
    pub capacity: usize,
    /// Most units that are bought or sold in a period, 1 to 100.
    pub rate: usize,
    /// How many prices there are, 2 to 1000.
    pub prices: usize,
    /// The lowest price, 0 to 1e6.
    pub low_price: f64,
    /// The highest price, `low_price` to 1e6.
    pub high_price: f64,
    /// How restless the price is, 0 to 1.
    pub volatility: f64,
    /// Share of a unit's price that selling it brings, 0 to 1.
    pub efficiency: f64,
    /// Price of a unit of load that the battery cannot serve, in multiples of the price, 0 to 1000.
    pub shortage: f64,
    /// Load in every period.
    pub load: Demand,
}

impl Default for EnergyStorage {
    fn default() -> Self {
        EnergyStorage {
            capacity: 20,
            rate: 4,
            prices: 11,
            low_price: 1.0,
            high_price: 6.0,
            volatility: 0.8,
            efficiency: 0.9,
            shortage: 1.5,
            load: Demand::Binomial { trials: 4, probability: 0.4 },
        }
    }
}

impl EnergyStorage {
    /// The battery and its market. Errors when a parameter is out of range.
    pub fn build(&self) -> Result<EnergyStore, Error> {
        let unit = 0.0..=1.0;
        require("capacity", self.capacity, (1..=1000).contains(&self.capacity), "1 to 1000")?;
        require("rate", self.rate, (1..=100).contains(&self.rate), "1 to 100")?;
        require("prices", self.prices, (2..=1000).contains(&self.prices), "2 to 1000")?;
        require("low_price", self.low_price, (0.0..=1e6).contains(&self.low_price), "0 to 1e6")?;
        let above = self.low_price..=1e6;
        require("high_price", self.high_price, above.contains(&self.high_price), "`low_price` to 1e6")?;
        require("volatility", self.volatility, unit.contains(&self.volatility), "0 to 1")?;
        require("efficiency", self.efficiency, unit.contains(&self.efficiency), "0 to 1")?;
        require("shortage", self.shortage, (0.0..=1000.0).contains(&self.shortage), "0 to 1000")?;
        self.load.validate()?;
        let model = Model { problem: self.clone(), load: DemandTable::new(&self.load) };
        Ok(EnergyStore { model: Arc::new(model), level: 0, price: 0 })
    }

    fn price(&self, step: usize) -> f64 {
        let share = step as f64 / (self.prices - 1) as f64;
        self.low_price + share * (self.high_price - self.low_price)
    }

    /// The probabilities that the price moves up, and down.
    fn moves(&self, step: usize) -> [f64; 2] {
        let below = step as f64 / (self.prices - 1) as f64;
        [self.volatility * (1.0 - below), self.volatility * below]
    }

    /// The level after a trade, and what the trade brings. Action a buys a − `rate` units.
    fn trade(&self, level: usize, price: usize, action: usize) -> (usize, f64) {
        let after = (level + action).saturating_sub(self.rate).min(self.capacity);
        let brings =
            if after >= level { -((after - level) as f64) } else { self.efficiency * (level - after) as f64 };
        (after, brings * self.price(price))
    }

    /// The level after a load, and what the shortage brings at the new price.
    fn serve(&self, level: usize, price: usize, load: usize) -> (usize, f64) {
        let short = load.saturating_sub(level) as f64;
        (level.saturating_sub(load), -short * self.shortage * self.price(price))
    }
}

/// A battery and the price of energy; see [`EnergyStorage`].
///
/// **Observation**, before and after the decision: the units in the battery, and the price.
/// **Actions**: 0 … 2 · `rate`; action a buys a − `rate` units. **Start**: both uniform. **End**: none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnergyStore {
    model: Arc<Model>,
    level: usize,
    /// In steps from the lowest.
    price: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Model {
    problem: EnergyStorage,
    load: DemandTable,
}

impl EnergyStore {
    /// Units in the battery.
    pub fn level(&self) -> usize {
        self.level
    }

    /// The present price.
    pub fn price(&self) -> f64 {
        self.model.problem.price(self.price)
    }

    /// The number of the state in [`exact`](Self::exact): level · prices + the price's step.
    pub fn state_number(&self) -> usize {
        self.level * self.model.problem.prices + self.price
    }

    /// The same problem with exact tables; post-decision states are numbered as states are. Errors when
    /// the tables would be too large.
    pub fn exact(&self) -> Result<PostDecisionMdp, Error> {
        let problem = &self.model.problem;
        let loads = problem.load.probabilities();
        let states = (problem.capacity + 1) * problem.prices;
        require_small("the energy storage", states as f64 * (3 * loads.len()) as f64)?;
        let split = |state: usize| (state / problem.prices, state % problem.prices);
        let decide = |state: usize, action: usize| {
            let (level, price) = split(state);
            let (after, reward) = problem.trade(level, price, action);
            Decision { post: after * problem.prices + price, reward }
        };
        let outcomes = |post: usize| {
            let (level, price) = split(post);
            let [up, down] = problem.moves(price);
            let mut outcomes = Vec::new();
            for (next_price, moved) in
                [(price + 1, up), (price, 1.0 - up - down), (price.wrapping_sub(1), down)]
            {
                // Beyond the ends moves have no probability.
                if moved <= 0.0 {
                    continue;
                }
                for (load, probability) in loads.iter().enumerate() {
                    let (left, reward) = problem.serve(level, next_price, load);
                    let next = left * problem.prices + next_price;
                    add_outcome(&mut outcomes, Transition { probability: moved * probability, next, reward });
                }
            }
            outcomes
        };
        let initial = vec![1.0 / states as f64; states];
        PostDecisionMdp::new([states, 2 * problem.rate + 1, states], &initial, &[], decide, outcomes)
    }

    fn trade(&self, action: Action<'_>) -> Result<(usize, f64), Error> {
        let action = action.discrete(2 * self.model.problem.rate + 1)?;
        Ok(self.model.problem.trade(self.level, self.price, action))
    }

    fn space(&self) -> Space {
        let EnergyStorage { capacity, low_price, high_price, .. } = self.model.problem;
        Space::Box { low: vec![0.0, low_price as f32], high: vec![capacity as f32, high_price as f32] }
    }

    fn observe(&self, level: usize, observation: &mut [f32]) {
        observation[0] = level as f32;
        observation[1] = self.price() as f32;
    }
}

impl PostDecision for EnergyStore {
    fn post_decision_space(&self) -> Space {
        self.space()
    }

    fn decide(&self, action: Action<'_>, observation: &mut [f32]) -> Result<f64, Error> {
        let (after, reward) = self.trade(action)?;
        self.observe(after, observation);
        Ok(reward)
    }
}

impl Environment for EnergyStore {
    fn observation_space(&self) -> Space {
        self.space()
    }

    fn action_space(&self) -> Space {
        Space::discrete(2 * self.model.problem.rate + 1)
    }

    fn reset(&mut self, rng: &mut Stream, observation: &mut [f32]) -> Result<(), Error> {
        self.level = rng.random_range(0..=self.model.problem.capacity);
        self.price = rng.random_range(0..self.model.problem.prices);
        self.observe(self.level, observation);
        Ok(())
    }

    fn step(
        &mut self,
        action: Action<'_>,
        rng: &mut Stream,
        observation: &mut [f32],
    ) -> Result<Outcome, Error> {
        let (level, known) = self.trade(action)?;
        let problem = &self.model.problem;
        let [up, down] = problem.moves(self.price);
        let moved: f64 = rng.random();
        self.price = if moved < up {
            self.price + 1
        } else if moved < up + down {
            self.price - 1
        } else {
            self.price
        };
        let (level, random) = problem.serve(level, self.price, self.model.load.draw(rng) as usize);
        self.level = level;
        self.observe(level, observation);
        Ok(Outcome::running(known + random))
    }

    fn draw(&self) -> Option<Picture> {
        let EnergyStorage { capacity, prices, .. } = self.model.problem;
        let mut picture = Picture::new([-0.3, -0.9], [3.3, 4.5]);
        let bars = [
            ("battery", self.level as f64 / capacity as f64, self.level.to_string(), Colour::GREEN),
            (
                "price",
                self.price as f64 / (prices - 1) as f64,
                format!("{:.2}", self.price()),
                Colour::ORANGE,
            ),
        ];
        for (i, (name, share, text, colour)) in bars.into_iter().enumerate() {
            let x = 1.6 * i as f64;
            picture.rectangle([x, 0.0], [x + 1.4, 4.0], Style::fill(Colour::LIGHT_GREY));
            picture.rectangle([x, 0.0], [x + 1.4, 4.0 * share], Style::fill(colour));
            picture.text([x + 0.7, 4.2], 0.4, text);
            picture.text([x + 0.7, -0.4], 0.4, name);
        }
        Some(picture)
    }

    fn post_decision(&self) -> Option<&dyn PostDecision> {
        Some(self)
    }
}
