//! Networks of dense layers with sizes known at run time.
//!
//! A [`DenseStack`] maps rows of inputs to rows of outputs; an [`Ensemble`] is several stacks of
//! the same shape with parameters of their own (twin critics, say), evaluated together. Both are
//! used in the same ways:
//!
//! | call | differentiates with respect to | for |
//! |---|---|---|
//! | `record` | parameters | a loss over data |
//! | `forward` | parameters and input, if the input is recorded | anything |
//! | `forward_frozen` | input | an actor's loss through a critic that it must not change |
//! | `infer` | nothing; host rows in, host rows out, no allocation | acting, targets |
//!
//! All parameters of a network are one [`Parameters`](crate::tensor::Parameters), found with
//! `parameters` and `parameters_mut`: that is what optimisers, soft updates and checkpoints work
//! on, and what gives and takes the flat parameter vector. For natural gradients a stack also has
//! [`forward_tangent`](DenseStack::forward_tangent) (J v) and [`pullback`](DenseStack::pullback)
//! (Jᵀ u), and for second derivatives [`curvature`](DenseStack::curvature).
//!
//! Weights are (inputs, outputs), row-major, so that a layer is x W + b for a row x.
//!
//! On the CPU a whole network is one operation on the tape, forward and backward, with buffers
//! that are reused. Elsewhere it is composed of the device's operations. Both compute the same.

mod activation;
mod composed;
mod dense_stack;
mod ensemble;
mod initialisation;
mod kernel;
mod layout;
mod network;
mod product;
mod second_order;
#[cfg(test)]
mod tests;

pub use activation::Activation;
pub use dense_stack::DenseStack;
pub use ensemble::Ensemble;
pub use initialisation::Initialisation;
pub use layout::DenseConfig;
pub use network::{OutputGradients, Outputs};
