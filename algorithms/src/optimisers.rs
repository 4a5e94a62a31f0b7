//! How gradients change parameters.
//!
//! An optimiser looks after the [`Parameters`] that it was built for: it takes the gradients of a
//! loss, scales them down where their global norm over all its modules is too large, and applies
//! its rule. The learning rate is given at every step, usually from a [`Schedule`].

mod adam;
mod schedule;
mod sgd;

pub use adam::{Adam, AdamConfig};
pub use schedule::Schedule;
pub use sgd::{Sgd, SgdConfig};

use crate::{
    Error,
    tensor::{Device, Gradients, Parameters, gradient_norm},
};

/// The global norm of the gradients of `parameters`, and the factor that brings it down to `limit`.
///
/// # Errors
/// [`Error::NonFinite`] when the norm is not finite; [`Error::Device`] when the device fails.
fn clipping<D: Device>(
    parameters: &[&mut Parameters<D>],
    gradients: &mut Gradients<D>,
    limit: Option<f32>,
) -> Result<(f32, f32), Error> {
    let norm = gradient_norm(parameters.iter().map(|p| &**p), gradients)?;
    if !norm.is_finite() {
        return Err(Error::NonFinite { what: "gradient norm", value: f64::from(norm), steps: 0 });
    }
    let scale = match limit {
        Some(limit) if norm > limit => limit / norm,
        _ => 1.0,
    };
    Ok((norm, scale))
}
