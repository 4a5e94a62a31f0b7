//! The parameters of stochastic discrete lot-sizing, and the instances that are drawn from them.

use rand::{Rng, seq::IndexedRandom};
use serde::{Deserialize, Serialize};

use super::{Demand, Plant};
use crate::{
    Error,
    parameters::{ParameterError, require},
    random::{Seed, Stream},
};

/// Stochastic discrete lot-sizing on parallel machines.
///
/// In every period each of several machines makes one of several items, or nothing. A machine that is
/// set up for another item than before costs, and loses a part of its first lot. Then demand comes; what
/// cannot be delivered is lost. The problem and its numbers are those of Felizardo et al. 2025
/// (arXiv 2504.05150) and of the authors' code. [`Plant`] is the environment.
///
/// The authors' settings are `size` 15x5, 20x10, 25x10, 25x15, 30x10 and 30x15 of the large family, with
/// episodes of 100 periods. Their matrices are draws from [`Instance::draw`]'s distributions, and so
/// are those here, from another generator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LotSizing {
    /// Items and machines, `"15x5"`; each 1 to 200.
    pub size: String,
    /// From which numbers an instance is drawn.
    pub family: Family,
    /// The seed that an instance is drawn from.
    pub seed: u64,
    /// Demand for every item in every period, independent; absent for the family's own, a binomial
    /// one.
    pub demand: Option<Demand>,
    /// Most units of an item that can be held, 1 to 1000; absent for the family's own.
    pub capacity: Option<u32>,
    /// How observations tell what the machines are set up for. The older code of the authors has
    /// numbers, the newer one hides it.
    pub observed_setups: ObservedSetups,
    /// How many past periods a picture shows, 0 to 200. They are no part of the problem.
    pub drawn_periods: usize,
}

/// The numbers that instances are drawn from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Lots up to 40 units, demand Binomial(20, 0.4), room for 100.
    #[default]
    Large,
    /// Lots up to 4 units, demand Binomial(4, 0.4), room for 10: the authors' older instances.
    Small,
}

/// How observations tell what the machines are set up for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObservedSetups {
    /// Not at all: the problem is then partially observed.
    Hidden,
    /// As one number per machine: 0 for none, else the item's number from 1 on.
    #[default]
    Number,
    /// As a one-hot code per machine.
    OneHot,
}

impl Default for LotSizing {
    fn default() -> Self {
        LotSizing {
            size: "15x5".into(),
            family: Family::Large,
            seed: 0,
            demand: None,
            capacity: None,
            observed_setups: ObservedSetups::Number,
            drawn_periods: 30,
        }
    }
}

impl LotSizing {
    /// The plant. Errors when a parameter is out of range.
    pub fn build(&self) -> Result<Plant, Error> {
        let (items, machines) = self.items_and_machines()?;
        let demand = self.demand.unwrap_or(self.family.demand());
        demand.validate()?;
        let capacity = self.capacity.unwrap_or(self.family.capacity());
        require("capacity", capacity, (1..=1000).contains(&capacity), "1 to 1000")?;
        require("drawn_periods", self.drawn_periods, self.drawn_periods <= 200, "0 to 200")?;
        let seed = Seed::new(self.seed);
        let instance = Instance { demand, capacity, ..Instance::draw(self.family, items, machines, seed) };
        Plant::new(instance, self.observed_setups, self.drawn_periods)
    }

    fn items_and_machines(&self) -> Result<(usize, usize), ParameterError> {
        let number = |text: &str| text.parse().ok().filter(|n| (1..=200).contains(n));
        let size = self.size.split_once('x').and_then(|(n, m)| Some((number(n)?, number(m)?)));
        size.ok_or_else(|| ParameterError::OutOfRange {
            field: "size".into(),
            value: format!("`{}`", self.size),
            allowed: "items and machines, each 1 to 200, as in `15x5`".into(),
        })
    }
}

impl Family {
    fn demand(self) -> Demand {
        match self {
            Family::Large => Demand::Binomial { trials: 20, probability: 0.4 },
            Family::Small => Demand::Binomial { trials: 4, probability: 0.4 },
        }
    }

    fn capacity(self) -> u32 {
        match self {
            Family::Large => 100,
            Family::Small => 10,
        }
    }
}

/// The numbers of one lot-sizing problem. Matrices are machine by machine, one number per item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// N.
    pub items: usize,
    /// M.
    pub machines: usize,
    /// P: units of an item that a machine makes in a period; zero where it cannot.
    pub production: Vec<i32>,
    /// L: units lost in the period in which a machine is newly set up for an item.
    pub setup_loss: Vec<i32>,
    /// K: what setting a machine up for an item costs.
    pub setup_cost: Vec<f64>,
    /// l: what a unit that cannot be delivered costs, per item.
    pub lost_sale_cost: Vec<f64>,
    /// h: what holding a unit for a period costs, per item.
    pub holding_cost: Vec<f64>,
    /// D, for every item.
    pub demand: Demand,
    /// Most units of each item that can be held; what is beyond is scrapped at no cost.
    pub capacity: u32,
}

impl Instance {
    /// An instance as the authors draw theirs: each number is the least one with a probability, and else
    /// one of the others, all equally likely.
    ///
    /// | | large | least with | small | least with |
    /// |---|---|---|---|---|
    /// | P | 0 to 40 | 0.4 | 0 to 4 | 0.2 |
    /// | L | 1 to 3 | 0.7 | 1 | |
    /// | K | 15 to 30 | 0.2 | 1 to 2 | 0.2 |
    /// | l | 0.1 or 1.1 | 0.5 | 1 to 3 | 0.5 |
    /// | h | 0.01 | | 0.1 | |
    ///
    /// The authors warn of an item that no machine can make. Here it is given to one machine, drawn
    /// uniformly, and a machine that can make nothing is given one item.
    pub fn draw(family: Family, items: usize, machines: usize, seed: Seed) -> Self {
        let mut rng = seed.stream("lot-sizing instance");
        let count = items * machines;
        let mut several = |n: usize, low: i32, high: i32, least: f64| -> Vec<i32> {
            (0..n).map(|_| biased(&mut rng, low, high, least)).collect()
        };
        let (most, mut production, setup_loss, setup_cost, lost, holding) = match family {
            Family::Large => (
                40,
                several(count, 0, 40, 0.4),
                several(count, 1, 3, 0.7),
                several(count, 15, 30, 0.2),
                several(items, 0, 1, 0.5).into_iter().map(|x| 0.1 + f64::from(x)).collect(),
                0.01,
            ),
            Family::Small => (
                4,
                several(count, 0, 4, 0.2),
                several(count, 1, 1, 1.0),
                several(count, 1, 2, 0.2),
                several(items, 1, 3, 0.5).into_iter().map(f64::from).collect(),
                0.1,
            ),
        };
        for item in 0..items {
            if (0..machines).all(|m| production[m * items + item] == 0) {
                let machine = rng.random_range(0..machines);
                production[machine * items + item] = rng.random_range(1..=most);
            }
        }
        for row in production.chunks_exact_mut(items) {
            if row.iter().all(|p| *p == 0) {
                row[rng.random_range(0..items)] = rng.random_range(1..=most);
            }
        }
        Instance {
            items,
            machines,
            production,
            setup_loss,
            setup_cost: setup_cost.into_iter().map(f64::from).collect(),
            lost_sale_cost: lost,
            holding_cost: vec![holding; items],
            demand: family.demand(),
            capacity: family.capacity(),
        }
    }

    /// Errors when numbers are missing, not finite, or a machine can make nothing.
    pub fn validate(&self) -> Result<(), Error> {
        let invalid = |reason| Err(Error::InvalidProcess { reason });
        let Instance { items, machines, .. } = *self;
        let count = items.saturating_mul(machines);
        let lengths = [self.production.len(), self.setup_loss.len(), self.setup_cost.len()];
        if count == 0 || lengths != [count; 3] {
            return invalid(format!(
                "{items} items and {machines} machines with matrices of {lengths:?} numbers"
            ));
        }
        let costs = [self.lost_sale_cost.len(), self.holding_cost.len()];
        if costs != [items; 2] {
            return invalid(format!("{items} items with {costs:?} costs"));
        }
        let mut numbers = self.setup_cost.iter().chain(&self.lost_sale_cost).chain(&self.holding_cost);
        if let Some(cost) = numbers.find(|x| !x.is_finite()) {
            return invalid(format!("a cost of {cost}"));
        }
        let units = self.production.iter().chain(&self.setup_loss);
        if let Some(units) = units.into_iter().find(|x| !(0..=10_000).contains(*x)) {
            return invalid(format!("a lot or loss of {units} units"));
        }
        if let Some(machine) = (0..machines).find(|&machine| self.makes(machine).next().is_none()) {
            return invalid(format!("machine {machine} can make nothing"));
        }
        Ok(self.demand.validate()?)
    }

    /// The items that a machine can make. Panics when there is no such machine.
    pub fn makes(&self, machine: usize) -> impl Iterator<Item = usize> + '_ {
        let row = &self.production[machine * self.items..][..self.items];
        row.iter().enumerate().filter(|(_, units)| **units > 0).map(|(item, _)| item)
    }
}

/// The least number with probability `least`, else one of the others.
fn biased(rng: &mut Stream, low: i32, high: i32, least: f64) -> i32 {
    let others: Vec<i32> = (low + 1..=high).collect();
    if rng.random_bool(least) { low } else { *others.choose(rng).unwrap_or(&low) }
}
