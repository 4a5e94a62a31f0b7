//! Environments of the crate gym-rs, on our contract.
//!
//! gym-rs is a port of some of Gym's environments that draws into a window through SDL2. It is
//! behind the feature `gym-rs`, which is off by default, because building it compiles SDL2 and
//! links SDL2_gfx. On Debian or Ubuntu:
//!
//! ```sh
//! apt-get install cmake libsdl2-gfx-dev
//! cargo test -p assay-environments --features gym-rs
//! ```
//!
//! [`GymRs`] makes an [`Environment`] of any gym-rs environment whose actions are discrete, which
//! is all that gym-rs has, and [`watch`] shows one in its window.
//!
//! What to know about gym-rs 0.3 (`tests/gym_rs.rs` pins each of these):
//!
//! - Its MountainCar is Gymnasium's, bit for bit.
//! - Its CartPole is not. The product of the pole's mass and length is computed as their sum, 0.6
//!   instead of 0.05, so the pole moves differently; and episodes start uniformly in ± 0.5 instead
//!   of ± 0.05, where most starts are already over and many lie outside its own observation space.
//!   Use [`CartPole`](crate::classic::CartPole).
//! - Nothing is ever truncated: put a [`TimeLimit`](crate::wrappers::TimeLimit) around it.
//!
//! The adapter keeps all of our contract but one rule: its steps allocate, since gym-rs hands out
//! observations as new vectors.

use std::{
    any::Any,
    cell::RefCell,
    collections::HashMap,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak},
};

use ::gym_rs::{
    core::{ActionReward, Env, EnvProperties},
    envs::classical_control::{cartpole::CartPoleEnv, mountain_car::MountainCarEnv},
    spaces::{BoxR, Discrete},
    utils::{custom::traits::Sample, renderer::RenderMode},
};
use rand::RngCore;
use serde::{Deserialize, Serialize};

use crate::{
    Action, Environment, Episode, Error, Outcome, Space,
    random::{Seed, Stream},
};

/// A gym-rs environment that can be made from nothing. Implement it for your own.
pub trait Make:
    Env<Action = usize>
    + EnvProperties<ActionSpace = Discrete, ObservationSpace = BoxR<<Self as Env>::Observation>>
    + 'static
where
    Self::Observation: Sample + Into<Vec<f64>> + Clone,
{
    /// A new environment with this mode of rendering.
    fn make(mode: RenderMode) -> Self;
}

impl Make for CartPoleEnv {
    fn make(mode: RenderMode) -> Self {
        CartPoleEnv::new(mode)
    }
}

impl Make for MountainCarEnv {
    fn make(mode: RenderMode) -> Self {
        MountainCarEnv::new(mode)
    }
}

/// A gym-rs environment as one of ours.
///
/// gym-rs environments cannot be read back once written, nor move between threads. What can do
/// both, and is therefore the state here, is the way to the present: the seed of the episode and
/// the actions since. The environment itself is kept by the thread that steps it and is made anew
/// from seed and actions wherever it is missing: in a copy, after a restore, on another thread.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct GymRs<E> {
    seed: u64,
    actions: Vec<usize>,
    /// Owns what threads keep for this value.
    #[serde(skip)]
    token: Arc<()>,
    #[serde(skip)]
    environment: PhantomData<fn() -> E>,
}

/// A gym-rs environment that a thread keeps, and how far it is.
struct Kept {
    owner: Weak<()>,
    seed: u64,
    steps: usize,
    environment: Box<dyn Any>,
}

thread_local! {
    /// By the address of the owner's token.
    static KEPT: RefCell<HashMap<usize, Kept>> = RefCell::default();
}

impl<E> Clone for GymRs<E> {
    fn clone(&self) -> Self {
        GymRs {
            seed: self.seed,
            actions: self.actions.clone(),
            token: Arc::default(),
            environment: PhantomData,
        }
    }
}

impl<E> Default for GymRs<E> {
    fn default() -> Self {
        GymRs { seed: 0, actions: Vec::new(), token: Arc::default(), environment: PhantomData }
    }
}

impl<E: Make> GymRs<E>
where
    E::Observation: Sample + Into<Vec<f64>> + Clone,
{
    /// The environment at the start of the episode with seed 0, until the first `reset`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at the gym-rs environment in its present state.
    pub fn inspect<R>(&self, look: impl FnOnce(&E) -> R) -> R {
        let environment = self.take();
        let seen = look(&environment);
        self.keep(environment);
        seen
    }

    /// The environment in its present state: the thread's own where it has one, else a new one that
    /// has taken the same steps.
    fn take(&self) -> Box<E> {
        let kept = KEPT.with_borrow_mut(|kept| kept.remove(&self.key()));
        let mine = |kept: &Kept| {
            kept.owner.as_ptr() == Arc::as_ptr(&self.token)
                && kept.seed == self.seed
                && kept.steps == self.actions.len()
        };
        kept.filter(mine).and_then(|kept| kept.environment.downcast().ok()).unwrap_or_else(|| {
            let (mut environment, _) = start::<E>(self.seed, RenderMode::None);
            for action in &self.actions {
                environment.step(*action);
            }
            Box::new(environment)
        })
    }

    fn keep(&self, environment: Box<E>) {
        let (seed, steps) = (self.seed, self.actions.len());
        let owner = Arc::downgrade(&self.token);
        KEPT.with_borrow_mut(|kept| {
            kept.insert(self.key(), Kept { owner, seed, steps, environment });
            // Owners that are gone leave theirs behind; make room now and then.
            if kept.len().is_power_of_two() {
                kept.retain(|_, kept| kept.owner.strong_count() > 0);
            }
        });
    }

    fn key(&self) -> usize {
        Arc::as_ptr(&self.token) as usize
    }
}

/// A new environment at the start of an episode, and its first observation.
fn start<E: Make>(seed: u64, mode: RenderMode) -> (E, Vec<f64>)
where
    E::Observation: Sample + Into<Vec<f64>> + Clone,
{
    let mut environment = E::make(mode);
    let (observation, _) = environment.reset(Some(seed), false, None);
    (environment, observation.into())
}

fn write(from: Vec<f64>, to: &mut [f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = from as f32;
    }
}

impl<E: Make> Environment for GymRs<E>
where
    E::Observation: Sample + Into<Vec<f64>> + Clone,
{
    fn observation_space(&self) -> Space {
        self.inspect(|environment| {
            let BoxR { low, high } = environment.observation_space().clone();
            let bound = |values: Vec<f64>| values.into_iter().map(|x| x as f32).collect();
            Space::Box { low: bound(low.into()), high: bound(high.into()) }
        })
    }

    fn action_space(&self) -> Space {
        self.inspect(|environment| Space::discrete(environment.action_space().0))
    }

    fn reset(&mut self, rng: &mut Stream, observation: &mut [f32]) -> Result<(), Error> {
        self.seed = rng.next_u64();
        self.actions.clear();
        let (environment, first) = start(self.seed, RenderMode::None);
        write(first, observation);
        self.keep(Box::new(environment));
        Ok(())
    }

    fn step(
        &mut self,
        action: Action<'_>,
        _rng: &mut Stream,
        observation: &mut [f32],
    ) -> Result<Outcome, Error> {
        let mut environment: Box<E> = self.take();
        let action = action.discrete(environment.action_space().0)?;
        let ActionReward { observation: next, reward, done, truncated, .. } = environment.step(action);
        self.actions.push(action);
        self.keep(environment);
        write(next.into(), observation);
        Ok(Outcome { reward: reward.into_inner(), terminated: done, truncated })
    }
}

/// Plays one episode of at most `steps` steps in gym-rs's window, at its own pace, and returns what
/// it brought. `policy` chooses an action from an observation.
///
/// Errors when `policy` chooses an action that is none, when there is no display, and when the
/// window is closed; gym-rs panics in the last two cases, and its message appears on the terminal.
pub fn watch<E: Make>(
    seed: Seed,
    steps: u64,
    mut policy: impl FnMut(&[f32]) -> usize,
) -> Result<Episode, Error>
where
    E::Observation: Sample + Into<Vec<f64>> + Clone,
{
    let play = || {
        let (mut environment, first) = start::<E>(seed.value(), RenderMode::Human);
        let mut observation = vec![0.0; first.len()];
        write(first, &mut observation);
        let mut episode = Episode::default();
        while episode.length < steps {
            let action = Action::Discrete(policy(&observation)).discrete(environment.action_space().0)?;
            let ActionReward { observation: next, reward, done, truncated, .. } = environment.step(action);
            write(next.into(), &mut observation);
            episode.total_reward += reward.into_inner();
            episode.length += 1;
            if done || truncated {
                break;
            }
        }
        environment.close();
        Ok(episode)
    };
    catch_unwind(AssertUnwindSafe(play)).unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str);
        let message = message.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
        Err(Error::Unstable { environment: "gym-rs".into(), reason: message.to_owned() })
    })
}
