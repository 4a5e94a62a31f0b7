//! What off-policy learners with continuous actions have in common.
//!
//! The order of an update is theirs to write down; the pieces are here: the settings that they
//! share, with their checks, the form of their networks, and the loss of a pair of critics.

use assay_environments::parameters::{ParameterError, require};

use crate::{
    networks::{Activation, DenseConfig, Initialisation},
    replay,
    tensor::{Device, Matrix, MatrixOperations, Operations, Scalar, Tape, Vector, VectorOperations, shape},
};

/// The settings that off-policy learners share; a learner fills it from its own configuration, whose
/// fields have the same names.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// Steps of each copy of the environment in one iteration; at least 1.
    pub steps: usize,
    /// How experience is gathered and drawn.
    pub replay: replay::Settings,
    /// Discount γ per step, from 0 to 1.
    pub discount: f64,
    /// Rate τ at which target networks follow; above 0, at most 1.
    pub target_rate: f64,
    /// Step size of Adam; positive.
    pub learning_rate: f64,
    /// Units of each hidden layer.
    pub hidden: &'a [usize],
}

impl Settings<'_> {
    /// Errors when a setting is out of its range.
    pub fn validate(&self) -> Result<(), ParameterError> {
        require("steps", self.steps, self.steps > 0, "at least 1")?;
        self.replay.validate()?;
        require("discount", self.discount, (0.0..=1.0).contains(&self.discount), "0 to 1")?;
        let rate = self.target_rate;
        require("target_rate", rate, rate > 0.0 && rate <= 1.0, "above 0, at most 1")?;
        let rate = self.learning_rate;
        require("learning_rate", rate, rate > 0.0 && rate.is_finite(), "positive and finite")?;
        require("hidden", format!("{:?}", self.hidden), !self.hidden.contains(&0), "positive widths")
    }

    /// The form of all networks: each hidden layer is followed by ReLU, weights and biases start
    /// uniform within one over the root of the fan-in.
    pub fn network(&self) -> DenseConfig {
        DenseConfig {
            hidden: self.hidden.to_vec(),
            activation: Activation::Relu,
            initialisation: Initialisation::FanIn,
            ..DenseConfig::default()
        }
    }
}

/// Errors unless `value` is finite and at least 0.
pub(crate) fn require_not_negative(field: &str, value: f64) -> Result<(), ParameterError> {
    require(field, value, value >= 0.0 && value.is_finite(), "finite, not negative")
}

/// Σᵢ mean (Qᵢ(s, a) − y)², for values (critics × transitions) and targets (transitions).
pub fn critic_loss<D: Device, T: Tape<D>>(values: Matrix<D, T>, targets: Vector<D>) -> Scalar<D, T> {
    let (critics, _) = shape(&values);
    (values - targets.repeat_rows(critics)).square().mean_columns().sum_all()
}
