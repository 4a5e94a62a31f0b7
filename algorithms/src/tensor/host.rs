//! Operations of our own on the tape, whose arithmetic is done by functions on the host.
//!
//! The tape takes any backward function. What it does not offer is a borrowed view of a tensor's
//! numbers or two gradients at once, so inputs are copied out (which costs nothing beside a matrix
//! product), and a backward function visits one gradient after the other.

use std::{cell::RefCell, ops::Range};

use dfdx::{
    shapes::{HasShape, Shape},
    tensor::{PutTape, SplitTape},
    tensor_ops::ReshapeTo,
};
use pulp::Arch;

use super::{Device, Gradients, Matrix, Merge, Tape, Tensor, device::failed};
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

thread_local! {
    /// Numbers on their way between tensors.
    static SCRATCH: RefCell<[Vec<f32>; 3]> = const { RefCell::new([Vec::new(), Vec::new(), Vec::new()]) };
}

/// The two matrices beside each other.
pub(crate) fn join_columns<D: Device, L: Tape<D>, R: Tape<D> + Merge<L>>(
    left: Matrix<D, L>,
    right: Matrix<D, R>,
) -> Result<Matrix<D, R>, Error> {
    let ((left, left_tape), (right, right_tape)) = (split(left)?, split(right)?);
    let ((rows, a), (_, b)) = (*left.shape(), *right.shape());
    let joined = SCRATCH.with_borrow_mut(|[x, y, joined]| {
        x.resize(rows * a, 0.0);
        y.resize(rows * b, 0.0);
        joined.resize(rows * (a + b), 0.0);
        left.copy_into(x);
        right.copy_into(y);
        for (i, row) in joined.chunks_exact_mut(a + b).enumerate() {
            row[..a].copy_from_slice(&x[i * a..][..a]);
            row[a..].copy_from_slice(&y[i * b..][..b]);
        }
        right.device().matrix(joined, rows, a + b)
    })?;
    let (key, record_left) = (joined.clone(), L::OWNS_TAPE);
    Ok(join(joined, right_tape.merge(left_tape), move |gradients| {
        SCRATCH.with_borrow_mut(|[_, _, joined]| {
            joined.clear();
            joined.extend_from_slice(gradient(gradients, &key)?);
            if record_left {
                add_columns(gradient(gradients, &left)?, a, joined, a + b, 0);
            }
            add_columns(gradient(gradients, &right)?, b, joined, a + b, a);
            Ok(())
        })
    }))
}

/// Some rows and columns. dfdx 0.13 has a slice, but on the CPU its backward function overwrites the
/// gradient of what was sliced instead of adding to it.
pub(crate) fn block<D: Device, T: Tape<D>>(
    x: Matrix<D, T>,
    rows: Range<usize>,
    columns: Range<usize>,
) -> Matrix<D, T> {
    let (x, tape) = x.contiguous().split_tape();
    let (all_rows, stride) = *x.shape();
    assert!(rows.end <= all_rows && columns.end <= stride, "rows and columns of a block");
    let output = SCRATCH.with_borrow_mut(|[whole, block, _]| {
        whole.resize(all_rows * stride, 0.0);
        x.copy_into(whole);
        block.clear();
        for row in whole[rows.start * stride..rows.end * stride].chunks_exact(stride) {
            block.extend_from_slice(&row[columns.clone()]);
        }
        let mut output: Matrix<D> = x.device().zeros_like(&(rows.len(), columns.len()));
        output.copy_from(block);
        output
    });
    let key = output.clone();
    join(output, tape, move |gradients| {
        SCRATCH.with_borrow_mut(|[block, _, _]| {
            block.clear();
            block.extend_from_slice(gradient(gradients, &key)?);
            let whole = &mut gradient(gradients, &x)?[rows.start * stride..rows.end * stride];
            for (whole, block) in whole.chunks_exact_mut(stride).zip(block.chunks_exact(columns.len())) {
                for (whole, block) in whole[columns.clone()].iter_mut().zip(block) {
                    *whole += block;
                }
            }
            Ok(())
        })
    })
}

/// to ← to + the columns of `from` that begin at `first`.
fn add_columns(to: &mut [f32], columns: usize, from: &[f32], stride: usize, first: usize) {
    for (to, from) in to.chunks_exact_mut(columns).zip(from.chunks_exact(stride)) {
        for (to, from) in to.iter_mut().zip(&from[first..]) {
            *to += from;
        }
    }
}

/// Runs a plain loop compiled for the best vector instructions that the machine has.
pub(crate) fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(work)
}

/// The sum of squares, in interleaved parts: a fixed order that fits vector registers.
pub(crate) fn sum_of_squares(numbers: &[f32]) -> f32 {
    vectorised(|| {
        let mut parts = [0.0; 32];
        let (chunks, rest) = numbers.as_chunks::<32>();
        for chunk in chunks {
            for (part, x) in parts.iter_mut().zip(chunk) {
                *part += x * x;
            }
        }
        parts.iter().sum::<f32>() + rest.iter().map(|x| x * x).sum::<f32>()
    })
}
