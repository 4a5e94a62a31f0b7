//! Experience replay: a ring of transitions with constant memory.
//!
//! A transition (s, a, r, s′, d) is kept whole, next observation included. Storing observations
//! only once, and finding s′ in the row that was written next, would halve the memory of
//! observations, but it is right only for one unbroken stream of experience: with auto-reset the
//! row after an episode's end belongs to the next episode, with several copies it is `copies` rows
//! away, the newest rows have no successor yet, the oldest lose theirs when the ring wraps, and
//! rows of an offline data set need not be in sequence at all. Here every row stands for itself,
//! and all of these cases are the same case.
//!
//! One transition is one row of `2 × features + action + 1` numbers next to each other, so a random
//! draw touches one place in memory; the flags are bytes of their own. The ring's address space is
//! reserved at once, but the operating system provides a page only when it is first written, so a
//! short run never pays for a large capacity, and growing never copies.
//!
//! A [`Collector`] fills a buffer with what a policy experiences. A learner that only reads a data
//! set needs none.

mod collector;
mod minibatch;

pub use collector::{Collector, Settings};
pub use minibatch::Minibatch;

use assay_environments::{BatchedStep, parameters::ParameterError, random::Stream};
use rand::Rng;

use crate::{Checkpoint, Error};

/// One transition, borrowed from wherever it is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transition<'a> {
    /// What was seen, as features.
    pub observation: &'a [f32],
    /// What was done, in the learner's own coordinates (see [`Replay::push`]).
    pub action: &'a [f32],
    /// The reward of the step.
    pub reward: f32,
    /// What was seen next, as features: the final observation where the episode ended.
    pub next_observation: &'a [f32],
    /// Whether the task was over. A truncated episode's value goes on, so a truncation is not
    /// marked: learners bootstrap through it.
    pub terminated: bool,
}

/// A sample of transitions. Buffers keep their memory from sample to sample.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TransitionBatch {
    /// Shape: transitions × features.
    pub observations: Vec<f32>,
    /// Shape: transitions × numbers of an action.
    pub actions: Vec<f32>,
    /// Observation and action beside each other, as critics take them. Shape: transitions ×
    /// (features + numbers of an action).
    pub state_actions: Vec<f32>,
    /// One per transition.
    pub rewards: Vec<f32>,
    /// Shape: transitions × features.
    pub next_observations: Vec<f32>,
    /// 1 where the task was over, 0 where the value goes on; one per transition. Numbers, because
    /// the target r + γ (1 − d) V(s′) multiplies by them.
    pub terminated: Vec<f32>,
}

impl TransitionBatch {
    /// How many transitions there are.
    pub fn len(&self) -> usize {
        self.rewards.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rewards.is_empty()
    }

    /// Forgets the transitions and keeps the memory.
    pub fn clear(&mut self) {
        self.observations.clear();
        self.actions.clear();
        self.state_actions.clear();
        self.rewards.clear();
        self.next_observations.clear();
        self.terminated.clear();
    }

    /// Adds a transition.
    pub fn push(&mut self, transition: Transition<'_>) {
        self.observations.extend_from_slice(transition.observation);
        self.actions.extend_from_slice(transition.action);
        self.state_actions.extend_from_slice(transition.observation);
        self.state_actions.extend_from_slice(transition.action);
        self.rewards.push(transition.reward);
        self.next_observations.extend_from_slice(transition.next_observation);
        self.terminated.push(f32::from(u8::from(transition.terminated)));
    }
}

/// The replay buffer: the last `capacity` transitions.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    features: usize,
    action_width: usize,
    capacity: usize,
    /// Rows of observation, action, reward and next observation.
    rows: Vec<f32>,
    terminated: Vec<bool>,
    /// The row that is written next, once the ring is full: the oldest one.
    oldest: usize,
}

impl Replay {
    /// An empty buffer for `capacity` transitions of observations of `features` numbers and
    /// actions of `action_width` numbers. Errors when that is nothing, or more than the address
    /// space holds.
    pub fn new(features: usize, action_width: usize, capacity: usize) -> Result<Self, Error> {
        let too_large = || ParameterError::OutOfRange {
            field: "replay_capacity".into(),
            value: capacity.to_string(),
            allowed: "at least 1, and no more than memory holds".into(),
        };
        let mut replay =
            Replay { features, action_width, capacity, rows: Vec::new(), terminated: Vec::new(), oldest: 0 };
        let numbers = capacity.checked_mul(replay.width()).filter(|_| capacity > 0).ok_or_else(too_large)?;
        replay.rows.try_reserve_exact(numbers).map_err(|_| too_large())?;
        replay.terminated.try_reserve_exact(capacity).map_err(|_| too_large())?;
        Ok(replay)
    }

    /// Numbers per row.
    fn width(&self) -> usize {
        2 * self.features + self.action_width + 1
    }

    /// How many transitions are stored.
    pub fn len(&self) -> usize {
        self.terminated.len()
    }

    /// Whether nothing is stored yet.
    pub fn is_empty(&self) -> bool {
        self.terminated.is_empty()
    }

    /// How many transitions fit.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The memory that a full buffer occupies, in bytes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.rows.capacity() * size_of::<f32>() + self.terminated.capacity()
    }

    /// Stores a transition in the place of the oldest one, once the buffer is full.
    ///
    /// Actions are stored as the learner's critic sees them: learners with a bounded policy store
    /// them on [−1, 1]; a discrete action is stored as its number, exact up to 2²⁴.
    ///
    /// # Panics
    /// When the lengths are not the buffer's.
    pub fn push(&mut self, transition: Transition<'_>) {
        let Transition { observation, action, reward, next_observation, terminated } = transition;
        assert_eq!(observation.len(), self.features, "length of the observation");
        assert_eq!(next_observation.len(), self.features, "length of the next observation");
        assert_eq!(action.len(), self.action_width, "length of the action");
        if self.len() < self.capacity {
            self.rows.extend_from_slice(observation);
            self.rows.extend_from_slice(action);
            self.rows.push(reward);
            self.rows.extend_from_slice(next_observation);
            self.terminated.push(terminated);
            return;
        }
        let width = self.width();
        let row = &mut self.rows[self.oldest * width..][..width];
        let (row_observation, row) = row.split_at_mut(self.features);
        let (row_action, row) = row.split_at_mut(self.action_width);
        row_observation.copy_from_slice(observation);
        row_action.copy_from_slice(action);
        row[0] = reward;
        row[1..].copy_from_slice(next_observation);
        self.terminated[self.oldest] = terminated;
        self.oldest = (self.oldest + 1) % self.capacity;
    }

    /// Stores one step of a batch of environments: `observations` and `actions` (copies ×
    /// features, copies × numbers of an action) led to `step`. Where an episode ended, the
    /// observation that follows is the final one, not the first one of the next episode.
    pub fn push_step(&mut self, observations: &[f32], actions: &[f32], step: &BatchedStep) {
        let features = self.features;
        let rows = observations.chunks_exact(features).zip(actions.chunks_exact(self.action_width));
        for (i, (observation, action)) in rows.enumerate() {
            let done = step.terminated[i] || step.truncated[i];
            let next = if done { &step.final_observations } else { &step.observations };
            self.push(Transition {
                observation,
                action,
                reward: step.rewards[i],
                next_observation: &next[i * features..(i + 1) * features],
                terminated: step.terminated[i],
            });
        }
    }

    /// The transition in row `index`, below [`len`](Self::len). Rows are in no order that matters.
    pub fn transition(&self, index: usize) -> Transition<'_> {
        let width = self.width();
        let row = &self.rows[index * width..(index + 1) * width];
        let (observation, row) = row.split_at(self.features);
        let (action, row) = row.split_at(self.action_width);
        Transition {
            observation,
            action,
            reward: row[0],
            next_observation: &row[1..],
            terminated: self.terminated[index],
        }
    }

    /// Adds `count` transitions, drawn uniformly and with replacement, to `batch`. Nothing is
    /// added when the buffer is empty. A batch from several buffers, for example half of it
    /// offline data, is several calls.
    pub fn sample(&self, count: usize, rng: &mut Stream, batch: &mut TransitionBatch) {
        if self.is_empty() {
            return;
        }
        for _ in 0..count {
            batch.push(self.transition(rng.random_range(0..self.len())));
        }
    }

    /// Writes the filled part under names that begin with `name`: the rows as one tensor
    /// (transitions × [observation, action, reward, next observation]), the flags and the position
    /// as a record.
    pub fn save(&self, name: &str, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        checkpoint.put_tensor(&format!("{name}/transitions"), &[self.len(), self.width()], &self.rows);
        checkpoint.put_record(&format!("{name}/flags"), &(self.oldest, &self.terminated))
    }

    /// Puts back what [`save`](Self::save) wrote; errors when it is of another shape, or does not
    /// fit.
    pub fn load(&mut self, name: &str, checkpoint: &Checkpoint) -> Result<(), Error> {
        let (oldest, terminated): (usize, Vec<bool>) = checkpoint.record(&format!("{name}/flags"))?;
        let full = terminated.len() == self.capacity;
        if terminated.len() > self.capacity || (oldest > 0 && !full) || oldest >= self.capacity {
            return Err(Error::Checkpoint {
                reason: format!(
                    "`{name}` holds {} transitions, the oldest at {oldest}; the buffer's capacity is {}",
                    terminated.len(),
                    self.capacity
                ),
            });
        }
        // Into the reserved memory, which keeps its size. What cannot be read leaves the buffer empty.
        self.terminated.clear();
        self.oldest = 0;
        self.rows.clear();
        self.rows.resize(terminated.len() * self.width(), 0.0);
        let shape = [terminated.len(), self.width()];
        let read = checkpoint.tensor(&format!("{name}/transitions"), &shape, &mut self.rows);
        if read.is_err() {
            self.rows.clear();
            return read;
        }
        self.terminated.extend_from_slice(&terminated);
        self.oldest = oldest;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_environments::random::Seed;
    use proptest::prelude::*;

    /// Transition number `i`, each number of which says where it belongs.
    fn numbered(replay: &mut Replay, i: usize) {
        let (features, action_width) = (replay.features, replay.action_width);
        let observation: Vec<f32> = (0..features).map(|k| (i * 10 + k) as f32).collect();
        let next_observation: Vec<f32> = (0..features).map(|k| (i * 10 + 10 + k) as f32).collect();
        replay.push(Transition {
            observation: &observation,
            action: &vec![i as f32; action_width],
            reward: -(i as f32),
            next_observation: &next_observation,
            terminated: i.is_multiple_of(3),
        });
    }

    #[test]
    fn filling_the_buffer_never_moves_it() {
        let mut replay = Replay::new(3, 1, 100).unwrap();
        let place = replay.rows.as_ptr();
        (0..250).for_each(|i| numbered(&mut replay, i));
        assert_eq!(replay.rows.as_ptr(), place);
    }

    #[test]
    fn sampling_is_uniform() {
        let mut replay = Replay::new(1, 1, 10).unwrap();
        (0..25).for_each(|i| numbered(&mut replay, i));
        let mut batch = TransitionBatch::default();
        let draws = 100_000;
        replay.sample(draws, &mut Seed::new(2).stream("replay"), &mut batch);
        let mut counts = [0_usize; 25];
        batch.actions.iter().for_each(|a| counts[*a as usize] += 1);
        assert!(counts[..15].iter().all(|&n| n == 0), "overwritten transitions were drawn");
        // Chi-squared with 9 degrees of freedom: 27.9 is exceeded with probability 0.001.
        let expected = draws as f64 / 10.0;
        let chi_squared: f64 = counts[15..].iter().map(|&n| (n as f64 - expected).powi(2) / expected).sum();
        assert!(chi_squared < 27.9, "{chi_squared}");
    }

    #[test]
    fn the_final_observation_follows_an_episodes_last_action() {
        let mut replay = Replay::new(1, 1, 10).unwrap();
        let step = BatchedStep {
            observations: vec![10.0, 11.0, 12.0],
            final_observations: vec![90.0, 91.0, 92.0],
            rewards: vec![0.5, 1.5, 2.5],
            terminated: vec![false, true, false],
            truncated: vec![false, false, true],
            episodes: Vec::new(),
        };
        replay.push_step(&[0.0, 1.0, 2.0], &[0.1, 0.2, 0.3], &step);
        let stored: Vec<(f32, f32, bool)> = (0..3)
            .map(|i| replay.transition(i))
            .map(|t| (t.observation[0], t.next_observation[0], t.terminated))
            .collect();
        // A truncated episode's last observation is kept, and its value goes on.
        assert_eq!(stored, [(0.0, 10.0, false), (1.0, 91.0, true), (2.0, 92.0, false)]);
    }

    #[test]
    fn impossible_capacities_are_errors() {
        for capacity in [0, usize::MAX, usize::MAX / 64] {
            let message = Replay::new(3, 1, capacity).unwrap_err().to_string();
            assert!(message.contains("replay_capacity"), "{message}");
        }
    }

    #[test]
    fn a_checkpoint_of_another_shape_is_an_error_and_leaves_a_usable_buffer() {
        let mut replay = Replay::new(3, 1, 8).unwrap();
        (0..8).for_each(|i| numbered(&mut replay, i));
        let mut checkpoint = Checkpoint::new();
        replay.save("replay", &mut checkpoint).unwrap();
        let mut smaller = Replay::new(3, 1, 4).unwrap();
        assert!(smaller.load("replay", &checkpoint).unwrap_err().to_string().contains("capacity is 4"));
        let mut wider = Replay::new(4, 1, 8).unwrap();
        assert!(wider.load("replay", &checkpoint).unwrap_err().to_string().contains("[8, 8]"));
        numbered(&mut wider, 1);
        assert_eq!(wider.transition(0).action, [1.0]);
    }

    proptest! {
        #[test]
        fn the_last_transitions_are_kept_and_a_restored_buffer_continues_identically(
            capacity in 1_usize..40, stored in 0_usize..120, more in 0_usize..60,
            features in 1_usize..5, action_width in 1_usize..4,
        ) {
            let mut replay = Replay::new(features, action_width, capacity).unwrap();
            (0..stored).for_each(|i| numbered(&mut replay, i));
            prop_assert_eq!(replay.len(), stored.min(capacity));
            let mut actions: Vec<usize> =
                (0..replay.len()).map(|i| replay.transition(i).action[0] as usize).collect();
            actions.sort_unstable();
            prop_assert!(actions.iter().copied().eq(stored.saturating_sub(capacity)..stored));

            let mut checkpoint = Checkpoint::new();
            replay.save("replay", &mut checkpoint).unwrap();
            let bytes = checkpoint.to_bytes("test").unwrap();
            let mut restored = Replay::new(features, action_width, capacity).unwrap();
            restored.load("replay", &Checkpoint::from_bytes(&bytes, "test").unwrap()).unwrap();
            prop_assert_eq!(&restored, &replay);
            (stored..stored + more).for_each(|i| numbered(&mut replay, i));
            (stored..stored + more).for_each(|i| numbered(&mut restored, i));
            prop_assert_eq!(&restored, &replay);

            let (mut one, mut other) = (TransitionBatch::default(), TransitionBatch::default());
            replay.sample(16, &mut Seed::new(3).stream("replay"), &mut one);
            restored.sample(16, &mut Seed::new(3).stream("replay"), &mut other);
            prop_assert_eq!(&one, &other);
            for i in 0..one.len() {
                let number = one.actions[i * action_width] as usize;
                prop_assert_eq!(one.rewards[i], -(number as f32));
                prop_assert_eq!(one.observations[i * features], (number * 10) as f32);
                prop_assert_eq!(one.next_observations[i * features], (number * 10 + 10) as f32);
                prop_assert_eq!(one.terminated[i] == 1.0, number.is_multiple_of(3));
            }
        }
    }
}
