//! An episode to look at: what a run's last policy does, as an animation.

use std::path::Path;

use assay_algorithms::{Learner, Mode, PreviousStep};
use assay_environments::{
    Actions, BatchedEnvironment, BatchedStep, Episode, catalogue,
    picture::{Animation, Picture},
    random::Seed,
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
    let (run, learner) = load(folder)?;
    let seed = Seed::new(seed).child("playback");
    let stage = run.environment(&run.title())?.replicate(1, seed);
    let mut rng = seed.stream("policy");
    let mut previous = PreviousStep::none(&*stage);
    play(stage, limit, interval, &run.environment.name, |observations, actions| {
        learner
            .act_after(&previous, observations, mode, &mut rng, actions)
            .map_err(Error::algorithm(run.title()))?;
        // One episode is played, which goes on as long as somebody asks.
        previous.begin(observations, actions);
        previous.known.fill(true);
        Ok(())
    })
}

/// Plays one episode like [`of_run`], in an environment whose return is a set function of the places
/// visited, and draws the whole path on the map with what it covers. The return comes with it.
///
/// Errors when the folder is no run, has no checkpoint yet, or its environment has no set function.
pub fn path_of_run(folder: &Path, mode: Mode, seed: u64) -> Result<(Picture, f64), Error> {
    let (run, learner) = load(folder)?;
    let name = &run.environment.name;
    let seed = Seed::new(seed).child("playback");
    let mut stage = run.environment(&run.title())?.replicate(1, seed);
    let horizon = stage.submodular().map(|problem| problem.horizon());
    let horizon = horizon.ok_or_else(|| Error::Records(format!("{name} has no set function")))?;
    let mut step = BatchedStep::new(&*stage);
    let mut actions = Actions::zeros(stage.action_space(), 1);
    let mut rng = seed.stream("policy");
    let (mut path, mut total) = (Vec::with_capacity(horizon + 1), 0.0);
    let arrive = |stage: &dyn BatchedEnvironment, observation: &[f32], path: &mut Vec<usize>| {
        path.extend(
            stage.submodular().and_then(|problem| problem.observed(observation)).map(|(_, place)| place),
        );
    };
    stage.reset(&mut step.observations).map_err(Error::environment(name))?;
    arrive(&*stage, &step.observations, &mut path);
    for _ in 0..horizon {
        let acted = learner.act(&step.observations, mode, &mut rng, &mut actions);
        acted.map_err(Error::algorithm(run.title()))?;
        stage.step(&actions, &mut step).map_err(Error::environment(name))?;
        total += f64::from(step.rewards[0]);
        let ended = step.terminated[0];
        arrive(&*stage, if ended { &step.final_observations } else { &step.observations }, &mut path);
    }
    let picture = stage.submodular().map(|problem| problem.draw_path(&path));
    Ok((picture.ok_or_else(|| Error::Records(format!("{name} has no set function")))?, total))
}

/// A run with the learner of its last checkpoint.
fn load(folder: &Path) -> Result<(Run, Box<dyn Learner>), Error> {
    let run = Run::read(&folder.join(records::CONFIG))?;
    let environment = run.environment(&run.title())?;
    let mut learner = run.learner(environment, &run.title())?;
    let checkpoint = records::checkpoint(folder, &run.algorithm.name)?.ok_or_else(|| {
        Error::Records(format!("{} has no checkpoint yet: there is no policy to watch", folder.display()))
    })?;
    learner.load(&checkpoint).map_err(|error| records::damaged_checkpoint(folder, error))?;
    Ok((run, learner))
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
