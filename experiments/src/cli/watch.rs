//! `assay watch`.

use std::path::PathBuf;

use assay_algorithms::Mode;
use clap::Args;
use toml::Table;

use super::Done;
use crate::{
    Error,
    experiment::EnvironmentChoice,
    playback,
    records::{self, files::write_atomically},
};

/// Plays an episode and draws it as an animated GIF.
///
/// Of a run, with the policy of its last checkpoint, finished or not; of an environment, with random
/// actions. Folders that hold several runs give their first one.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    assay watch runs/cartpole/PPO/seed-0\n  \
    assay watch runs/cartpole/PPO --seed 3 --output cartpole.gif\n  \
    assay watch Acrobot-v1 --limit 200 --frames frames")]
pub(super) struct Watch {
    /// The folder of a run, or an environment's name.
    what: String,
    /// The GIF file.
    #[arg(long, default_value = "episode.gif")]
    output: PathBuf,
    /// Also writes every frame as PNG into this folder.
    #[arg(long, value_name = "FOLDER")]
    frames: Option<PathBuf>,
    /// Which episode: another seed starts elsewhere.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Samples actions, as in training, in place of the policy's best.
    #[arg(long)]
    sample: bool,
    /// The most steps that are played.
    #[arg(long, value_name = "STEPS", default_value_t = 1000)]
    limit: u64,
    /// Steps shown per second; a GIF shows at most 50 and leaves out the rest.
    #[arg(long, value_name = "STEPS", default_value_t = 30.0)]
    rate: f64,
    /// Width in pixels.
    #[arg(long, value_name = "PIXELS", default_value_t = 480)]
    width: u32,
}

impl Watch {
    pub(super) fn execute(self) -> Result<Done, Error> {
        let interval = 1.0 / self.rate;
        let folder = PathBuf::from(&self.what);
        let playback = if folder.is_dir() {
            let runs = records::find_runs(&folder)?;
            let run = runs
                .first()
                .ok_or_else(|| Error::Records(format!("there are no runs in {}", folder.display())))?;
            eprintln!("{}", run.run.title());
            let mode = if self.sample { Mode::Sample } else { Mode::Greedy };
            playback::of_run(&run.folder, mode, self.seed, self.limit, interval)?
        } else {
            let name = self.what.clone();
            let choice = EnvironmentChoice { name, copies: 1, parameters: Table::new() };
            playback::of_environment(&choice, self.seed, self.limit, interval)?
        };
        let gif = playback.animation.gif(self.width)?;
        write_atomically(&self.output, &gif)?;
        if let Some(folder) = &self.frames {
            playback.animation.write_frames(folder, self.width)?;
        }
        let episode = playback.episode;
        println!("{} steps, return {}\n{}", episode.length, episode.total_reward, self.output.display());
        Ok(Done::All)
    }
}
