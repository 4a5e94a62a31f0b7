//! The contract of an environment.

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Action, Error, PhysicalParameters, PostDecision, Space, VectorReward, hills::NormalActions,
    picture::Picture, random::Stream, submodular::Submodular, tabular::Tabular,
};

/// A sequential decision problem that an agent acts in.
///
/// The rules, which [`conformance::check`](crate::conformance::check) verifies:
///
/// - The whole state is in the value: `Clone` and `serde` are complete snapshots, and a restored
///   copy continues exactly as the original does.
/// - All randomness comes from the generator that is handed in. The same state, action and
///   generator give the same outcome, bit for bit.
/// - `reset` and `step` write the observation into the caller's row and allocate nothing.
/// - Every action of the action space is accepted; continuous actions beyond its bounds are too, and
///   what they do is up to the environment (most clip). Any other action is an error.
/// - The task's own end (`terminated`) and an interruption such as a time limit (`truncated`) are
///   told apart: learners bootstrap through the second.
/// - The spaces never change during an environment's life.
///
/// # Your own environment
///
/// A walk on a line of 2 `end` + 1 places, from the middle to either end:
///
/// ```
/// use assay_environments::{
///     Action, Batch, BatchedEnvironment, Environment, Error, Outcome, Space, conformance,
///     random::{Seed, Stream}, wrappers::TimeLimit,
/// };
/// use rand::Rng;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct Walk {
///     end: i32,
///     place: i32,
/// }
///
/// impl Environment for Walk {
///     fn observation_space(&self) -> Space {
///         Space::symmetric(1, 1.0)
///     }
///
///     fn action_space(&self) -> Space {
///         Space::discrete(2)
///     }
///
///     fn reset(&mut self, _rng: &mut Stream, observation: &mut [f32]) -> Result<(), Error> {
///         self.place = 0;
///         observation[0] = 0.0;
///         Ok(())
///     }
///
///     fn step(&mut self, action: Action<'_>, rng: &mut Stream, observation: &mut [f32]) -> Result<Outcome, Error> {
///         let right = action.discrete(2)? == 1;
///         let slips = rng.random_bool(0.1);
///         self.place = (self.place + if right != slips { 1 } else { -1 }).clamp(-self.end, self.end);
///         observation[0] = self.place as f32 / self.end as f32;
///         let terminated = self.place.abs() == self.end;
///         let reward = if self.place == self.end { 1.0 } else { 0.0 };
///         Ok(Outcome { reward, terminated, truncated: false })
///     }
/// }
///
/// let walk = TimeLimit::new(Walk { end: 5, place: 0 }, 100)?;
/// conformance::check(&walk)?;
/// // Sixteen walks as one, ready for any learner.
/// let batch: Box<dyn BatchedEnvironment> = Box::new(Batch::new(walk, 16, Seed::new(0))?);
/// # Ok::<(), Error>(())
/// ```
pub trait Environment: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The space of observations. An observation is written in raw form: a box's dimensions, or a
    /// discrete value as a number ([`Space::width`] numbers in all).
    fn observation_space(&self) -> Space;

    /// The space of actions.
    fn action_space(&self) -> Space;

    /// Starts a new episode and writes its first observation.
    fn reset(&mut self, rng: &mut Stream, observation: &mut [f32]) -> Result<(), Error>;

    /// Takes one step and writes the observation that follows, the last one of an episode
    /// included. Stepping on after an episode has ended is the caller's mistake; what happens
    /// then is up to the environment, but must stay deterministic.
    fn step(
        &mut self,
        action: Action<'_>,
        rng: &mut Stream,
        observation: &mut [f32],
    ) -> Result<Outcome, Error>;

    /// The current state as a picture; `None` where there is nothing to draw.
    fn draw(&self) -> Option<Picture> {
        None
    }

    /// The rewards of several objectives; `None` where there is only one.
    fn vector_reward(&self) -> Option<&dyn VectorReward> {
        None
    }

    /// The physical parameters, for changing them; `None` where they are fixed.
    fn physics(&mut self) -> Option<&mut dyn PhysicalParameters> {
        None
    }

    /// The environment as one whose exact tables are known; `None` where they are not.
    fn tabular(&self) -> Option<&dyn Tabular> {
        None
    }

    /// The environment as one whose reward is the gain of a known set function; `None` where it is not.
    fn submodular(&self) -> Option<&dyn Submodular> {
        None
    }

    /// The environment as one whose expectations over normally distributed actions are known; `None`
    /// where they are not.
    fn normal_actions(&self) -> Option<&dyn NormalActions> {
        None
    }

    /// The environment as one whose steps have a known deterministic half; `None` where they have not.
    fn post_decision(&self) -> Option<&dyn PostDecision> {
        None
    }
}

/// What a step brought, beside the observation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The reward of the step.
    pub reward: f64,
    /// The task is over: no reward follows, the value of what comes next is zero.
    pub terminated: bool,
    /// The episode was cut off, for example by a time limit: its value goes on.
    pub truncated: bool,
}

impl Outcome {
    /// A step after which the episode goes on.
    pub fn running(reward: f64) -> Self {
        Outcome { reward, ..Outcome::default() }
    }

    /// Whether the episode is over, for whichever reason.
    pub fn done(&self) -> bool {
        self.terminated || self.truncated
    }
}
