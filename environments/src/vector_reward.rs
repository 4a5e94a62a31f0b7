//! Rewards with several parts that nobody has weighed against each other yet.

/// An environment with several objectives.
///
/// Its scalar reward is one way to weigh them; learners for several objectives take them as they
/// are, from [`Environment::vector_reward`](crate::Environment::vector_reward).
pub trait VectorReward {
    /// The names of the objectives.
    fn objectives(&self) -> &[&'static str];

    /// The rewards of the last step, one for each objective; zero before the first step.
    fn rewards(&self) -> &[f64];
}
