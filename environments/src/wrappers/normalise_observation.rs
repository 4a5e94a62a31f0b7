//! Observations of mean 0 and variance 1.

use serde::{Deserialize, Serialize};

use super::CLIP;
use crate::{
    Action, Environment, Error, Outcome, PhysicalParameters, RunningStatistics, Space, VectorReward,
    picture::Picture, random::Stream,
};

/// Shifts and scales every feature of the observations by its running mean and standard deviation,
/// and clips the result to ± 10.
///
/// The statistics take in every observation, that of a reset included, until they are
/// [`freeze`](Self::freeze)d.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "E: Environment")]
pub struct NormaliseObservation<E> {
    environment: E,
    statistics: RunningStatistics,
    frozen: bool,
}

impl<E: Environment> NormaliseObservation<E> {
    /// Normalises the observations of `environment`; errors unless they are a box.
    pub fn new(environment: E) -> Result<Self, Error> {
        match environment.observation_space() {
            Space::Box { low, .. } => {
                let statistics = RunningStatistics::new(low.len());
                Ok(NormaliseObservation { environment, statistics, frozen: false })
            }
            other => {
                Err(Error::InvalidSpace { reason: format!("observations of {other} cannot be normalised") })
            }
        }
    }

    /// The environment inside.
    pub fn inner(&self) -> &E {
        &self.environment
    }

    /// Mean and variance of the observations so far.
    pub fn statistics(&self) -> &RunningStatistics {
        &self.statistics
    }

    /// Goes on with the statistics as they are: for evaluation.
    pub fn freeze(&mut self) {
        self.frozen = true;
    }

    fn normalise(&mut self, observation: &mut [f32]) {
        if !self.frozen {
            self.statistics.update(observation);
        }
        self.statistics.normalise(observation, CLIP);
    }
}

impl<E: Environment> Environment for NormaliseObservation<E> {
    fn observation_space(&self) -> Space {
        Space::symmetric(self.statistics.width(), CLIP)
    }

    fn action_space(&self) -> Space {
        self.environment.action_space()
    }

    fn reset(&mut self, rng: &mut Stream, observation: &mut [f32]) -> Result<(), Error> {
        self.environment.reset(rng, observation)?;
        self.normalise(observation);
        Ok(())
    }

    fn step(
        &mut self,
        action: Action<'_>,
        rng: &mut Stream,
        observation: &mut [f32],
    ) -> Result<Outcome, Error> {
        let outcome = self.environment.step(action, rng, observation)?;
        self.normalise(observation);
        Ok(outcome)
    }

    fn draw(&self) -> Option<Picture> {
        self.environment.draw()
    }

    fn vector_reward(&self) -> Option<&dyn VectorReward> {
        self.environment.vector_reward()
    }

    fn physics(&mut self) -> Option<&mut dyn PhysicalParameters> {
        self.environment.physics()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{classic::Pendulum, random::Seed};

    #[test]
    fn observations_get_mean_zero_and_variance_one_and_frozen_statistics_stay() {
        let mut environment = NormaliseObservation::new(Pendulum::new()).unwrap();
        let mut rng = Seed::new(0).stream("environment");
        let mut observation = [0.0; 3];
        let mut seen = RunningStatistics::new(3);
        environment.reset(&mut rng, &mut observation).unwrap();
        for t in 0..20_000 {
            let torque = 2.0 * (t as f32 * 0.01).sin();
            environment.step(Action::Continuous(&[torque]), &mut rng, &mut observation).unwrap();
            if t >= 10_000 {
                seen.update(&observation);
            }
        }
        for feature in 0..3 {
            let (mean, variance) = (seen.mean()[feature], seen.variance(feature));
            assert!(mean.abs() < 0.1 && (variance - 1.0).abs() < 0.1, "{mean} {variance}");
        }
        assert_eq!(environment.statistics().count(), 20_001);
        environment.freeze();
        environment.step(Action::Continuous(&[0.0]), &mut rng, &mut observation).unwrap();
        assert_eq!(environment.statistics().count(), 20_001);
    }
}
