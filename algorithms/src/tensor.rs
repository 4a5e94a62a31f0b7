//! Numbers on a device, with reverse-mode differentiation.
//!
//! This is the only module that knows which crate holds the numbers (dfdx). Everything else works
//! with the names defined here: a [`Device`] (the processor, or with the feature `cuda` a graphics
//! card), tensors whose sizes are known at run time ([`Scalar`], [`Vector`], [`Matrix`],
//! [`Cube`]), and the [`Operations`] that losses are made of. All numbers are `f32`.
//!
//! # Differentiation
//! A tensor carries a tape or not: the last type parameter is [`NoTape`] or [`Recording`]. A
//! calculation starts recording with [`Record::recorded`] or with a network's `record`; every
//! operation moves the tape along, and [`backward`] runs it in reverse:
//!
//! ```
//! use assay_algorithms::tensor::{Cpu, Device, Operations, Record, backward, gradient_of};
//! let device = Cpu::open()?;
//! let x = device.vector(&[1.0, 2.0, 3.0])?;
//! let loss = x.clone().recorded().square().mean_all();
//! let (value, mut gradients) = backward(loss, "loss")?;
//! assert!((value - 14.0 / 3.0).abs() < 1e-6);
//! let expected = [2.0 / 3.0, 4.0 / 3.0, 2.0];
//! assert!(gradient_of(&mut gradients, &x)?.iter().zip(expected).all(|(g, e)| (g - e).abs() < 1e-6));
//! # Ok::<(), assay_algorithms::Error>(())
//! ```
//!
//! A tensor that is used twice in a loss is [branched](Operations::branch) for its first use, so
//! that only one of the two carries the tape that led to it.
//!
//! # Failures
//! Shapes that do not fit are a programming error and panic. A device that fails (out of memory, a
//! lost driver) is an [`Error::Device`](crate::Error::Device) in everything here that returns a
//! `Result`: opening a device, transfers, networks, [`backward`] and optimisers. The elementwise
//! operations and reductions are written as plain expressions and have no `Result`: on the CPU they
//! cannot fail short of the allocator's abort; on CUDA they panic when the device's memory is
//! exhausted.
//!
//! # Memory
//! A device keeps the memory that tensors give back for the next ones of their size, so numbers are
//! allocated only by the first updates. What an update still asks of the allocator is the
//! book-keeping of dfdx's operations: a reference count for every tensor, a function for every
//! operation on the tape. Nothing else allocates: not networks, optimisers, replay, rollouts or
//! acting. The number of allocations in one more gradient step on the CPU, as a test counts it
//! (Gaussian policies, any size of network and batch):
//!
//! | learner | gradient step | allocations |
//! |---|---|---|
//! | PPO | policy and value function | 78 |
//! | TRPO | value function | 18 |
//! | MDPO, on-policy | policy | 80 |
//! | MDPO, off-policy | policy, critics and value network | 213 |
//! | SAC | policy, critics and temperature | 142 |
//! | TD3 | twice the critics, once the policy | 94 |
//!
//! Beside them an iteration allocates the list of metrics in its report.

#[cfg(feature = "cuda")]
pub mod cuda;
mod device;
pub(crate) mod host;
mod moments;
mod operations;
mod parameters;

#[cfg(feature = "cuda")]
pub use cuda::Cuda;
pub use device::{Cpu, Device};
pub(crate) use moments::{AdamStep, Moment, Moments, gradient_norm};
pub(crate) use operations::cube;
pub use operations::{
    MatrixOperations, Operations, Record, ScalarOperations, VectorOperations, backward, gradient_of,
    join_columns,
};
pub use parameters::{Parameters, Part};

/// A tensor of any shape.
pub type Tensor<S, D, T = NoTape> = dfdx::tensor::Tensor<S, f32, D, T>;
/// One number.
pub type Scalar<D, T = NoTape> = Tensor<(), D, T>;
/// (length)
pub type Vector<D, T = NoTape> = Tensor<(usize,), D, T>;
/// (rows, columns), row-major: a batch of rows.
pub type Matrix<D, T = NoTape> = Tensor<(usize, usize), D, T>;
/// (members, rows, columns), row-major: one matrix per member of an ensemble.
pub type Cube<D, T = NoTape> = Tensor<(usize, usize, usize), D, T>;
/// Indices, one per row.
pub type Indices<D> = dfdx::tensor::Tensor<(usize,), usize, D>;
/// Derivatives of one loss with respect to everything on its tape.
pub type Gradients<D> = dfdx::tensor::Gradients<f32, D>;
/// The tape of a calculation that is not recorded.
pub use dfdx::tensor::NoneTape as NoTape;
/// The tape of a calculation that is recorded for differentiation.
pub type Recording<D> = dfdx::tensor::OwnedTape<f32, D>;

/// A tape that another one can be merged into.
pub(crate) use dfdx::tensor::Merge;

/// Either of the two tapes, [`NoTape`] and [`Recording`].
pub trait Tape<D: Device>: dfdx::tensor::Tape<f32, D> + dfdx::tensor::Merge<Self> {}
impl<D: Device> Tape<D> for NoTape {}
impl<D: Device> Tape<D> for Recording<D> {}

/// The sizes of a tensor.
pub fn shape<S: dfdx::shapes::Shape, D: Device, T>(tensor: &Tensor<S, D, T>) -> S {
    use dfdx::shapes::HasShape;
    *tensor.shape()
}
