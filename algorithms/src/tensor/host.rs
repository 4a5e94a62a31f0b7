//! Operations of our own on the tape, whose arithmetic is done by functions on the host.
//!
//! The tape takes any backward function. What it does not offer is a borrowed view of a tensor's
//! numbers or two gradients at once, so inputs are copied out (which costs nothing beside a matrix
//! product), and a backward function visits one gradient after the other.

use dfdx::{
    shapes::Shape,
    tensor::{PutTape, SplitTape},
    tensor_ops::ReshapeTo,
};

use super::{Device, Gradients, Matrix, Tape, Tensor, device::failed};
use crate::Error;

/// The matrix, its numbers in row-major order, and its tape.
pub(crate) fn split<D: Device, T: Tape<D>>(x: Matrix<D, T>) -> Result<(Matrix<D>, T), Error> {
    Ok(x.try_contiguous().map_err(failed::<D>)?.split_tape())
}

/// `output` as the result of an operation on the tape that `backward` differentiates.
pub(crate) fn join<S: Shape, D: Device, T: Tape<D>>(
    output: Tensor<S, D>,
    mut tape: T,
    backward: impl FnOnce(&mut Gradients<D>) -> Result<(), D::Err> + 'static,
) -> Tensor<S, D, T> {
    tape.add_backward_op(backward);
    output.put_tape(tape)
}

/// The derivative with respect to `tensor`, in place; zero so far if nothing has arrived. Only
/// [on the host](Device::ON_HOST).
pub(crate) fn gradient<'a, S: Shape, D: Device>(
    gradients: &'a mut Gradients<D>,
    tensor: &Tensor<S, D>,
) -> Result<&'a mut [f32], D::Err> {
    debug_assert!(D::ON_HOST);
    Ok(D::host_slice(gradients.get_or_alloc_mut(tensor)?).unwrap_or_default())
}
