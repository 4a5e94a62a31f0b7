//! An episode to look at: what a run's last policy does, as an animation.

use std::path::Path;

use assay_algorithms::Mode;
use assay_environments::{
    Actions, BatchedEnvironment, BatchedStep, Episode, catalogue, picture::Animation, random::Seed,
};

use crate::{Error, Run, experiment::EnvironmentChoice, records};

/// An episode that was played and drawn.
#[derive(Clone, Debug)]
pub struct Playback {
    /// One frame per step, the first before the first step.
    pub animation: Animation,
    /// Its return and length.
    pub episode: Episode,
}

/// Plays one episode in the run's environment with the policy of its last checkpoint, of at most
/// `limit` steps. `seed` decides where it starts and what is sampled; `interval` is the time between
/// frames in seconds. The run's records are only read.
///
/// Errors when the folder is no run, has no checkpoint yet, or its environment draws nothing.
pub fn of_run(folder: &Path, mode: Mode, seed: u64, limit: u64, interval: f64) -> Result<Playback, Error> {
    let run = Run::read(&folder.join(records::CONFIG))?;
    let environment = run.environment(&run.title())?;
    let seed = Seed::new(seed).child("playback");
    let stage = environment.replicate(1, seed);
    let mut learner = run.learner(environment, &run.title())?;
    let checkpoint = records::checkpoint(folder, &run.algorithm.name)?.ok_or_else(|| {
        Error::Records(format!("{} has no checkpoint yet: there is no policy to watch", folder.display()))
    })?;
    learner.load(&checkpoint).map_err(|error| records::damaged_checkpoint(folder, error))?;
    let mut rng = seed.stream("policy");
    play(stage, limit, interval, &run.environment.name, |observations, actions| {
        learner.act(observations, mode, &mut rng, actions).map_err(Error::algorithm(run.title()))
    })
}

/// Plays one episode of the environment with uniformly random actions, as [`of_run`] does.
pub fn of_environment(
    choice: &EnvironmentChoice,
    seed: u64,
    limit: u64,
    interval: f64,
) -> Result<Playback, Error> {
    let seed = Seed::new(seed).child("playback");
    let name = &choice.name;
    let stage = catalogue::make(name, &choice.parameters, 1, seed).map_err(Error::environment(name))?;
    let space = stage.action_space().clone();
    let mut rng = seed.stream("policy");
    play(stage, limit, interval, name, |_, actions| {
        space.sample(&mut rng, actions);
        Ok(())
    })
}

fn play(
    mut stage: Box<dyn BatchedEnvironment>,
    limit: u64,
    interval: f64,
    name: &str,
    mut act: impl FnMut(&[f32], &mut Actions) -> Result<(), Error>,
) -> Result<Playback, Error> {
    let mut step = BatchedStep::new(&*stage);
    let mut actions = Actions::zeros(stage.action_space(), 1);
    let mut animation = Animation::new(interval);
    let mut episode = Episode { total_reward: 0.0, length: 0 };
    stage.reset(&mut step.observations).map_err(Error::environment(name))?;
    let frame = |stage: &dyn BatchedEnvironment| {
        stage.draw(0).ok_or_else(|| Error::Records(format!("{name} has no pictures")))
    };
    animation.push(frame(&*stage)?);
    while episode.length < limit {
        act(&step.observations, &mut actions)?;
        stage.step(&actions, &mut step).map_err(Error::environment(name))?;
        episode.total_reward += f64::from(step.rewards[0]);
        episode.length += 1;
        if step.terminated[0] || step.truncated[0] {
            // The stage shows the next episode already.
            break;
        }
        animation.push(frame(&*stage)?);
    }
    Ok(Playback { animation, episode })
}
