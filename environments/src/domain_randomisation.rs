//! New physical parameters in every episode, drawn from a box.

use std::collections::BTreeMap;

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::{
    Actions, BatchedEnvironment, BatchedStep, Error, PhysicalParameters, Space, VectorReward,
    hills::NormalActions,
    parameters::require,
    physical_parameters::find,
    picture::Picture,
    random::{Seed, Stream},
    submodular::Submodular,
    tabular::Tabular,
};

/// A box of physical parameters: their names, in alphabetical order, with the smallest and the largest
/// value of each.
pub type ParameterBox = BTreeMap<String, [f64; 2]>;

/// Errors unless `environment` has physical parameters of these names, and the ranges are within theirs.
pub fn check_box(environment: &mut dyn BatchedEnvironment, ranges: &ParameterBox) -> Result<(), Error> {
    let all = physics(environment, 0)?.physical_parameters();
    for (name, &[low, high]) in ranges {
        let parameter = &all[find(&all, name)?];
        parameter.check(low)?;
        parameter.check(high)?;
        require(name, format!("{low} to {high}"), low <= high, "a range from low to high")?;
    }
    Ok(())
}

/// Sets the parameters of a box, in its order, from the next reset of a copy on. Errors when a copy does
/// not have them, or a value is out of its range.
pub fn set_parameters(
    environment: &mut dyn BatchedEnvironment,
    copy: usize,
    ranges: &ParameterBox,
    values: &[f64],
) -> Result<(), Error> {
    let physics = physics(environment, copy)?;
    ranges.keys().zip(values).try_for_each(|(name, &value)| physics.set_physical_parameter(name, value))
}

fn physics(
    environment: &mut dyn BatchedEnvironment,
    copy: usize,
) -> Result<&mut dyn PhysicalParameters, Error> {
    let missing = || Error::Unchangeable { copy };
    environment.physics(copy).ok_or_else(missing)
}

/// A batch whose copies have physical parameters drawn uniformly from a box, anew in every episode
/// (domain randomisation, Tobin et al. 2017, arXiv 1703.06907). Nobody observes them.
pub struct DomainRandomisation {
    environment: Box<dyn BatchedEnvironment>,
    ranges: ParameterBox,
    state: State,
    observations: Vec<f32>,
}

#[derive(Clone, Serialize, Deserialize)]
struct State {
    stream: Stream,
    /// The values of the running episodes (copies × parameters).
    current: Vec<f64>,
    /// Those of the episodes that come next, which the copies know already.
    next: Vec<f64>,
}

impl DomainRandomisation {
    /// Draws from the stream `"domain randomisation"` of `seed`. Errors when the environment has no such
    /// parameters, or a range is not within the parameter's own.
    pub fn new(
        mut environment: Box<dyn BatchedEnvironment>,
        ranges: ParameterBox,
        seed: Seed,
    ) -> Result<Self, Error> {
        check_box(&mut *environment, &ranges)?;
        Ok(Self::of_checked(environment, ranges, seed))
    }

    fn of_checked(environment: Box<dyn BatchedEnvironment>, ranges: ParameterBox, seed: Seed) -> Self {
        let values = vec![0.0; environment.copies() * ranges.len()];
        let observations = environment.copies() * environment.observation_space().features();
        DomainRandomisation {
            state: State {
                stream: seed.stream("domain randomisation"),
                current: values.clone(),
                next: values,
            },
            observations: vec![0.0; observations],
            environment,
            ranges,
        }
    }

    /// The parameters of a copy's running episode, in the order of the box. Panics when there is no such
    /// copy.
    pub fn current(&self, copy: usize) -> &[f64] {
        &self.state.current[copy * self.ranges.len()..][..self.ranges.len()]
    }

    /// What all copies show now (copies × features).
    pub fn observations(&self) -> &[f32] {
        &self.observations
    }

    /// The next episode of a copy becomes the running one, and the one after it gets its parameters.
    fn begin_episode(&mut self, copy: usize) -> Result<(), Error> {
        let width = self.ranges.len();
        let State { stream, current, next } = &mut self.state;
        let next = &mut next[copy * width..][..width];
        current[copy * width..][..width].copy_from_slice(next);
        for (value, &[low, high]) in next.iter_mut().zip(self.ranges.values()) {
            *value = stream.random_range(low..=high);
        }
        set_parameters(&mut *self.environment, copy, &self.ranges, next)
    }
}

impl BatchedEnvironment for DomainRandomisation {
    fn copies(&self) -> usize {
        self.environment.copies()
    }

    fn observation_space(&self) -> &Space {
        self.environment.observation_space()
    }

    fn action_space(&self) -> &Space {
        self.environment.action_space()
    }

    fn reset(&mut self, observations: &mut [f32]) -> Result<(), Error> {
        for copy in 0..self.copies() {
            self.begin_episode(copy)?;
        }
        self.environment.reset(observations)?;
        self.observations.copy_from_slice(observations);
        // The copies are told the parameters of their next episodes only after this one has begun.
        (0..self.copies()).try_for_each(|copy| self.begin_episode(copy))
    }

    fn step(&mut self, actions: &Actions, step: &mut BatchedStep) -> Result<(), Error> {
        self.environment.step(actions, step)?;
        self.observations.copy_from_slice(&step.observations);
        for copy in 0..self.copies() {
            if step.terminated[copy] || step.truncated[copy] {
                self.begin_episode(copy)?;
            }
        }
        Ok(())
    }

    fn snapshot(&self) -> Result<Vec<u8>, Error> {
        let whole = (self.environment.snapshot()?, &self.state, &self.observations);
        postcard::to_allocvec(&whole).map_err(|e| Error::Snapshot { reason: e.to_string() })
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), Error> {
        let refuse = |reason: String| Error::Snapshot { reason };
        let (inner, state, observations): (Vec<u8>, State, Vec<f32>) =
            postcard::from_bytes(snapshot).map_err(|e| refuse(e.to_string()))?;
        let given = (state.current.len(), state.next.len(), observations.len());
        if given != (self.state.current.len(), self.state.next.len(), self.observations.len()) {
            return Err(refuse("it is of another number of copies or parameters".into()));
        }
        self.environment.restore(&inner)?;
        (self.state, self.observations) = (state, observations);
        Ok(())
    }

    fn replicate(&self, copies: usize, seed: Seed) -> Box<dyn BatchedEnvironment> {
        let environment = self.environment.replicate(copies, seed);
        Box::new(Self::of_checked(environment, self.ranges.clone(), seed))
    }

    fn draw(&self, copy: usize) -> Option<Picture> {
        self.environment.draw(copy)
    }

    fn vector_reward(&self, copy: usize) -> Option<&dyn VectorReward> {
        self.environment.vector_reward(copy)
    }

    fn physics(&mut self, copy: usize) -> Option<&mut dyn PhysicalParameters> {
        self.environment.physics(copy)
    }

    fn tabular(&self) -> Option<&dyn Tabular> {
        self.environment.tabular()
    }

    fn submodular(&self) -> Option<&dyn Submodular> {
        self.environment.submodular()
    }

    fn normal_actions(&self) -> Option<&dyn NormalActions> {
        self.environment.normal_actions()
    }

    fn post_decision_space(&self) -> Option<&Space> {
        self.environment.post_decision_space()
    }

    fn decide(
        &mut self,
        actions: &Actions,
        observations: &mut [f32],
        rewards: &mut [f32],
    ) -> Result<(), Error> {
        self.environment.decide(actions, observations, rewards)
    }
}
