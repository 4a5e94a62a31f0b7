//! How good a policy is, measured where it does not learn.

use assay_algorithms::{Learner, PreviousStep};
use assay_environments::{
    Actions, BatchedEnvironment, BatchedStep, Episode, domain_randomisation::set_parameters, random::Seed,
};

use crate::{experiment::Evaluation, records::EvaluationSummary};

/// Plays `settings.episodes` whole episodes, each on a copy of its own, and returns them in the
/// order of the copies; on a grid of physical parameters as many at every point, point by point.
///
/// The copies and the policy's sampling draw from streams of `seed` alone and start anew each
/// time and at every point, so two evaluations of the same policy agree, and nothing that happens in
/// training shifts them. Taking the first episode of each copy keeps short episodes from being counted
/// more often.
pub(crate) fn evaluate(
    learner: &dyn Learner,
    environment: &dyn BatchedEnvironment,
    settings: &Evaluation,
    seed: Seed,
) -> Result<Vec<Episode>, assay_algorithms::Error> {
    let copies = settings.episodes;
    let Some(grid) = &settings.grid else {
        return play(learner, environment.replicate(copies, seed), settings, seed);
    };
    let mut episodes = Vec::new();
    for values in grid.cells() {
        let mut environment = environment.replicate(copies, seed);
        for copy in 0..copies {
            set_parameters(&mut *environment, copy, &grid.ranges, &values)?;
        }
        episodes.extend(play(learner, environment, settings, seed)?);
    }
    Ok(episodes)
}

/// The first episode of every copy.
fn play(
    learner: &dyn Learner,
    mut environment: Box<dyn BatchedEnvironment>,
    settings: &Evaluation,
    seed: Seed,
) -> Result<Vec<Episode>, assay_algorithms::Error> {
    let copies = environment.copies();
    let mut rng = seed.stream("policy");
    let mut step = BatchedStep::new(&*environment);
    let mut actions = Actions::zeros(environment.action_space(), copies);
    let mut previous = PreviousStep::none(&*environment);
    let mut running = vec![Episode { total_reward: 0.0, length: 0 }; copies];
    let mut finished: Vec<Option<Episode>> = vec![None; copies];
    environment.reset(&mut step.observations)?;
    for _ in 0..settings.step_limit {
        learner.act_after(&previous, &step.observations, settings.mode, &mut rng, &mut actions)?;
        previous.begin(&step.observations, &actions);
        environment.step(&actions, &mut step)?;
        previous.end(&step);
        let mut ended = step.episodes.iter();
        for i in 0..copies {
            running[i].total_reward += f64::from(step.rewards[i]);
            running[i].length += 1;
            if step.terminated[i] || step.truncated[i] {
                let episode = ended.next().copied();
                finished[i] = finished[i].or(episode);
            }
        }
        if finished.iter().all(Option::is_some) {
            break;
        }
    }
    Ok(finished.into_iter().zip(running).map(|(finished, cut_off)| finished.unwrap_or(cut_off)).collect())
}

/// Mean, spread and mean length of episodes.
pub(crate) fn summarise(episodes: &[Episode]) -> EvaluationSummary {
    let count = episodes.len() as f64;
    let mean = |value: fn(&Episode) -> f64| episodes.iter().map(value).sum::<f64>() / count;
    let mean_reward = mean(|episode| episode.total_reward);
    let squares: f64 = episodes.iter().map(|episode| (episode.total_reward - mean_reward).powi(2)).sum();
    EvaluationSummary {
        episodes: episodes.len(),
        mean_reward,
        standard_deviation: (squares / (count - 1.0).max(1.0)).sqrt(),
        mean_length: mean(|episode| episode.length as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::PhysicalGrid;
    use assay_algorithms::{Mode, catalogue as algorithms};
    use assay_environments::catalogue as environments;

    fn settings(step_limit: u64) -> Evaluation {
        Evaluation { episodes: 7, step_limit, mode: Mode::Greedy, ..Evaluation::default() }
    }

    fn evaluated(learner: &dyn Learner, settings: &Evaluation) -> Vec<Episode> {
        let seed = Seed::new(3).child("evaluation");
        let environment = environments::make("CartPole-v1", &toml::Table::new(), 2, Seed::new(3)).unwrap();
        evaluate(learner, &*environment, settings, seed).unwrap()
    }

    #[test]
    fn training_does_not_shift_an_evaluation_and_every_copy_gives_its_first_episode() {
        let environment = environments::make("CartPole-v1", &toml::Table::new(), 2, Seed::new(3)).unwrap();
        let mut learner = algorithms::make(
            "random",
            &toml::Table::new(),
            environment,
            Seed::new(3),
            algorithms::DeviceKind::Cpu,
        )
        .unwrap();
        let before = evaluated(&*learner, &settings(500));
        learner.advance().unwrap();
        assert_eq!(evaluated(&*learner, &settings(500)), before);
        assert_eq!(before.len(), 7);
        assert!(before.iter().all(|e| e.total_reward == e.length as f64 && e.length >= 5));

        let cut_off = evaluated(&*learner, &settings(3));
        assert!(cut_off.iter().all(|e| e.total_reward == 3.0 && e.length == 3));
    }

    #[test]
    fn on_a_grid_every_point_has_its_own_physics_and_the_same_starts() {
        let environment = environments::make("Pendulum-v1", &toml::Table::new(), 1, Seed::new(3)).unwrap();
        let batch = environments::make("Pendulum-v1", &toml::Table::new(), 1, Seed::new(3)).unwrap();
        let parameters = toml::Table::new();
        let learner =
            algorithms::make("sac", &parameters, batch, Seed::new(3), algorithms::DeviceKind::Cpu).unwrap();
        let grid = PhysicalGrid {
            points: 3,
            ranges: [("mass".to_owned(), [0.5, 1.5]), ("gravity".to_owned(), [10.0, 10.0])].into(),
        };
        assert_eq!(grid.cells()[..4], [[10.0, 0.5], [10.0, 1.0], [10.0, 1.5], [10.0, 0.5]]);
        let seed = Seed::new(3).child("evaluation");
        let settings = Evaluation { grid: Some(grid), ..settings(200) };
        let on_grid = evaluate(&*learner, &*environment, &settings, seed).unwrap();
        assert_eq!(on_grid.len(), 9 * 7);
        let plain = Evaluation { grid: None, ..settings };
        let published = evaluate(&*learner, &*environment, &plain, seed).unwrap();
        // The point in the middle is the environment as it is.
        assert_eq!(on_grid[7..14], published);
        assert_eq!(on_grid[21..28], on_grid[..7]);
        assert!(on_grid[..7] != published[..] && on_grid[14..21] != published[..]);
    }

    #[test]
    fn a_summary_is_mean_and_sample_deviation() {
        let episode = |total_reward, length| Episode { total_reward, length };
        let summary = summarise(&[episode(1.0, 2), episode(3.0, 4)]);
        assert_eq!((summary.mean_reward, summary.mean_length), (2.0, 3.0));
        assert!((summary.standard_deviation - 2f64.sqrt()).abs() < 1e-15);
        assert_eq!(summarise(&[episode(5.0, 1)]).standard_deviation, 0.0);
    }
}
