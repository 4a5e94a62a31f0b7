//! The environment of stochastic discrete lot-sizing.

use std::{collections::HashMap, sync::Arc};

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{Instance, ObservedSetups, Plan, add_outcome, demand::DemandTable, require_small};
use crate::{
    Action, Environment, Error, Outcome, PostDecision, Space,
    picture::Picture,
    random::Stream,
    tabular::{Decision, PostDecisionMdp, Transition},
};

/// Parallel machines that make items to stock; see [`LotSizing`](super::LotSizing).
///
/// **Observation**: the inventory of every item, in units, and what every machine is set up for, if that
/// is observed. **Actions**: for every machine 0 to stand idle, or an item's number from 1 on.
///
/// **Deterministic half**, [`decide`](PostDecision::decide): a machine that stands idle loses its setup.
/// One that makes item i adds P units, after a change of setup P − L units, which may be negative where
/// it cannot make the item, at the cost K. r^x is minus the cost of all changes. The post-decision
/// observation is that of inventories, which may now be negative or beyond the capacity, and setups.
///
/// **Random half**: demand is drawn and served. A shortfall is lost and costs l a unit; what is beyond
/// the capacity is scrapped at no cost; the rest costs h a unit. r^w is minus these costs.
///
/// **Start**: every inventory uniform in 0 … capacity − 1, every machine set up for an item that it can
/// make. **End**: none; the authors' episodes are cut off after 100 periods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plant {
    model: Arc<Model>,
    inventory: Vec<i32>,
    /// Per machine: 0 for none, else the item's number from 1 on.
    setups: Vec<usize>,
    plan: Plan,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Model {
    instance: Instance,
    demand: DemandTable,
    observed: ObservedSetups,
}

impl Model {
    /// The cost of all changes of setup; `add(item, units)` is called for whatever a machine adds.
    fn produce(&self, setups: &[usize], action: &[usize], mut add: impl FnMut(usize, i32)) -> f64 {
        let Instance { items, production, setup_loss, setup_cost, .. } = &self.instance;
        let mut cost = 0.0;
        for (machine, (&chosen, &before)) in action.iter().zip(setups).enumerate() {
            let Some(item) = chosen.checked_sub(1) else { continue };
            let entry = machine * items + item;
            let mut units = production[entry];
            if chosen != before {
                cost += setup_cost[entry];
                units -= setup_loss[entry];
            }
            add(item, units);
        }
        cost
    }

    /// Serves a demand for one item: the inventory after it, and what that costs.
    fn serve(&self, item: usize, inventory: i32, demand: u32) -> (i32, f64) {
        let left = inventory - demand as i32;
        if left < 0 {
            return (0, f64::from(-left) * self.instance.lost_sale_cost[item]);
        }
        let held = left.min(self.instance.capacity as i32);
        (held, f64::from(held) * self.instance.holding_cost[item])
    }

    fn width(&self) -> usize {
        let Instance { items, machines, .. } = self.instance;
        items
            + match self.observed {
                ObservedSetups::Hidden => 0,
                ObservedSetups::Number => machines,
                ObservedSetups::OneHot => machines * (items + 1),
            }
    }

    /// The box of observations with inventories from `low` to `high`.
    fn space(&self, mut low: Vec<f32>, mut high: Vec<f32>) -> Space {
        low.resize(self.width(), 0.0);
        let setup = if self.observed == ObservedSetups::OneHot { 1.0 } else { self.instance.items as f32 };
        high.resize(self.width(), setup);
        Space::Box { low, high }
    }

    fn observe_setups(&self, setups: &[usize], observation: &mut [f32]) {
        match self.observed {
            ObservedSetups::Hidden => {}
            ObservedSetups::Number => {
                observation.iter_mut().zip(setups).for_each(|(x, setup)| *x = *setup as f32);
            }
            ObservedSetups::OneHot => {
                observation.fill(0.0);
                let codes = observation.chunks_exact_mut(self.instance.items + 1);
                codes.zip(setups).for_each(|(code, setup)| code[*setup] = 1.0);
            }
        }
    }
}

impl Plant {
    /// An empty plant in which nothing is set up, until the first `reset`. Its pictures show
    /// `drawn_periods` past periods. Errors when the instance is not [valid](Instance::validate).
    pub fn new(instance: Instance, observed: ObservedSetups, drawn_periods: usize) -> Result<Self, Error> {
        instance.validate()?;
        Ok(Plant {
            inventory: vec![0; instance.items],
            setups: vec![0; instance.machines],
            plan: Plan::new(instance.items, instance.machines, drawn_periods),
            model: Arc::new(Model { demand: DemandTable::new(&instance.demand), instance, observed }),
        })
    }

    /// The numbers of the problem.
    pub fn instance(&self) -> &Instance {
        &self.model.instance
    }

    /// Units of every item.
    pub fn inventory(&self) -> &[i32] {
        &self.inventory
    }

    /// What every machine is set up for: 0 for nothing, else the item's number from 1 on.
    pub fn setups(&self) -> &[usize] {
        &self.setups
    }

    /// What happened in the past periods.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Puts the plant into a state. Errors when there are not as many inventories as items, between 0 and
    /// the capacity, and as many setups as machines, each of an item or none.
    pub fn set_state(&mut self, inventory: &[i32], setups: &[usize]) -> Result<(), Error> {
        let Instance { items, machines, capacity, .. } = self.model.instance;
        let fits = inventory.len() == items
            && setups.len() == machines
            && inventory.iter().all(|units| (0..=capacity as i32).contains(units))
            && setups.iter().all(|setup| *setup <= items);
        if !fits {
            let reason =
                format!("no state of {items} items and {machines} machines: {inventory:?}, {setups:?}");
            return Err(Error::InvalidProcess { reason });
        }
        self.inventory.copy_from_slice(inventory);
        self.setups.copy_from_slice(setups);
        Ok(())
    }

    /// The deterministic half of a step: what every machine does. Returns r^x. Errors when the action is
    /// not in the action space.
    pub fn produce(&mut self, action: Action<'_>) -> Result<f64, Error> {
        let action = self.machines(action)?;
        let Plant { model, inventory, setups, plan } = self;
        plan.begin(action);
        let cost = model.produce(setups, action, |item, units| {
            inventory[item] += units;
            plan.produced(item, units);
        });
        setups.copy_from_slice(action);
        Ok(-cost)
    }

    /// The random half of a step with a demand that is given for every item. Returns r^w.
    ///
    /// # Panics
    /// When there are fewer demands than items.
    pub fn meet(&mut self, mut demand: impl FnMut(usize) -> u32) -> f64 {
        let Plant { model, inventory, plan, .. } = self;
        let mut total = 0.0;
        for (item, units) in inventory.iter_mut().enumerate() {
            let asked = demand(item);
            let (left, cost) = model.serve(item, *units, asked);
            plan.served(item, asked, left, *units);
            *units = left;
            total += cost;
        }
        plan.end();
        -total
    }

    fn machines<'a>(&self, action: Action<'a>) -> Result<&'a [usize], Error> {
        let Instance { items, machines, .. } = self.model.instance;
        match action {
            Action::MultiDiscrete(a) if a.len() == machines && a.iter().all(|a| *a <= items) => Ok(a),
            _ => Err(action.mismatch(&self.action_space())),
        }
    }

    fn observe(&self, observation: &mut [f32]) {
        let (inventory, setups) = observation.split_at_mut(self.inventory.len());
        inventory.iter_mut().zip(&self.inventory).for_each(|(x, units)| *x = *units as f32);
        self.model.observe_setups(&self.setups, setups);
    }

    /// The number of the plant's state, and of its joint action, in [`exact`](Self::exact): digits with
    /// the first item, then the first machine, as the most significant.
    pub fn state_number(&self) -> usize {
        let Instance { items, capacity, .. } = self.model.instance;
        let inventory = self.inventory.iter().fold(0, |n, i| n * (capacity as usize + 1) + *i as usize);
        self.setups.iter().fold(inventory, |n, setup| n * (items + 1) + setup)
    }

    /// The same problem with exact tables, for small sizes. States are numbered as by
    /// [`state_number`](Self::state_number), joint actions likewise: (items + 1)^machines of them.
    /// Errors when the tables would be too large.
    pub fn exact(&self) -> Result<PostDecisionMdp, Error> {
        let model = &*self.model;
        let Instance { items, machines, capacity, .. } = model.instance;
        let (levels, choices) = (capacity as usize + 1, items + 1);
        let demands = model.instance.demand.probabilities();
        let power = |base: usize, exponent: usize| (base as f64).powi(exponent as i32);
        let joint = power(choices, machines);
        // A machine adds one of two amounts, as its setup has changed or not.
        let posts = power(2, machines) * power(demands.len(), items);
        let size = power(levels, items) * joint * joint.max(posts);
        require_small("lot-sizing", size)?;

        let (stocks, setups) = (levels.pow(items as u32), choices.pow(machines as u32));
        let all_setups: Vec<Vec<usize>> = (0..setups).map(|n| digits(n, choices, machines)).collect();
        // Post-decision states are numbered as they are met.
        let mut numbers: HashMap<(Vec<i32>, usize), usize> = HashMap::new();
        let mut posts: Vec<(Vec<i32>, usize)> = Vec::new();
        let mut decisions = Vec::with_capacity(stocks * setups * setups);
        for stock in 0..stocks {
            let inventory: Vec<i32> = digits(stock, levels, items).iter().map(|x| *x as i32).collect();
            for before in &all_setups {
                for (chosen, action) in all_setups.iter().enumerate() {
                    let mut inventory = inventory.clone();
                    let cost = model.produce(before, action, |item, units| inventory[item] += units);
                    let post = *numbers.entry((inventory, chosen)).or_insert_with_key(|post| {
                        posts.push(post.clone());
                        posts.len() - 1
                    });
                    decisions.push(Decision { post, reward: -cost });
                }
            }
        }

        let mut initial = vec![0.0; stocks * setups];
        for (state, share) in initial.iter_mut().enumerate() {
            let full = digits(state / setups, levels, items).contains(&(levels - 1));
            let possible = all_setups[state % setups].iter().enumerate().map(|(machine, &setup)| {
                let items: Vec<usize> = model.instance.makes(machine).collect();
                let made = setup.checked_sub(1).is_some_and(|item| items.contains(&item));
                if made { 1.0 / items.len() as f64 } else { 0.0 }
            });
            *share = if full { 0.0 } else { possible.product::<f64>() / power(levels - 1, items) };
        }

        let decide = |state: usize, action: usize| decisions[state * setups + action];
        let outcomes = |post: usize| {
            let (inventory, setup) = &posts[post];
            let mut joint = vec![Transition { probability: 1.0, next: 0, reward: 0.0 }];
            for (item, units) in inventory.iter().enumerate() {
                let mut of_item = Vec::new();
                for (asked, &probability) in demands.iter().enumerate() {
                    let (left, cost) = model.serve(item, *units, asked as u32);
                    add_outcome(&mut of_item, Transition { probability, next: left as usize, reward: -cost });
                }
                joint = joint
                    .iter()
                    .flat_map(|so_far| {
                        of_item.iter().map(|t| Transition {
                            probability: so_far.probability * t.probability,
                            next: so_far.next * levels + t.next,
                            reward: so_far.reward + t.reward,
                        })
                    })
                    .collect();
            }
            joint.iter_mut().for_each(|t| t.next = t.next * setups + setup);
            joint
        };
        PostDecisionMdp::new([stocks * setups, setups, posts.len()], &initial, &[], decide, outcomes)
    }
}

/// The digits of a number, the most significant first.
fn digits(mut number: usize, base: usize, count: usize) -> Vec<usize> {
    let mut digits = vec![0; count];
    for digit in digits.iter_mut().rev() {
        *digit = number % base;
        number /= base;
    }
    digits
}

impl PostDecision for Plant {
    fn post_decision_space(&self) -> Space {
        let Instance { items, production, setup_loss, capacity, .. } = &self.model.instance;
        let (mut low, mut high) = (vec![0.0; *items], vec![*capacity as f32; *items]);
        for (entry, (units, loss)) in production.iter().zip(setup_loss).enumerate() {
            low[entry % items] += (units - loss).min(0) as f32;
            high[entry % items] += *units as f32;
        }
        self.model.space(low, high)
    }

    fn decide(&self, action: Action<'_>, observation: &mut [f32]) -> Result<f64, Error> {
        let action = self.machines(action)?;
        let (inventory, setups) = observation.split_at_mut(self.inventory.len());
        inventory.iter_mut().zip(&self.inventory).for_each(|(x, units)| *x = *units as f32);
        let cost = self.model.produce(&self.setups, action, |item, units| inventory[item] += units as f32);
        self.model.observe_setups(action, setups);
        Ok(-cost)
    }
}

impl Environment for Plant {
    fn observation_space(&self) -> Space {
        let Instance { items, capacity, .. } = self.model.instance;
        self.model.space(vec![0.0; items], vec![capacity as f32; items])
    }

    fn action_space(&self) -> Space {
        let Instance { items, machines, .. } = self.model.instance;
        Space::MultiDiscrete { sizes: vec![items + 1; machines] }
    }

    fn reset(&mut self, rng: &mut Stream, observation: &mut [f32]) -> Result<(), Error> {
        let Plant { model, inventory, setups, plan } = self;
        plan.clear();
        let capacity = model.instance.capacity as i32;
        inventory.iter_mut().for_each(|units| *units = rng.random_range(0..capacity));
        for (machine, setup) in setups.iter_mut().enumerate() {
            let makes = || model.instance.makes(machine);
            let drawn = rng.random_range(0..makes().count());
            *setup = makes().nth(drawn).map_or(0, |item| item + 1);
        }
        self.observe(observation);
        Ok(())
    }

    fn step(
        &mut self,
        action: Action<'_>,
        rng: &mut Stream,
        observation: &mut [f32],
    ) -> Result<Outcome, Error> {
        let known = self.produce(action)?;
        let model = Arc::clone(&self.model);
        let random = self.meet(|_| model.demand.draw(rng));
        self.observe(observation);
        Ok(Outcome::running(known + random))
    }

    fn draw(&self) -> Option<Picture> {
        Some(self.plan.draw(&self.inventory))
    }

    fn post_decision(&self) -> Option<&dyn PostDecision> {
        Some(self)
    }
}
