//! What the policy of off-policy MDPO descends: the soft mirror step, estimated from one action per
//! state. The page of [`off_policy`](super::off_policy) has the equations.

use super::Divergence;
use crate::{
    Error,
    policies::{SquashedGaussian, squashed_gaussian::Sample},
    tensor::{Device, Matrix, MatrixOperations, Operations, Recording, Scalar, Tape, Vector},
};

/// The smallest density that the Tsallis surrogate takes a q-logarithm of. Authors' code: 1e-6.
const DENSITY_FLOOR: f32 = 1e-6;

/// A loss, recorded.
pub(super) type Loss<D> = Scalar<D, Recording<D>>;

/// What the policy descends: J(π).
#[derive(Clone, Copy, Debug)]
pub(super) struct ActorObjective {
    /// λ.
    pub(super) entropy_weight: f32,
    /// 1/tₖ.
    pub(super) inverse_step_size: f32,
    pub(super) divergence: Divergence,
    /// ν.
    pub(super) parameter_penalty: f32,
}

/// The actions that a loss was taken at, and what was found there: constants.
pub(super) struct Drawn<D: Device> {
    /// ã. Shape: transitions × width.
    pub(super) actions: Matrix<D>,
    /// log π(ã|s), one per transition.
    pub(super) log_probs: Vector<D>,
    /// log πₖ(ã|s), one per transition.
    pub(super) old_log_probs: Vector<D>,
    /// Q₁(s, ã), one per transition.
    pub(super) q_values: Vector<D>,
}

impl ActorObjective {
    /// J(π) for `policy` = π(·|s), `old` = πₖ(·|s), standard normal `noise` (transitions × width)
    /// and the critic `q`.
    pub(super) fn loss<D: Device>(
        &self,
        policy: SquashedGaussian<D, Recording<D>>,
        old: &SquashedGaussian<D>,
        noise: Matrix<D>,
        q: impl FnOnce(Matrix<D, Recording<D>>) -> Result<Vector<D, Recording<D>>, Error>,
    ) -> Result<(Loss<D>, Drawn<D>), Error> {
        let SquashedGaussian { mean, log_std } = policy.branch();
        let penalty = (mean.square().mean_all() + log_std.square().mean_all()) * self.parameter_penalty;
        let analytic = policy.branch();

        let Sample { actions, pre_squash, log_probs } = policy.rsample(noise);
        let old_log_probs = old.log_probs(pre_squash);
        let drawn_actions = actions.detach();
        let q_values = q(actions)?;
        let drawn = Drawn {
            actions: drawn_actions,
            log_probs: log_probs.detach().sum_columns(),
            old_log_probs: old_log_probs.detach().sum_columns(),
            q_values: q_values.detach(),
        };

        let (lambda, inverse_t) = (self.entropy_weight, self.inverse_step_size);
        let c = lambda + inverse_t;
        let regularisation = match self.divergence {
            Divergence::ReverseKl | Divergence::Tsallis { q: 1.0 } => {
                log_probs.sum_columns() * c + old_log_probs.sum_columns() * (lambda - c)
            }
            Divergence::ForwardKl => log_probs.sum_columns() * lambda + analytic.kl_from(old) * inverse_t,
            Divergence::Tsallis { q } => {
                let q = q as f32;
                let new = log_q(log_probs, q).sum_columns();
                new * c + log_q(old_log_probs, q).sum_columns() * (q * (lambda - c))
            }
        };
        Ok(((regularisation - q_values).mean_all() + penalty, drawn))
    }
}

/// log_q x = (x^(q−1) − 1)/(q − 1) of densities x given by their logarithms, not below the floor.
fn log_q<D: Device, T: Tape<D>>(log_densities: Matrix<D, T>, q: f32) -> Matrix<D, T> {
    let floored = log_densities.clamp(DENSITY_FLOOR.ln(), f32::MAX);
    ((floored * (q - 1.0)).exp() - 1.0) / (q - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        networks::{DenseConfig, Ensemble},
        policies::{SquashedPolicy, squashed_gaussian::fill_normal},
        replay::Minibatch,
        tensor::{Cpu, Record, backward, join_columns},
        testing::{assert_gradient, minibatch, transitions, uniform},
    };
    use assay_environments::random::Seed;

    const ROWS: usize = 16;
    const WIDTH: usize = 2;

    /// Smooth networks, which finite differences need, for one batch of states.
    struct Problem {
        policy: SquashedPolicy<Cpu>,
        old: SquashedGaussian<Cpu>,
        critics: Ensemble<Cpu>,
        batch: Minibatch<Cpu>,
        noise: Matrix<Cpu>,
    }

    impl Problem {
        fn new() -> Self {
            let device = Cpu::open().unwrap();
            let mut rng = Seed::new(1).stream("test");
            let network = DenseConfig { hidden: vec![8], ..DenseConfig::default() };
            let policy =
                SquashedPolicy::new(&device, "policy", (3, WIDTH), &network, None, &mut rng).unwrap();
            let mut old = policy.duplicate("old_policy").unwrap();
            let values = old.parameters()[0].values().to_vec();
            let changes = uniform(values.len(), &mut rng);
            let moved: Vec<f32> = values.iter().zip(&changes).map(|(x, y)| x + 0.1 * y).collect();
            old.parameters_mut()[0].set_values(&moved);
            let critics = Ensemble::new(&device, "critics", 2, 3 + WIDTH, 1, &network, &mut rng).unwrap();
            let batch = minibatch(&device, &transitions(3, WIDTH, ROWS, &mut rng));
            let mut noise = vec![0.0; ROWS * WIDTH];
            fill_normal(&mut rng, &mut noise);
            Problem {
                old: old.distribution(batch.observations.clone()).unwrap(),
                noise: device.matrix(&noise, ROWS, WIDTH).unwrap(),
                policy,
                critics,
                batch,
            }
        }

        /// Value and gradient of J(π).
        fn loss(&self, objective: ActorObjective) -> (f32, Vec<f32>) {
            let policy = self.policy.record(self.batch.observations.clone()).unwrap();
            let (loss, _) = objective
                .loss(policy, &self.old, self.noise.clone(), |actions| {
                    let inputs = join_columns(self.batch.observations.clone().recorded(), actions)?;
                    self.critics.member_values_frozen(0, inputs)
                })
                .unwrap();
            let (loss, mut gradients) = backward(loss, "loss").unwrap();
            (loss, self.policy.parameters()[0].gradient(&mut gradients).unwrap())
        }
    }

    fn objective(divergence: Divergence) -> ActorObjective {
        ActorObjective { entropy_weight: 0.3, inverse_step_size: 0.7, divergence, parameter_penalty: 0.1 }
    }

    #[test]
    fn the_policys_gradient_agrees_with_finite_differences_under_every_divergence() {
        for divergence in [
            Divergence::ReverseKl,
            Divergence::ForwardKl,
            Divergence::Tsallis { q: 1.5 },
            Divergence::Tsallis { q: 2.0 },
        ] {
            let mut problem = Problem::new();
            let (_, gradient) = problem.loss(objective(divergence));
            let values = problem.policy.parameters()[0].values().to_vec();
            assert_gradient(&format!("{divergence:?}"), &values, &gradient, |values| {
                problem.policy.parameters_mut()[0].set_values(values);
                problem.loss(objective(divergence)).0
            });
        }
    }

    /// c = λ: nothing holds the policy back, and what is left is soft actor-critic's loss with the
    /// temperature λ.
    #[test]
    fn with_infinite_step_size_the_gradient_is_that_of_soft_actor_critic_bit_for_bit() {
        let problem = Problem::new();
        let (lambda, noise) = (0.3, problem.noise.clone());
        let policy = problem.policy.record(problem.batch.observations.clone()).unwrap();
        let sample = policy.rsample(noise);
        let inputs = join_columns(problem.batch.observations.clone().recorded(), sample.actions).unwrap();
        let values = problem.critics.member_values_frozen(0, inputs).unwrap();
        let loss = (sample.log_probs.sum_columns() * lambda - values).mean_all();
        let (loss, mut gradients) = backward(loss, "loss").unwrap();
        let expected = problem.policy.parameters()[0].gradient(&mut gradients).unwrap();

        let unheld = ActorObjective {
            entropy_weight: lambda,
            inverse_step_size: 0.0,
            divergence: Divergence::ReverseKl,
            parameter_penalty: 0.0,
        };
        let (found_loss, found) = problem.loss(unheld);
        assert_eq!(found_loss, loss);
        assert_eq!(found, expected);
        assert!(found.iter().any(|g| *g != 0.0));
    }

    #[test]
    fn at_the_old_policy_the_forward_kl_holds_nothing_back() {
        let mut problem = Problem::new();
        problem.old = problem.policy.distribution(problem.batch.observations.clone()).unwrap();
        let hard = ActorObjective {
            entropy_weight: 0.0,
            inverse_step_size: 0.0,
            divergence: Divergence::ForwardKl,
            parameter_penalty: 0.0,
        };
        // KL(πₖ, π) has its minimum there, exactly in every state. (The gradient of KL(π, πₖ) is
        // estimated from samples, and only its mean is zero.)
        let (_, free) = problem.loss(hard);
        let (_, held) = problem.loss(ActorObjective { inverse_step_size: 10.0, ..hard });
        let scale = free.iter().map(|g| g.abs()).fold(0.0, f32::max);
        for (free, held) in free.iter().zip(&held) {
            assert!((free - held).abs() < 1e-4 * scale, "{free}, {held}");
        }
    }

    #[test]
    fn the_tsallis_loss_tends_to_the_kl_loss_as_q_tends_to_one() {
        let problem = Problem::new();
        let (kl, _) = problem.loss(objective(Divergence::ReverseKl));
        let (same, _) = problem.loss(objective(Divergence::Tsallis { q: 1.0 }));
        assert_eq!(kl, same);
        let (near, _) = problem.loss(objective(Divergence::Tsallis { q: 1.001 }));
        assert!((near - kl).abs() < 0.02 * (1.0 + kl.abs()), "{near}, {kl}");
        // Of order two, log_q x = x − 1, so the loss is the expected difference of densities.
        let (two, _) = problem.loss(ActorObjective {
            entropy_weight: 0.0,
            parameter_penalty: 0.0,
            ..objective(Divergence::Tsallis { q: 2.0 })
        });
        let policy = problem.policy.distribution(problem.batch.observations.clone()).unwrap();
        let sample = policy.rsample(problem.noise.clone());
        let old = problem.old.log_probs(sample.pre_squash.clone()).to_host();
        let new = sample.log_probs.to_host();
        let terms = new
            .iter()
            .zip(&old)
            .map(|(new, old)| 0.7 * ((f64::from(*new).exp() - 1.0) - 2.0 * (f64::from(*old).exp() - 1.0)));
        let inputs = join_columns(problem.batch.observations.clone(), sample.actions).unwrap();
        let q: f32 = problem.critics.member_values_frozen(0, inputs).unwrap().to_host().iter().sum();
        let expected = (terms.sum::<f64>() - f64::from(q)) / ROWS as f64;
        assert!((f64::from(two) - expected).abs() < 1e-4 * (1.0 + expected.abs()), "{two}, {expected}");
    }
}
