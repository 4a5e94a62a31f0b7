//! What learners with an uncertainty set of physical parameters share: the set, and a point of it for
//! every episode.

use assay_environments::{
    BatchedEnvironment,
    domain_randomisation::{ParameterBox, check_box, set_parameters},
};
use serde::{Deserialize, Serialize};

use crate::{Error, replay::Collector};

/// The uncertainty set that is meant: `uncertainty`, or where it is empty all physical parameters of the
/// environment in their whole ranges. Errors when the environment has none, or not those named, or a range
/// is not within the parameter's own.
pub fn resolve(
    algorithm: &'static str,
    uncertainty: &ParameterBox,
    environment: &mut dyn BatchedEnvironment,
) -> Result<ParameterBox, Error> {
    let all = environment.physics(0).map(|physics| physics.physical_parameters()).unwrap_or_default();
    if all.is_empty() {
        let needed = "an environment with physical parameters that can be set".into();
        return Err(Error::Unsupported { algorithm, needed, found: "none".into() });
    }
    if uncertainty.is_empty() {
        return Ok(all.into_iter().map(|parameter| (parameter.name, parameter.range)).collect());
    }
    check_box(environment, uncertainty)?;
    Ok(uncertainty.clone())
}

/// A point of the unit cube as physical parameters, in the order of the box.
pub fn physical(uncertainty: &ParameterBox, point: &[f64]) -> Vec<f64> {
    // Rounding must not leave the range.
    let value = |(&[low, high], x): (&[f64; 2], &f64)| (low + (high - low) * x).clamp(low, high);
    uncertainty.values().zip(point).map(value).collect()
}

/// The models that the episodes of a collector are played in, one for each copy: points on [−1, 1] in
/// every parameter, as critics take them, in the order of the box.
///
/// Physical parameters hold from the next reset on, and a copy whose episode ends is reset in the same
/// step. So the model of an episode is drawn when the episode before it begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpisodeModels {
    uncertainty: ParameterBox,
    /// Those of the running episodes (copies × parameters).
    current: Vec<f32>,
    /// Those of the episodes that come next, which the copies know already.
    next: Vec<f32>,
}

impl EpisodeModels {
    /// Draws a model for the first episode of every copy of a collector that has not started. `draw`
    /// is given the copy and writes a point on [−1, 1]. Errors as it does, and when the environment
    /// cannot be changed.
    pub fn new(
        uncertainty: ParameterBox,
        collector: &mut Collector,
        mut draw: impl FnMut(usize, &mut [f32]) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let numbers = collector.environment().copies() * uncertainty.len();
        let mut models = EpisodeModels { uncertainty, current: vec![0.0; numbers], next: vec![0.0; numbers] };
        for copy in 0..collector.environment().copies() {
            models.prepare(copy, collector, &mut draw)?;
        }
        models.current.copy_from_slice(&models.next);
        Ok(models)
    }

    /// Takes note of the step that the collector has just taken: where an episode has ended, the next
    /// model is the current one, and one is drawn for the episode after it, as at the start.
    pub fn follow(
        &mut self,
        collector: &mut Collector,
        mut draw: impl FnMut(usize, &mut [f32]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let copies = collector.environment().copies();
        let width = self.width();
        let first = collector.steps() == copies as u64;
        for copy in 0..copies {
            let ended = collector.has_ended(copy);
            if ended {
                let row = copy * width..(copy + 1) * width;
                self.current[row.clone()].copy_from_slice(&self.next[row]);
            }
            if ended || first {
                self.prepare(copy, collector, &mut draw)?;
            }
        }
        Ok(())
    }

    /// Draws the model of a copy's next episode.
    fn prepare(
        &mut self,
        copy: usize,
        collector: &mut Collector,
        draw: &mut impl FnMut(usize, &mut [f32]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let width = self.width();
        let next = &mut self.next[copy * width..][..width];
        draw(copy, next)?;
        let unit: Vec<f64> = next.iter().map(|x| 0.5 * (f64::from(*x) + 1.0)).collect();
        let values = physical(&self.uncertainty, &unit);
        Ok(set_parameters(collector.environment_mut(), copy, &self.uncertainty, &values)?)
    }

    /// The models of the running episodes (copies × parameters), on [−1, 1].
    pub fn current(&self) -> &[f32] {
        &self.current
    }

    /// The number of parameters.
    pub fn width(&self) -> usize {
        self.uncertainty.len()
    }

    /// The uncertainty set.
    pub fn uncertainty(&self) -> &ParameterBox {
        &self.uncertainty
    }

    /// Whether another one is of the same set and number of copies, so that it can take its place.
    pub fn fits(&self, other: &EpisodeModels) -> bool {
        self.uncertainty == other.uncertainty && self.current.len() == other.current.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{replay, testing::pendulum};
    use assay_environments::random::Seed;

    fn uncertainty() -> ParameterBox {
        [("mass".to_owned(), [0.5, 1.5]), ("length".to_owned(), [1.0, 2.0])].into()
    }

    #[test]
    fn points_of_the_cube_become_physical_parameters_within_their_ranges() {
        // In alphabetical order: length, mass.
        assert_eq!(physical(&uncertainty(), &[0.0, 1.0]), [1.0, 1.5]);
        assert_eq!(physical(&uncertainty(), &[0.25, 0.5]), [1.25, 1.0]);
    }

    #[test]
    fn an_episode_has_the_model_that_was_drawn_when_the_one_before_it_began() {
        let settings = replay::Settings {
            learning_starts: 0,
            train_every: 1,
            gradient_steps: 1,
            batch_size: 1,
            replay_capacity: 10,
        };
        let seed = Seed::new(0);
        let mut collector = Collector::new("test", pendulum(2, 0), settings, seed).unwrap();
        // The n-th draw is n hundredths in every parameter.
        let mut drawn = 0;
        let mut draw = |_, point: &mut [f32]| {
            point.fill(drawn as f32 / 100.0);
            drawn += 1;
            Ok(())
        };
        let mut models = EpisodeModels::new(uncertainty(), &mut collector, &mut draw).unwrap();
        let mut seen = Vec::new();
        for _ in 0..450 {
            collector.step(|_, _, actions| actions.fill(0.0)).unwrap();
            models.follow(&mut collector, &mut draw).unwrap();
            let current: Vec<i32> = models.current().iter().map(|x| (x * 100.0).round() as i32).collect();
            if seen.last() != Some(&current) {
                seen.push(current);
            }
        }
        // Draws 0 and 1 for the first episodes of the two copies, 2 and 3 for the second, 4 and 5.
        assert_eq!(seen, [[0, 0, 1, 1], [2, 2, 3, 3], [4, 4, 5, 5]]);
        // What the copies know already is for the fourth episode.
        let value = |collector: &mut Collector, copy: usize| {
            let physics = collector.environment_mut().physics(copy).unwrap();
            physics.physical_parameters().iter().find(|p| p.name == "mass").unwrap().value
        };
        for (copy, draw) in [(0, 6.0), (1, 7.0)] {
            assert!((value(&mut collector, copy) - (0.5 + 0.5 * (1.0 + draw / 100.0))).abs() < 1e-6);
        }
    }
}
