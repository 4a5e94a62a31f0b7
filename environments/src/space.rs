//! Spaces, as values, and the actions that belong to them.

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::{Error, random::Stream};

/// The set that observations or actions come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Space {
    /// Vectors of real numbers with a lower and an upper bound in every dimension; a bound may be
    /// infinite.
    Box {
        /// Lower bounds.
        low: Vec<f32>,
        /// Upper bounds.
        high: Vec<f32>,
    },
    /// The numbers 0, 1, …, n − 1.
    Discrete {
        /// How many there are.
        n: usize,
    },
    /// Several discrete numbers at once.
    MultiDiscrete {
        /// How many values each of them has.
        sizes: Vec<usize>,
    },
}

impl Space {
    /// A box; errors when the bounds are not [valid](Self::validate).
    pub fn bounded(low: Vec<f32>, high: Vec<f32>) -> Result<Self, Error> {
        let space = Space::Box { low, high };
        space.validate()?;
        Ok(space)
    }

    /// Errors when a box has no dimensions, or bounds that differ in number, are not numbers or are
    /// crossed; and when a discrete space, or a part of a multi-discrete one, has no values.
    pub fn validate(&self) -> Result<(), Error> {
        let invalid = |reason| Err(Error::InvalidSpace { reason });
        match self {
            Space::Box { low, high } => {
                if low.len() != high.len() || low.is_empty() {
                    return invalid(format!("{} lower and {} upper bounds", low.len(), high.len()));
                }
                for (i, (l, h)) in low.iter().zip(high).enumerate() {
                    if l.is_nan() || h.is_nan() || l > h {
                        return invalid(format!("dimension {i} has bounds {l} and {h}"));
                    }
                }
                Ok(())
            }
            Space::Discrete { n: 0 } => invalid("a discrete space of no values".into()),
            Space::Discrete { .. } => Ok(()),
            Space::MultiDiscrete { sizes } if sizes.is_empty() || sizes.contains(&0) => {
                invalid(format!("a multi-discrete space of sizes {sizes:?}"))
            }
            Space::MultiDiscrete { .. } => Ok(()),
        }
    }

    /// A box with bounds ± `bound` (which may be infinite) in each of `width` dimensions.
    pub fn symmetric(width: usize, bound: f32) -> Self {
        Space::Box { low: vec![-bound; width], high: vec![bound; width] }
    }

    /// A discrete space of `n` values.
    pub fn discrete(n: usize) -> Self {
        Space::Discrete { n }
    }

    /// How many numbers one element takes in its raw form: a box's dimensions, one for a discrete
    /// space, one per part of a multi-discrete one.
    pub fn width(&self) -> usize {
        match self {
            Space::Box { low, .. } => low.len(),
            Space::Discrete { .. } => 1,
            Space::MultiDiscrete { sizes } => sizes.len(),
        }
    }

    /// How many numbers one element takes as a network's input: a box's dimensions, or the total
    /// length of the one-hot codes.
    pub fn features(&self) -> usize {
        match self {
            Space::Box { low, .. } => low.len(),
            Space::Discrete { n } => *n,
            Space::MultiDiscrete { sizes } => sizes.iter().sum(),
        }
    }

    /// Writes an element's raw form (`width` numbers) as features (`features` numbers): a box is
    /// copied, discrete parts become one-hot codes.
    pub fn encode(&self, raw: &[f32], features: &mut [f32]) {
        match self {
            Space::Box { .. } => features.copy_from_slice(raw),
            Space::Discrete { .. } => {
                features.fill(0.0);
                features[raw[0] as usize] = 1.0;
            }
            Space::MultiDiscrete { sizes } => {
                features.fill(0.0);
                let mut start = 0;
                for (value, size) in raw.iter().zip(sizes) {
                    features[start + *value as usize] = 1.0;
                    start += size;
                }
            }
        }
    }

    /// Writes an action as features (`features` numbers), as [`encode`](Self::encode) does with raw
    /// forms. The action must be of this space's kind.
    pub fn encode_action(&self, action: Action<'_>, features: &mut [f32]) {
        match (self, action) {
            (Space::Box { .. }, Action::Continuous(values)) => features.copy_from_slice(values),
            (Space::Discrete { .. }, Action::Discrete(value)) => {
                features.fill(0.0);
                features[value] = 1.0;
            }
            (Space::MultiDiscrete { sizes }, Action::MultiDiscrete(values)) => {
                features.fill(0.0);
                let mut start = 0;
                for (value, size) in values.iter().zip(sizes) {
                    features[start + value] = 1.0;
                    start += size;
                }
            }
            (space, action) => unreachable!("{action:?} was not made for {space}"),
        }
    }

    /// Whether the raw form belongs to this space.
    pub fn contains(&self, raw: &[f32]) -> bool {
        let in_range = |value: f32, n: usize| value.fract() == 0.0 && value >= 0.0 && value < n as f32;
        raw.len() == self.width()
            && match self {
                Space::Box { low, high } => {
                    raw.iter().zip(low.iter().zip(high)).all(|(x, (l, h))| l <= x && x <= h)
                }
                Space::Discrete { n } => in_range(raw[0], *n),
                Space::MultiDiscrete { sizes } => raw.iter().zip(sizes).all(|(&x, &n)| in_range(x, n)),
            }
    }

    /// Checks that an action is of this space's kind and length and, where discrete, in range.
    /// Continuous actions may lie outside the bounds: environments clip, as Gymnasium's do.
    pub fn check_action(&self, action: Action<'_>) -> Result<(), Error> {
        let fits = match (self, action) {
            (Space::Discrete { n }, Action::Discrete(a)) => a < *n,
            (Space::MultiDiscrete { sizes }, Action::MultiDiscrete(a)) => {
                a.len() == sizes.len() && a.iter().zip(sizes).all(|(a, n)| a < n)
            }
            (Space::Box { low, .. }, Action::Continuous(a)) => {
                a.len() == low.len() && a.iter().all(|x| x.is_finite())
            }
            _ => false,
        };
        if fits { Ok(()) } else { Err(action.mismatch(self)) }
    }

    /// Checks that a buffer is one for `count` actions of this space, whatever it holds.
    pub fn check_buffer(&self, actions: &Actions, count: usize) -> Result<(), Error> {
        let (fits, given) = match (self, actions) {
            (space, Actions::Discrete(_)) => (matches!(space, Space::Discrete { .. }), "discrete".into()),
            (space, Actions::MultiDiscrete { width, .. }) => {
                let fits = matches!(space, Space::MultiDiscrete { sizes } if sizes.len() == *width);
                (fits, format!("multi-discrete with {width} parts"))
            }
            (space, Actions::Continuous { width, .. }) => {
                let fits = matches!(space, Space::Box { low, .. } if low.len() == *width);
                (fits, format!("continuous with {width} dimensions"))
            }
        };
        if !fits {
            return Err(Error::ActionMismatch { given, space: self.to_string() });
        }
        let given = actions.len();
        if given == count { Ok(()) } else { Err(Error::Length { what: "actions", given, expected: count }) }
    }

    /// Draws every action of the batch uniformly; an unbounded dimension is drawn from [-1, 1]. Panics
    /// when the buffer was not made for this space.
    pub fn sample(&self, rng: &mut Stream, actions: &mut Actions) {
        match (self, actions) {
            (Space::Discrete { n }, Actions::Discrete(values)) => {
                values.iter_mut().for_each(|a| *a = rng.random_range(0..*n));
            }
            (Space::MultiDiscrete { sizes }, Actions::MultiDiscrete { values, width }) => {
                for row in values.chunks_exact_mut(*width) {
                    for (a, n) in row.iter_mut().zip(sizes) {
                        *a = rng.random_range(0..*n);
                    }
                }
            }
            (Space::Box { low, high }, Actions::Continuous { values, width }) => {
                for row in values.chunks_exact_mut(*width) {
                    for (a, (l, h)) in row.iter_mut().zip(low.iter().zip(high)) {
                        let (l, h) = if (h - l).is_finite() { (*l, *h) } else { (-1.0, 1.0) };
                        *a = rng.random_range(l..=h);
                    }
                }
            }
            (space, actions) => unreachable!("{actions:?} were not made for {space}"),
        }
    }

    /// Moves the actions of a batch to the nearest ones of this space, in place: what lies outside a
    /// box is clipped to its bounds. Discrete actions stay as they are.
    pub fn clip(&self, actions: &mut Actions) {
        if let (Space::Box { low, high }, Actions::Continuous { values, width }) = (self, actions) {
            for row in values.chunks_exact_mut(*width) {
                for (a, (low, high)) in row.iter_mut().zip(low.iter().zip(high)) {
                    *a = a.clamp(*low, *high);
                }
            }
        }
    }
}

impl std::fmt::Display for Space {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Space::Box { low, high } => {
                let bound = |v: &[f32]| match v {
                    [first, rest @ ..] if rest.iter().all(|x| x == first) => first.to_string(),
                    _ => format!("{v:?}"),
                };
                write!(f, "Box({}, {} dimensions, ", bound(low), low.len())?;
                write!(f, "up to {})", bound(high))
            }
            Space::Discrete { n } => write!(f, "Discrete({n})"),
            Space::MultiDiscrete { sizes } => write!(f, "MultiDiscrete({sizes:?})"),
        }
    }
}

/// One action, borrowed from wherever it is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action<'a> {
    /// An element of [`Space::Discrete`].
    Discrete(usize),
    /// An element of [`Space::MultiDiscrete`].
    MultiDiscrete(&'a [usize]),
    /// An element of [`Space::Box`].
    Continuous(&'a [f32]),
}

impl<'a> Action<'a> {
    /// The number of a discrete action; errors unless it is one of 0 … `n` − 1.
    pub fn discrete(self, n: usize) -> Result<usize, Error> {
        match self {
            Action::Discrete(a) if a < n => Ok(a),
            _ => Err(self.mismatch(&Space::discrete(n))),
        }
    }

    /// The numbers of a continuous action; errors unless there are `N`, all finite. They may lie
    /// outside the space's bounds.
    pub fn continuous<const N: usize>(self) -> Result<&'a [f32; N], Error> {
        match self {
            Action::Continuous(values) if values.iter().all(|x| x.is_finite()) => values.try_into().ok(),
            _ => None,
        }
        .ok_or_else(|| self.mismatch(&Space::symmetric(N, f32::INFINITY)))
    }

    /// The numbers of a continuous action; errors unless there are `count`, all finite. They may lie
    /// outside the space's bounds.
    pub fn numbers(self, count: usize) -> Result<&'a [f32], Error> {
        match self {
            Action::Continuous(a) if a.len() == count && a.iter().all(|x| x.is_finite()) => Ok(a),
            _ => Err(self.mismatch(&Space::symmetric(count, f32::INFINITY))),
        }
    }

    /// The error of an action that does not belong to `space`.
    pub fn mismatch(self, space: &Space) -> Error {
        Error::ActionMismatch { given: format!("{self:?}"), space: space.to_string() }
    }
}

/// The actions of a batch, one per copy of the environment, in one contiguous buffer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Actions {
    /// One number per copy.
    Discrete(Vec<usize>),
    /// `width` numbers per copy, row by row.
    MultiDiscrete {
        /// All rows, one after the other.
        values: Vec<usize>,
        /// Numbers per row.
        width: usize,
    },
    /// `width` real numbers per copy, row by row.
    Continuous {
        /// All rows, one after the other.
        values: Vec<f32>,
        /// Numbers per row.
        width: usize,
    },
}

impl Actions {
    /// A zeroed buffer for `count` actions of `space`.
    pub fn zeros(space: &Space, count: usize) -> Self {
        let width = space.width();
        match space {
            Space::Box { .. } => Actions::Continuous { values: vec![0.0; count * width], width },
            Space::Discrete { .. } => Actions::Discrete(vec![0; count]),
            Space::MultiDiscrete { .. } => Actions::MultiDiscrete { values: vec![0; count * width], width },
        }
    }

    /// How many actions there are.
    pub fn len(&self) -> usize {
        match self {
            Actions::Discrete(values) => values.len(),
            Actions::MultiDiscrete { values, width } => values.len() / width,
            Actions::Continuous { values, width } => values.len() / width,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The action of copy `i`. Panics when `i` is not below [`len`](Self::len).
    pub fn row(&self, i: usize) -> Action<'_> {
        match self {
            Actions::Discrete(values) => Action::Discrete(values[i]),
            Actions::MultiDiscrete { values, width } => {
                Action::MultiDiscrete(&values[i * width..(i + 1) * width])
            }
            Actions::Continuous { values, width } => Action::Continuous(&values[i * width..(i + 1) * width]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spaces() -> [Space; 3] {
        [Space::discrete(3), Space::MultiDiscrete { sizes: vec![2, 3] }, Space::symmetric(2, 1.0)]
    }

    #[test]
    fn clipped_actions_are_the_nearest_ones_of_the_space() {
        let space = Space::bounded(vec![-1.0, 0.0], vec![1.0, f32::INFINITY]).unwrap();
        let mut actions = Actions::Continuous { values: vec![-3.0, 7.0, 0.5, -2.0], width: 2 };
        space.clip(&mut actions);
        assert_eq!(actions, Actions::Continuous { values: vec![-1.0, 7.0, 0.5, 0.0], width: 2 });
        let mut actions = Actions::Discrete(vec![1]);
        Space::discrete(2).clip(&mut actions);
        assert_eq!(actions, Actions::Discrete(vec![1]));
    }

    #[test]
    fn actions_are_encoded_as_their_raw_forms_are() {
        let [discrete, multi_discrete, continuous] = spaces();
        let mut features = [f32::NAN; 3];
        discrete.encode_action(Action::Discrete(1), &mut features);
        assert_eq!(features, [0.0, 1.0, 0.0]);
        let mut features = [f32::NAN; 5];
        multi_discrete.encode_action(Action::MultiDiscrete(&[1, 2]), &mut features);
        assert_eq!(features, [0.0, 1.0, 0.0, 0.0, 1.0]);
        let mut raw = [f32::NAN; 5];
        multi_discrete.encode(&[1.0, 2.0], &mut raw);
        assert_eq!(raw, features);
        let mut features = [f32::NAN; 2];
        continuous.encode_action(Action::Continuous(&[0.5, -2.0]), &mut features);
        assert_eq!(features, [0.5, -2.0]);
    }

    #[test]
    fn a_buffer_fits_the_space_and_the_count_that_it_was_made_for_and_no_other() {
        for (i, space) in spaces().iter().enumerate() {
            for (j, other) in spaces().iter().enumerate() {
                assert_eq!(space.check_buffer(&Actions::zeros(other, 4), 4).is_ok(), i == j);
            }
            let message = space.check_buffer(&Actions::zeros(space, 4), 5).unwrap_err().to_string();
            assert!(message.contains("actions has 4 elements; 5 are needed"), "{message}");
        }
        let wider = Actions::zeros(&Space::symmetric(3, 1.0), 4);
        assert!(Space::symmetric(2, 1.0).check_buffer(&wider, 4).is_err());
    }
}
