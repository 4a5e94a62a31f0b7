//! An environment of your own, checked against the contract and solved by PPO.
//!
//! `cargo run --example own_environment`

use assay_algorithms::{Learner, ppo, tensor::Cpu};
use assay_environments::{
    Action, Batch, Environment, Error, Outcome, Space, conformance,
    random::{Seed, Stream},
    wrappers::TimeLimit,
};
use rand::Rng;
use serde::{Deserialize, Serialize};

/// Keep a room at 21 °C by switching a heater, while it is colder outside.
#[derive(Clone, Serialize, Deserialize)]
struct Thermostat {
    temperature: f32,
}

impl Environment for Thermostat {
    fn observation_space(&self) -> Space {
        Space::symmetric(1, f32::INFINITY)
    }

    fn action_space(&self) -> Space {
        Space::discrete(2)
    }

    fn reset(&mut self, rng: &mut Stream, observation: &mut [f32]) -> Result<(), Error> {
        self.temperature = rng.random_range(15.0..25.0);
        observation[0] = self.temperature - 21.0;
        Ok(())
    }

    fn step(&mut self, action: Action, rng: &mut Stream, observation: &mut [f32]) -> Result<Outcome, Error> {
        let heat = if action.discrete(2)? == 1 { 2.0 } else { 0.0 };
        self.temperature += heat - 0.05 * (self.temperature - rng.random_range(0.0..10.0));
        observation[0] = self.temperature - 21.0;
        Ok(Outcome::running(-f64::from(observation[0].abs())))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let room = TimeLimit::new(Thermostat { temperature: 21.0 }, 50)?;
    conformance::check(&room)?;

    let seed = Seed::new(1);
    let rooms = Box::new(Batch::new(room, 8, seed)?);
    let config = ppo::Config { steps: 128, ..ppo::Config::default() };
    let mut learner = ppo::Ppo::new(config, rooms, seed, Cpu::default())?;
    while learner.steps() < 50_000 {
        let report = learner.advance()?;
        if let Some(episode) = report.episodes.last() {
            println!("{:>6} steps   return {:7.1}", learner.steps(), episode.total_reward);
        }
    }
    Ok(())
}
