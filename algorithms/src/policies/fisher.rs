//! Products with a policy's Fisher information, for natural gradients.

use super::{
    Policy, categorical, diagonal_gaussian,
    policy::{Head, LOG_STD_BOUNDS},
    state_dependent_noise::{self, Row},
};
use crate::tensor::{Device, Parameters};

/// Buffers for Fisher products, reused from one to the next.
#[derive(Debug, Default)]
pub struct FisherProduct {
    outputs: Vec<f32>,
    tangents: Vec<f32>,
    /// exp(2 l) of state-dependent noise: features × dimensions.
    variances: Vec<f32>,
    /// One number per dimension.
    spread: Vec<f32>,
}

impl FisherProduct {
    /// Writes F v to `product`, where F = E_s[ Jᵀ M J ] is the Fisher information of the policy's
    /// parameters averaged over the rows of `observations` (rows × features): J is the derivative
    /// of the distributions' parameters, M their own Fisher information in closed form.
    ///
    /// F is also the Hessian at θ = θ_k of the mean of KL(π_k, π_θ), and of KL(π_θ, π_k) (Schulman
    /// et al. 2015, arXiv 1502.05477, appendix C). State-dependent noise that does not learn its
    /// features takes them for constants here, too. `direction` and `product` are flat: the modules
    /// of [`Policy::parameters`] one after the other. Nothing is allocated after the first call.
    pub fn apply<D: Device>(
        &mut self,
        policy: &Policy<D>,
        observations: &[f32],
        direction: &[f32],
        product: &mut [f32],
    ) {
        let network = &policy.network;
        let columns = network.outputs();
        let rows = observations.len() / network.inputs();
        let (of_network, of_log_std) = direction.split_at(network.parameters().len());
        let (network_product, log_std_product) = product.split_at_mut(of_network.len());

        self.outputs.resize(rows * columns, 0.0);
        self.tangents.resize(rows * columns, 0.0);
        network.forward_tangent(observations, of_network, &mut self.outputs, &mut self.tangents);
        let free_log_std = policy.log_std.as_ref().map(Parameters::values);
        let free_log_std = free_log_std.as_deref().map_or(&[][..], Vec::as_slice);
        match &policy.head {
            Head::GaussianWithNoise { width, .. } => {
                self.spread.resize(*width, 0.0);
                self.variances.resize(free_log_std.len(), 0.0);
                state_dependent_noise::variances(free_log_std, &mut self.variances);
                log_std_product.fill(0.0);
            }
            _ => {
                for (product, v) in log_std_product.iter_mut().zip(of_log_std) {
                    *product = diagonal_gaussian::FISHER_LOG_STD * v;
                }
            }
        }
        let pairs = self.outputs.chunks_exact_mut(columns).zip(self.tangents.chunks_exact_mut(columns));
        for (outputs, tangent) in pairs {
            match &policy.head {
                Head::Categorical { sizes } => {
                    for part in categorical::parts(sizes) {
                        categorical::fisher_product(&outputs[part.clone()], &mut tangent[part]);
                    }
                }
                Head::Gaussian { .. } => {
                    diagonal_gaussian::fisher_product_mean(free_log_std, tangent);
                }
                Head::GaussianWithNoise { width, noise } => {
                    let (mean, features) = outputs.split_at(*width);
                    let row = Row { noise, mean, features, variances: &self.variances, matrix: None };
                    let tangents = tangent.split_at_mut(*width);
                    row.fisher_product(tangents, of_log_std, &mut self.spread, log_std_product);
                }
                Head::GaussianWithStd { width } => {
                    let (mean, spread) = tangent.split_at_mut(*width);
                    let log_std = &mut outputs[*width..];
                    for (x, u) in log_std.iter_mut().zip(spread) {
                        // Where log σ is at a bound, it does not depend on the parameters.
                        let inside = (LOG_STD_BOUNDS.0..=LOG_STD_BOUNDS.1).contains(x);
                        *u *= if inside { diagonal_gaussian::FISHER_LOG_STD } else { 0.0 };
                        *x = x.clamp(LOG_STD_BOUNDS.0, LOG_STD_BOUNDS.1);
                    }
                    diagonal_gaussian::fisher_product_mean(log_std, mean);
                }
            }
            tangent.iter_mut().for_each(|u| *u /= rows as f32);
        }
        if let Head::GaussianWithNoise { .. } = policy.head {
            log_std_product.iter_mut().for_each(|product| *product /= rows as f32);
        }
        network.pullback(observations, &self.tangents, network_product);
    }
}
