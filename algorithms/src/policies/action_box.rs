//! The bounded box that continuous policies act in.

use assay_environments::{Actions, Space, random::Stream};
use rand::Rng;

use crate::Error;

/// A box-shaped action space, seen from a policy that acts on [−1, 1] in every dimension.
///
/// Learners with bounded policies keep to these *normalised* actions everywhere: in replay, as
/// their critics' input, in log-densities and entropies. An entropy target of −dim(A) then means
/// the same whatever the units of the actuators. Only what goes to the environment is scaled. The
/// log-density in the environment's own units is the normalised one minus
/// [`log_volume_ratio`](Self::log_volume_ratio).
#[derive(Clone, Debug, PartialEq)]
pub struct ActionBox {
    low: Vec<f32>,
    high: Vec<f32>,
}

impl ActionBox {
    /// The box of `space`, for the algorithm called `algorithm`. Errors when the space is not a
    /// box, or is unbounded somewhere.
    pub fn new(algorithm: &'static str, space: &Space) -> Result<Self, Error> {
        match space {
            Space::Box { low, high } if low.iter().chain(high).all(|bound| bound.is_finite()) => {
                Ok(ActionBox { low: low.clone(), high: high.clone() })
            }
            _ => Err(Error::Unsupported {
                algorithm,
                needed: "continuous actions with finite bounds".into(),
                found: format!("the action space {space}"),
            }),
        }
    }

    /// How many dimensions an action has.
    pub fn width(&self) -> usize {
        self.low.len()
    }

    /// Scales normalised actions (rows × width) to the box; −1 becomes the lower bound, 1 the upper.
    pub fn denormalise(&self, normalised: &[f32], actions: &mut [f32]) {
        let width = self.width();
        for (from, to) in normalised.chunks_exact(width).zip(actions.chunks_exact_mut(width)) {
            for (i, (x, y)) in from.iter().zip(to).enumerate() {
                let (low, high) = (self.low[i], self.high[i]);
                // Halves first: high − low may overflow. Rounding must not leave the box.
                let centre = 0.5 * low + 0.5 * high;
                *y = (centre + (0.5 * high - 0.5 * low) * x).clamp(low, high);
            }
        }
    }

    /// Writes normalised actions as a batch of the environment's. The batch must be of this box's
    /// space; another kind is left as it is.
    pub fn write(&self, normalised: &[f32], actions: &mut Actions) {
        if let Actions::Continuous { values, .. } = actions {
            self.denormalise(normalised, values);
        }
    }

    /// Scales actions of the box (rows × width) to [−1, 1]; what lies outside the box is clipped. A
    /// dimension without extent becomes 0.
    pub fn normalise(&self, actions: &[f32], normalised: &mut [f32]) {
        let width = self.width();
        for (from, to) in actions.chunks_exact(width).zip(normalised.chunks_exact_mut(width)) {
            for (i, (x, y)) in from.iter().zip(to).enumerate() {
                let (low, high) = (self.low[i], self.high[i]);
                let half_width = 0.5 * high - 0.5 * low;
                let centred = x - (0.5 * low + 0.5 * high);
                *y = if half_width > 0.0 { (centred / half_width).clamp(-1.0, 1.0) } else { 0.0 };
            }
        }
    }

    /// The logarithm of the box's volume over the volume of [−1, 1] to the power of its width.
    pub fn log_volume_ratio(&self) -> f64 {
        let half_width = |(low, high): (&f32, &f32)| 0.5 * (f64::from(*high) - f64::from(*low));
        self.low.iter().zip(&self.high).map(|bounds| half_width(bounds).ln()).sum()
    }
}

/// Draws normalised actions uniformly.
pub fn uniform(rng: &mut Stream, normalised: &mut [f32]) {
    normalised.iter_mut().for_each(|x| *x = rng.random_range(-1.0..=1.0));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spaces_that_are_not_bounded_boxes_are_named() {
        for space in [
            Space::discrete(3),
            Space::MultiDiscrete { sizes: vec![2, 3] },
            Space::symmetric(2, f32::INFINITY),
        ] {
            let message = ActionBox::new("SAC", &space).unwrap_err().to_string();
            assert!(message.contains("SAC") && message.contains(&space.to_string()), "{message}");
        }
    }

    #[test]
    fn bounds_are_met_exactly() {
        let space = Space::bounded(vec![-0.1, 3.0, f32::MIN], vec![0.7, 3.0, f32::MAX]).unwrap();
        let action_box = ActionBox::new("SAC", &space).unwrap();
        let mut actions = [0.0; 6];
        action_box.denormalise(&[-1.0, -1.0, -1.0, 1.0, 1.0, 1.0], &mut actions);
        assert_eq!(actions, [-0.1, 3.0, f32::MIN, 0.7, 3.0, f32::MAX]);
    }

    proptest! {
        #[test]
        fn actions_stay_in_the_box_and_return_from_it(
            low in -1e3_f32..1e3, extent in 1e-3_f32..1e3, x in -1.0_f32..=1.0,
        ) {
            let space = Space::bounded(vec![low], vec![low + extent]).unwrap();
            let action_box = ActionBox::new("SAC", &space).unwrap();
            let (mut action, mut back) = ([0.0], [0.0]);
            action_box.denormalise(&[x], &mut action);
            prop_assert!(space.contains(&action));
            action_box.normalise(&action, &mut back);
            // The action is rounded at the scale of the bounds.
            let tolerance = 1e-6 * (1.0 + low.abs() / extent + 1.0);
            prop_assert!((back[0] - x).abs() <= tolerance, "{x} became {}", back[0]);
        }
    }
}
