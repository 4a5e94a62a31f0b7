//! A batch of distributions over actions, differentiable in their parameters.

use super::{Categorical, DiagonalGaussian};
use crate::tensor::{Device, Matrix, NoTape, Operations, Tape, Vector};

/// One distribution over actions per row, of whichever kind the action space asks for.
///
/// The methods take the distributions by value and move their tape along; for use at a second place
/// of a loss, [`branch`](Self::branch) first. Divergences are between recorded distributions and
/// fixed ones: in every algorithm one of the two is a constant. Everything comes out as one number
/// per row, in nats; joint over the dimensions of an action, that is, summed, never averaged.
#[derive(Clone, Debug)]
pub enum Distribution<D: Device, T: Tape<D> = NoTape> {
    /// For discrete and multi-discrete spaces.
    Categorical(Categorical<D, T>),
    /// For boxes.
    DiagonalGaussian(DiagonalGaussian<D, T>),
}

use Distribution as Of;

impl<D: Device, T: Tape<D>> Distribution<D, T> {
    /// The same distributions with an empty tape, for a second use in one calculation.
    pub fn branch(&self) -> Self {
        match self {
            Of::Categorical(p) => {
                Of::Categorical(Categorical { logits: p.logits.branch(), sizes: p.sizes.clone() })
            }
            Of::DiagonalGaussian(p) => {
                Of::DiagonalGaussian(DiagonalGaussian { mean: p.mean.branch(), log_std: p.log_std.branch() })
            }
        }
    }

    /// The same distributions without a tape: constants in what follows.
    pub fn detach(&self) -> Distribution<D> {
        match self {
            Of::Categorical(p) => {
                Of::Categorical(Categorical { logits: p.logits.detach(), sizes: p.sizes.clone() })
            }
            Of::DiagonalGaussian(p) => {
                Of::DiagonalGaussian(DiagonalGaussian { mean: p.mean.detach(), log_std: p.log_std.detach() })
            }
        }
    }

    /// The log-probability, or log-density, of one action per row. `actions` holds them as
    /// features: rows × [`Space::features`](assay_environments::Space::features).
    pub fn log_prob(self, actions: &Matrix<D>) -> Vector<D, T> {
        match self {
            Of::Categorical(p) => p.log_prob(actions),
            Of::DiagonalGaussian(p) => p.log_prob(actions),
        }
    }

    /// The log-probability of each part of one action per row: of every discrete number of a
    /// multi-discrete action, else of the whole action. Their sum is [`log_prob`](Self::log_prob).
    pub fn part_log_probs(self, actions: &Matrix<D>) -> Vec<Vector<D, T>> {
        match self {
            Of::Categorical(p) => p.part_log_probs(actions),
            Of::DiagonalGaussian(p) => vec![p.log_prob(actions)],
        }
    }

    /// Shannon's entropy; for densities the differential one, which may be negative.
    pub fn entropy(self) -> Vector<D, T> {
        match self {
            Of::Categorical(p) => p.entropy(),
            Of::DiagonalGaussian(p) => p.entropy(),
        }
    }

    /// KL(self, fixed): the recorded policy first.
    pub fn kl_to(self, fixed: &Distribution<D>) -> Vector<D, T> {
        match (self, fixed) {
            (Of::Categorical(p), Of::Categorical(fixed)) => p.kl_to(fixed),
            (Of::DiagonalGaussian(p), Of::DiagonalGaussian(fixed)) => p.kl_to(fixed),
            _ => mixed(),
        }
    }

    /// KL(fixed, self): the fixed policy first.
    pub fn kl_from(self, fixed: &Distribution<D>) -> Vector<D, T> {
        match (self, fixed) {
            (Of::Categorical(p), Of::Categorical(fixed)) => p.kl_from(fixed),
            (Of::DiagonalGaussian(p), Of::DiagonalGaussian(fixed)) => p.kl_from(fixed),
            _ => mixed(),
        }
    }

    /// Tsallis' entropy of order `q` > 0, (1 − ∫ p^q)/(q − 1); Shannon's at q = 1.
    pub fn tsallis_entropy(self, q: f64) -> Vector<D, T> {
        if q == 1.0 {
            return self.entropy();
        }
        (self.power(q) - 1.0) * (-1.0 / (q - 1.0)) as f32
    }

    /// The Bregman divergence of the negative Tsallis entropy of order `q` in [1, 2],
    /// B(p, k) = ∫ p (log_q p − q log_q k) − 1 + ∫ k^q with log_q x = (x^(q−1) − 1)/(q − 1), where
    /// p is `self` and k is `fixed`. KL(p, k) at q = 1, the squared Euclidean distance at q = 2.
    ///
    /// In closed form, (∫ p^q − q ∫ p k^(q−1))/(q − 1) + ∫ k^q. The order is that of the joint
    /// distribution over all dimensions of an action, not of each dimension's own.
    pub fn tsallis_divergence(self, fixed: &Distribution<D>, q: f64) -> Vector<D, T> {
        if q == 1.0 {
            return self.kl_to(fixed);
        }
        let own = self.branch().power(q);
        let constant = fixed.clone().power(q);
        let cross = match (self, fixed) {
            (Of::Categorical(p), Of::Categorical(fixed)) => p.power_with(fixed, q),
            (Of::DiagonalGaussian(p), Of::DiagonalGaussian(fixed)) => p.power_with(fixed, q),
            _ => mixed(),
        };
        (own - cross * q as f32) * (1.0 / (q - 1.0)) as f32 + constant
    }

    /// ∫ p^q.
    fn power(self, q: f64) -> Vector<D, T> {
        match self {
            Of::Categorical(p) => p.power(q),
            Of::DiagonalGaussian(p) => p.power(q),
        }
    }
}

fn mixed() -> ! {
    unreachable!("both distributions are made for the same action space")
}
