//! The environment: move, and gain what the place adds to what has been visited.

use std::sync::Arc;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Moves, SetFunction, Submodular, VisitedSet, drawing, set_function::singles};
use crate::{
    Action, Environment, Error, Outcome, Space, parameters::require, picture::Picture, random::Stream,
};

/// What is observed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Observation {
    /// The step and the place: what a Markovian policy π(a|h, s) sees. Discrete numbers: step, and row
    /// and column or the number of the place.
    #[default]
    Place,
    /// Beside them, for every place, whether it has been visited: what a history-dependent policy can
    /// make use of, because neither the moves nor F depend on more. A box of zeros and ones.
    History,
}

/// What is rewarded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reward {
    /// The marginal gain F(s_{h+1}|τ_{0:h}). The return is F(τ).
    #[default]
    Gain,
    /// The value of the place alone, F({s_{h+1}}), at every visit: the modular surrogate. The return is
    /// Σ_h F({s_h}).
    Modular,
}

/// Exploration of the places that [`Moves`] connect, with a set function as the return.
///
/// **Actions**: those of the moves. **Observations**: see [`Observation`]. **Reward**: see [`Reward`];
/// the first step of an episode also brings F({s_0}), so that nothing of the return is lost. **End**:
/// after `horizon` steps, as part of the problem.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exploration<F> {
    problem: Arc<Problem<F>>,
    /// Where the agent has been, the present place included; `elapsed` + 1 entries count.
    path: Vec<usize>,
    elapsed: usize,
    visited: VisitedSet,
}

/// What never changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Problem<F> {
    function: F,
    moves: Moves,
    start: usize,
    horizon: usize,
    observation: Observation,
    reward: Reward,
    /// How many values each number of an observation has: step, then place.
    sizes: Vec<usize>,
    /// F({s}) by place.
    singles: Vec<f64>,
}

impl<F: SetFunction> Exploration<F> {
    /// Episodes of `horizon` steps from `start`, observing step and place, rewarded with gains. Errors
    /// when the function is not one of the places, the start cannot be entered, or the horizon is zero.
    pub fn new(moves: Moves, function: F, start: usize, horizon: usize) -> Result<Self, Error> {
        let places = moves.places();
        require("horizon", horizon, horizon > 0, "1 or more")?;
        require("start", start, moves.is_open(start), "a place that can be entered")?;
        if function.states() != places {
            let reason = format!("a set function of {} states for {places} places", function.states());
            return Err(Error::InvalidProcess { reason });
        }
        let mut sizes = vec![horizon + 1];
        sizes.extend(moves.sizes());
        let visited = VisitedSet::new(&function, horizon + 1);
        let problem = Problem {
            singles: singles(&function),
            function,
            moves,
            start,
            horizon,
            observation: Observation::default(),
            reward: Reward::default(),
            sizes,
        };
        let mut environment =
            Exploration { problem: Arc::new(problem), path: vec![start; horizon + 1], elapsed: 0, visited };
        environment.restart();
        Ok(environment)
    }

    /// The set function in its own type.
    pub fn function(&self) -> &F {
        &self.problem.function
    }

    /// Where the agent has been in this episode, the present place last.
    pub fn path(&self) -> &[usize] {
        &self.path[..=self.elapsed]
    }

    /// What has been visited in this episode.
    pub fn visited(&self) -> &VisitedSet {
        &self.visited
    }

    fn restart(&mut self) {
        self.elapsed = 0;
        self.path[0] = self.problem.start;
        self.visited.clear();
        self.visited.add(&self.problem.function, self.problem.start);
    }

    /// Writes what is observed now.
    fn observe(&self, observation: &mut [f32]) {
        let Problem { moves, sizes, .. } = &*self.problem;
        let (first, second) = moves.coordinates(self.path[self.elapsed]);
        let numbers = [Some(self.elapsed), Some(first), second];
        match self.problem.observation {
            Observation::Place => {
                for (value, number) in observation.iter_mut().zip(numbers.iter().flatten()) {
                    *value = *number as f32;
                }
            }
            Observation::History => {
                let codes: usize = sizes.iter().sum();
                let (codes, history) = observation.split_at_mut(codes);
                codes.fill(0.0);
                let mut offset = 0;
                for (number, size) in numbers.iter().flatten().zip(sizes) {
                    codes[offset + number] = 1.0;
                    offset += size;
                }
                for (value, visited) in history.iter_mut().zip(self.visited.indicator()) {
                    *value = f32::from(u8::from(*visited));
                }
            }
        }
    }
}

impl<F: SetFunction + Clone> Exploration<F> {
    /// The same with other observations.
    pub fn observing(mut self, observation: Observation) -> Self {
        Arc::make_mut(&mut self.problem).observation = observation;
        self
    }

    /// The same with other rewards.
    pub fn rewarding(mut self, reward: Reward) -> Self {
        Arc::make_mut(&mut self.problem).reward = reward;
        self
    }
}

impl<F: SetFunction> Submodular for Exploration<F> {
    fn set_function(&self) -> &dyn SetFunction {
        &self.problem.function
    }

    fn moves(&self) -> &Moves {
        &self.problem.moves
    }

    fn start(&self) -> usize {
        self.problem.start
    }

    fn horizon(&self) -> usize {
        self.problem.horizon
    }

    fn observes_history(&self) -> bool {
        self.problem.observation == Observation::History
    }

    fn observed(&self, features: &[f32]) -> Option<(usize, usize)> {
        let mut numbers = [0; 3];
        let mut rest = features;
        for (number, size) in numbers.iter_mut().zip(&self.problem.sizes) {
            let (code, after) = rest.split_at_checked(*size)?;
            *number = code.iter().position(|x| *x == 1.0)?;
            rest = after;
        }
        let [step, first, second] = numbers;
        match self.problem.sizes[..] {
            [_, _, columns] => Some((step, first * columns + second)),
            _ => Some((step, first)),
        }
    }

    fn draw_path(&self, path: &[usize]) -> Picture {
        let Problem { function, moves, .. } = &*self.problem;
        let mut visited = VisitedSet::new(function, path.len());
        path.iter().for_each(|&place| {
            visited.add(function, place);
        });
        drawing::draw(moves, function, &visited, path)
    }
}

impl<F> Environment for Exploration<F>
where
    F: SetFunction + Clone + Serialize + DeserializeOwned + 'static,
{
    fn observation_space(&self) -> Space {
        let sizes = self.problem.sizes.clone();
        match self.problem.observation {
            Observation::Place => Space::MultiDiscrete { sizes },
            Observation::History => {
                let width = sizes.iter().sum::<usize>() + self.problem.moves.places();
                Space::Box { low: vec![0.0; width], high: vec![1.0; width] }
            }
        }
    }

    fn action_space(&self) -> Space {
        Space::discrete(self.problem.moves.actions())
    }

    fn reset(&mut self, _rng: &mut Stream, observation: &mut [f32]) -> Result<(), Error> {
        self.restart();
        self.observe(observation);
        Ok(())
    }

    /// A step after the last one changes nothing.
    fn step(
        &mut self,
        action: Action<'_>,
        rng: &mut Stream,
        observation: &mut [f32],
    ) -> Result<Outcome, Error> {
        let Problem { function, moves, horizon, reward, singles, .. } = &*self.problem;
        let action = action.discrete(moves.actions())?;
        let mut outcome = Outcome::default();
        if self.elapsed < *horizon {
            let place = moves.draw(self.path[self.elapsed], action, rng);
            let before = self.visited.value();
            let gain = self.visited.add(function, place);
            outcome.reward = match reward {
                Reward::Gain => gain,
                Reward::Modular => singles[place],
            };
            if self.elapsed == 0 {
                outcome.reward += before;
            }
            self.elapsed += 1;
            self.path[self.elapsed] = place;
        }
        outcome.terminated = self.elapsed >= self.problem.horizon;
        self.observe(observation);
        Ok(outcome)
    }

    fn draw(&self) -> Option<Picture> {
        let Problem { function, moves, .. } = &*self.problem;
        Some(drawing::draw(moves, function, &self.visited, self.path()))
    }

    fn submodular(&self) -> Option<&dyn Submodular> {
        Some(self)
    }
}
