//! Ordering one item that arrives some periods later.

use std::sync::Arc;

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{Demand, add_outcome, demand::DemandTable, require_small};
use crate::{
    Action, Environment, Error, Outcome, PostDecision, Space,
    parameters::require,
    picture::{Anchor, Colour, Lettering, Picture, Style},
    random::Stream,
    tabular::{Decision, PostDecisionMdp, Transition},
};

/// Keep one item in stock whose orders arrive after a lead time, with lost sales (Zipkin 2008, "Old and
/// new methods for lost-sales inventory systems").
///
/// An order of q units joins the pipeline at once and costs `fixed_cost` where q > 0 and `unit_cost` a
/// unit: this is the deterministic half. Then the oldest order in the pipeline arrives (with
/// `lead_time` 1 the one just placed), demand is served, a shortfall is lost at `lost_sale_cost` a unit,
/// what is beyond `capacity` is sent back at no cost, and the rest costs `holding_cost` a unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Inventory {
    /// Periods from an order to its arrival at the period's end, 1 to 20.
    pub lead_time: usize,
    /// Most units of an order, 1 to 1000.
    pub largest_order: usize,
    /// Most units that can be held, 1 to 1000.
    pub capacity: u32,
    /// Demand in every period.
    pub demand: Demand,
    /// Cost of an order, whatever its size; finite.
    pub fixed_cost: f64,
    /// Cost of every unit ordered; finite.
    pub unit_cost: f64,
    /// Cost of every unit held at a period's end; finite.
    pub holding_cost: f64,
    /// Cost of every unit of demand that is lost; finite.
    pub lost_sale_cost: f64,
}

impl Default for Inventory {
    /// Poisson demand of 5, a lead time of 4 periods, holding 1 and lost sales 4 a unit: a case of
    /// Zipkin's.
    fn default() -> Self {
        Inventory {
            lead_time: 4,
            largest_order: 15,
            capacity: 60,
            demand: Demand::Poisson { mean: 5.0 },
            fixed_cost: 0.0,
            unit_cost: 0.0,
            holding_cost: 1.0,
            lost_sale_cost: 4.0,
        }
    }
}

impl Inventory {
    /// The warehouse. Errors when a parameter is out of range.
    pub fn build(&self) -> Result<Warehouse, Error> {
        require("lead_time", self.lead_time, (1..=20).contains(&self.lead_time), "1 to 20")?;
        let orders = 1..=1000;
        require("largest_order", self.largest_order, orders.contains(&self.largest_order), "1 to 1000")?;
        require("capacity", self.capacity, (1..=1000).contains(&self.capacity), "1 to 1000")?;
        self.demand.validate()?;
        for (field, cost) in [
            ("fixed_cost", self.fixed_cost),
            ("unit_cost", self.unit_cost),
            ("holding_cost", self.holding_cost),
            ("lost_sale_cost", self.lost_sale_cost),
        ] {
            require(field, cost, cost.abs() <= 1e9, "a number up to 1e9")?;
        }
        Ok(Warehouse {
            on_hand: 0,
            pipeline: vec![0; self.lead_time - 1],
            model: Arc::new(Model { problem: self.clone(), demand: DemandTable::new(&self.demand) }),
        })
    }

    fn order_cost(&self, units: usize) -> f64 {
        self.unit_cost * units as f64 + if units > 0 { self.fixed_cost } else { 0.0 }
    }

    /// Serves a demand from so many units: what is left, and what that costs.
    fn serve(&self, available: u32, demand: u32) -> (u32, f64) {
        if demand > available {
            return (0, f64::from(demand - available) * self.lost_sale_cost);
        }
        let held = (available - demand).min(self.capacity);
        (held, f64::from(held) * self.holding_cost)
    }
}

/// A stock of one item and the orders on their way; see [`Inventory`].
///
/// **Observation**: units on hand, then the orders on their way, the next to arrive first
/// (`lead_time` − 1 numbers). A post-decision observation has the new order as one more number.
/// **Actions**: how many units to order. **Start**: nothing on its way, on hand uniform in 0 …
/// capacity. **End**: none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Warehouse {
    model: Arc<Model>,
    on_hand: u32,
    pipeline: Vec<u32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Model {
    problem: Inventory,
    demand: DemandTable,
}

impl Warehouse {
    /// Units on hand.
    pub fn on_hand(&self) -> u32 {
        self.on_hand
    }

    /// Orders on their way, the next to arrive first.
    pub fn pipeline(&self) -> &[u32] {
        &self.pipeline
    }

    /// The number of the state in [`exact`](Self::exact): digits with the units on hand as the most
    /// significant, then the pipeline.
    pub fn state_number(&self) -> usize {
        let orders = self.model.problem.largest_order + 1;
        self.pipeline.iter().fold(self.on_hand as usize, |n, order| n * orders + *order as usize)
    }

    /// The same problem with exact tables, for small sizes; post-decision states are numbered as states
    /// are, with the new order as one more digit. Errors when the tables would be too large.
    pub fn exact(&self) -> Result<PostDecisionMdp, Error> {
        let problem = &self.model.problem;
        let demands = problem.demand.probabilities();
        let (levels, orders) = (problem.capacity as usize + 1, problem.largest_order + 1);
        let lead = problem.lead_time as i32;
        let size = levels as f64 * (orders as f64).powi(lead) * demands.len() as f64;
        require_small("the inventory", size)?;

        let kept = orders.pow(problem.lead_time as u32 - 1);
        let states = levels * kept;
        let mut initial = vec![0.0; states];
        (0..levels).for_each(|on_hand| initial[on_hand * kept] = 1.0 / levels as f64);
        let decide = |state: usize, order: usize| Decision {
            post: state * orders + order,
            reward: -problem.order_cost(order),
        };
        let outcomes = |post: usize| {
            let (on_hand, pipeline) = (post / (kept * orders), post % (kept * orders));
            let (arriving, rest) = (pipeline / kept, pipeline % kept);
            let mut outcomes = Vec::new();
            for (asked, &probability) in demands.iter().enumerate() {
                let (left, cost) = problem.serve((on_hand + arriving) as u32, asked as u32);
                let next = left as usize * kept + rest;
                add_outcome(&mut outcomes, Transition { probability, next, reward: -cost });
            }
            outcomes
        };
        PostDecisionMdp::new([states, orders, states * orders], &initial, &[], decide, outcomes)
    }

    fn observe(&self, observation: &mut [f32]) {
        observation[0] = self.on_hand as f32;
        observation[1..].iter_mut().zip(&self.pipeline).for_each(|(x, order)| *x = *order as f32);
    }

    fn space(&self, orders: usize) -> Space {
        let Inventory { capacity, largest_order, .. } = self.model.problem;
        let mut high = vec![largest_order as f32; orders + 1];
        high[0] = capacity as f32;
        Space::Box { low: vec![0.0; high.len()], high }
    }

    fn order(&self, action: Action<'_>) -> Result<usize, Error> {
        action.discrete(self.model.problem.largest_order + 1)
    }
}

impl PostDecision for Warehouse {
    fn post_decision_space(&self) -> Space {
        self.space(self.pipeline.len() + 1)
    }

    fn decide(&self, action: Action<'_>, observation: &mut [f32]) -> Result<f64, Error> {
        let order = self.order(action)?;
        let (observed, last) = observation.split_at_mut(self.pipeline.len() + 1);
        self.observe(observed);
        last[0] = order as f32;
        Ok(-self.model.problem.order_cost(order))
    }
}

impl Environment for Warehouse {
    fn observation_space(&self) -> Space {
        self.space(self.pipeline.len())
    }

    fn action_space(&self) -> Space {
        Space::discrete(self.model.problem.largest_order + 1)
    }

    fn reset(&mut self, rng: &mut Stream, observation: &mut [f32]) -> Result<(), Error> {
        self.on_hand = rng.random_range(0..=self.model.problem.capacity);
        self.pipeline.fill(0);
        self.observe(observation);
        Ok(())
    }

    fn step(
        &mut self,
        action: Action<'_>,
        rng: &mut Stream,
        observation: &mut [f32],
    ) -> Result<Outcome, Error> {
        let order = self.order(action)?;
        let arriving = match self.pipeline.first() {
            None => order as u32,
            Some(&oldest) => {
                self.pipeline.rotate_left(1);
                if let Some(newest) = self.pipeline.last_mut() {
                    *newest = order as u32;
                }
                oldest
            }
        };
        let (left, cost) = self.model.problem.serve(self.on_hand + arriving, self.model.demand.draw(rng));
        self.on_hand = left;
        self.observe(observation);
        Ok(Outcome::running(-self.model.problem.order_cost(order) - cost))
    }

    fn draw(&self) -> Option<Picture> {
        let (count, capacity) = (self.pipeline.len() as f64 + 1.0, f64::from(self.model.problem.capacity));
        let mut picture = Picture::new([-0.2, -1.2], [1.2 * count + 0.2, 4.6]);
        let bars = std::iter::once(&self.on_hand).chain(&self.pipeline);
        for (i, units) in bars.enumerate() {
            let x = 1.2 * i as f64;
            let colour = if i == 0 { Colour::BLUE } else { Colour::ORANGE };
            picture.rectangle([x, 0.0], [x + 1.0, 4.0 * f64::from(*units) / capacity], Style::fill(colour));
            picture.text([x + 0.5, -0.3], 0.4, units.to_string());
            let name = if i == 0 { "on hand".into() } else { format!("in {i}") };
            picture.lettering([x + 0.5, -0.8], name, Lettering::new(0.26).anchored(Anchor::Middle));
        }
        Some(picture)
    }

    fn post_decision(&self) -> Option<&dyn PostDecision> {
        Some(self)
    }
}
