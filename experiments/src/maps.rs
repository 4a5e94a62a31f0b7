//! Maps with the paths that policies take and what these cover, for environments whose return is a set
//! function of the places visited.

use std::path::{Path, PathBuf};

use assay_algorithms::Mode;
use assay_environments::picture::Picture;

use crate::{Error, experiment::Experiment, playback, records::files::write_atomically};

/// Width of one map in the written pictures, in pixels.
const WIDTH: f64 = 320.0;

/// One map with the path of the first seed's last policy for each algorithm, in the order of the
/// experiment, headed by label and return. The policy is sampled, as in training.
///
/// Errors when a run has no checkpoint, or the environment no set function.
pub fn of_experiment(experiment: &Experiment, root: &Path) -> Result<Vec<Picture>, Error> {
    let first = experiment.seeds.first();
    let mut maps = Vec::new();
    for run in experiment.runs()?.iter().filter(|run| Some(&run.seed) == first) {
        let (map, total) = playback::path_of_run(&run.folder(root), Mode::Sample, run.seed)?;
        maps.push(headed(&format!("{}: {total:.1}", run.label), map));
    }
    Ok(maps)
}

/// Writes the maps of several experiments, a row for each, as `maps.svg` and `maps.png` in `root`.
pub fn write(experiments: &[Experiment], root: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut rows = Vec::new();
    let mut columns = 0;
    for experiment in experiments {
        let maps = of_experiment(experiment, root)?;
        columns = columns.max(maps.len());
        rows.push(Picture::strip(&maps, maps.len())?);
    }
    let sheet = Picture::strip(&rows, 1)?;
    let width = WIDTH * columns as f64;
    let (svg, png) = (root.join("maps.svg"), root.join("maps.png"));
    write_atomically(&svg, sheet.svg(width)?.as_bytes())?;
    write_atomically(&png, &sheet.png(2 * width as u32)?)?;
    Ok(vec![svg, png])
}

/// A picture of unit width under a heading.
fn headed(heading: &str, picture: Picture) -> Picture {
    let height = picture.height() / picture.width();
    let mut sheet = Picture::new([0.0, 0.0], [1.0, height + 0.1]);
    sheet.inset([0.0, 0.0], 1.0, picture);
    sheet.text([0.5, height + 0.05], 0.06, heading);
    sheet
}
