use assay_environments::{
    Action, Batch as Copies, Environment, Outcome, RunningStatistics, Space,
    random::{Seed, Stream},
};

use super::*;
use crate::{
    policies::{NetworkConfig, Policy},
    tensor::{Cpu, Device},
};
use assay_environments::classic::MountainCarContinuous;

/// Counts its steps. Action 1 at a count of 2 ends the task; at 4 it is cut off. The reward is 10
/// times the count before the step plus the action.
#[derive(Clone, Serialize, Deserialize)]
struct Counter(f32);

impl Environment for Counter {
    fn observation_space(&self) -> Space {
        Space::symmetric(1, 10.0)
    }

    fn action_space(&self) -> Space {
        Space::discrete(2)
    }

    fn reset(&mut self, _: &mut Stream, observation: &mut [f32]) -> Result<(), assay_environments::Error> {
        self.0 = 0.0;
        observation[0] = 0.0;
        Ok(())
    }

    fn step(
        &mut self,
        action: Action<'_>,
        _: &mut Stream,
        observation: &mut [f32],
    ) -> Result<Outcome, assay_environments::Error> {
        let (before, action) = (self.0, action.discrete(2)?);
        self.0 += 1.0;
        observation[0] = self.0;
        Ok(Outcome {
            reward: f64::from(10.0 * before) + action as f64,
            terminated: before == 2.0 && action == 1,
            truncated: before == 3.0,
        })
    }
}

const COPIES: usize = 3;
const STEPS: usize = 40;

fn collected(normalise: bool) -> (Collector, Rollout) {
    let seed = Seed::new(1);
    let environment = Copies::new(Counter(0.0), COPIES, seed).unwrap();
    let (observations, actions) = (environment.observation_space(), environment.action_space());
    let device = Cpu::open().unwrap();
    let policy = Policy::new(&device, observations, actions, &NetworkConfig::default(), seed).unwrap();
    let normalisation = Normalisation::new(normalise, normalise, 1, COPIES, 0.9);
    let mut rollout = Rollout::new(&environment, STEPS);
    let mut collector = Collector::new(Box::new(environment), normalisation, seed);
    collector.collect(&policy, &mut rollout).unwrap();
    // A second time: what is left of the first must not show.
    collector.collect(&policy, &mut rollout).unwrap();
    (collector, rollout)
}

#[test]
fn the_environment_is_given_clipped_actions_and_the_rollout_the_ones_drawn() {
    let seed = Seed::new(2);
    let environment = Copies::new(MountainCarContinuous::new(), COPIES, seed).unwrap();
    let (observations, actions) = (environment.observation_space(), environment.action_space());
    let network = NetworkConfig { initial_log_std: 1.0, ..NetworkConfig::default() };
    let policy = Policy::new(&Cpu::open().unwrap(), observations, actions, &network, seed).unwrap();
    let mut rollout = Rollout::new(&environment, STEPS);
    let normalisation = Normalisation::new(false, false, 2, COPIES, 0.9);
    Collector::new(Box::new(environment), normalisation, seed).collect(&policy, &mut rollout).unwrap();
    assert!(rollout.actions.iter().any(|a| a.abs() > 2.0));
    // This environment charges a tenth of the squared action that it is given.
    for (reward, action) in rollout.rewards.iter().zip(&rollout.actions) {
        assert!((reward + 0.1 * action.clamp(-1.0, 1.0).powi(2)).abs() < 1e-6, "{reward} for {action}");
    }
}

/// For every row: the count before the step, the action, whether it terminated or was truncated.
fn rows(rollout: &Rollout) -> Vec<(f32, f32, bool, bool)> {
    (0..rollout.len())
        .map(|i| {
            let [zero, one] = [rollout.actions[2 * i], rollout.actions[2 * i + 1]];
            assert_eq!(zero + one, 1.0, "one-hot");
            let count = rollout.observations[i];
            (count, one, count == 2.0 && one == 1.0, count == 3.0)
        })
        .collect()
}

#[test]
fn a_rollout_holds_what_happened_in_time_major_order() {
    let (collector, rollout) = collected(false);
    assert_eq!(collector.steps(), 2 * (STEPS * COPIES) as u64);
    let rows = rows(&rollout);
    for (i, &(count, action, terminated, truncated)) in rows.iter().enumerate() {
        assert_eq!(rollout.rewards[i], 10.0 * count + action);
        assert_eq!((rollout.terminated[i], rollout.truncated[i]), (terminated, truncated));
        let following = if terminated || truncated { 0.0 } else { count + 1.0 };
        let next = rollout.observations.get(i + COPIES);
        assert_eq!(*next.unwrap_or(&rollout.last_observations[i % COPIES]), following);
        // The policy is nearly uniform at the start.
        assert!((rollout.log_probs[i] - 0.5_f32.ln()).abs() < 0.05);
    }
    assert!(rows.iter().any(|row| row.2) && rows.iter().any(|row| row.3));

    let cut: Vec<usize> = (0..rows.len()).filter(|&i| rows[i].3).collect();
    assert_eq!(rollout.cut_rows, cut);
    assert_eq!(rollout.cut_observations, vec![4.0; cut.len()]);

    let ends = rows.iter().filter(|row| row.2 || row.3);
    let lengths: Vec<u64> = ends.map(|row| row.0 as u64 + 1).collect();
    assert_eq!(rollout.episodes.iter().map(|e| e.length).collect::<Vec<_>>(), lengths);
}

#[test]
fn next_values_are_those_of_final_observations_where_episodes_are_cut_off() {
    let (_, mut rollout) = collected(false);
    rollout.evaluate(|observations, values| {
        for (value, observation) in values.iter_mut().zip(observations) {
            *value = 100.0 + observation;
        }
    });
    for (i, (count, _, terminated, _)) in rows(&rollout).into_iter().enumerate() {
        assert_eq!(rollout.values[i], 100.0 + count);
        // Within an episode, at its cut and at the end of the data alike, it is the next count's.
        if !terminated {
            assert_eq!(rollout.next_values[i], 100.0 + count + 1.0);
        }
    }
    rollout.estimate_advantages(0.5, 0.0);
    for (i, (count, action, terminated, _)) in rows(&rollout).into_iter().enumerate() {
        let next = if terminated { 0.0 } else { 101.0 + count };
        let expected = 10.0 * count + action + 0.5 * next - (100.0 + count);
        assert!((rollout.advantages[i] - expected).abs() < 1e-4);
        assert!((rollout.returns[i] - (expected + rollout.values[i])).abs() < 1e-4);
    }
}

#[test]
fn observations_and_rewards_are_normalised_by_what_was_seen_up_to_then() {
    let (_, raw) = collected(false);
    let (collector, normalised) = collected(true);
    // The same actions, because at the start the policy barely looks at its input; what follows
    // would be meaningless otherwise.
    assert_eq!(raw.actions, normalised.actions);

    // The final statistics see as many counts as there were observations: compare at the end.
    let mut last = raw.last_observations.clone();
    collector.normalisation().normalise(&mut last);
    assert_eq!(last, normalised.last_observations);
    assert!(normalised.observations.iter().all(|x| x.abs() < 3.0));

    // Rewards are scaled by one number per step, which is nearly constant by the second rollout;
    // zero stays zero.
    let scales: Vec<f32> = raw
        .rewards
        .iter()
        .zip(&normalised.rewards)
        .filter(|(raw, _)| **raw != 0.0)
        .map(|(raw, normalised)| normalised / raw)
        .collect();
    assert!(scales.iter().all(|scale| (scale / scales[0] - 1.0).abs() < 0.2), "{scales:?}");
    assert!(raw.rewards.iter().zip(&normalised.rewards).all(|(raw, n)| (*raw == 0.0) == (*n == 0.0)));
}

#[test]
fn rewards_are_divided_by_the_deviation_of_the_discounted_return() {
    let mut normalisation = Normalisation::new(false, true, 1, 2, 0.5);
    let mut statistics = RunningStatistics::new(1);
    let mut returns = [0.0_f64; 2];
    for step in 0..50 {
        let rewards = [step as f32, -1.0];
        let mut scaled = rewards;
        let done = |copy: usize| copy == 0 && step % 10 == 9;
        normalisation.scale_rewards(&mut scaled, done);
        for copy in 0..2 {
            returns[copy] = 0.5 * returns[copy] + f64::from(rewards[copy]);
            statistics.update(&[returns[copy] as f32]);
            if done(copy) {
                returns[copy] = 0.0;
            }
        }
        for (scaled, reward) in scaled.iter().zip(rewards) {
            let expected = (f64::from(reward) * statistics.scale(0)).clamp(-10.0, 10.0);
            assert!((f64::from(*scaled) - expected).abs() < 1e-6, "{scaled} {expected}");
        }
    }
}

#[test]
fn minibatches_visit_every_row_once_in_a_new_order_every_time() {
    let (_, rollout) = collected(false);
    let mut order = MinibatchOrder::new(Seed::new(3));
    let mut orders = Vec::new();
    for _ in 0..2 {
        let parts: Vec<Vec<usize>> = order.shuffled(0..rollout.len(), 50).map(<[usize]>::to_vec).collect();
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [50, 50, 20]);
        let visited = parts.concat();
        let mut sorted = visited.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..rollout.len()).collect::<Vec<_>>());
        orders.push(visited);
    }
    assert_ne!(orders[0], orders[1]);

    let mut minibatch = Minibatch::default();
    minibatch.gather(&rollout, &[7, 3]);
    assert_eq!(minibatch.rows, 2);
    assert_eq!(minibatch.observations, [rollout.observations[7], rollout.observations[3]]);
    assert_eq!(minibatch.actions, [&rollout.actions[14..16], &rollout.actions[6..8]].concat());
    assert_eq!(minibatch.log_probs, [rollout.log_probs[7], rollout.log_probs[3]]);
}
