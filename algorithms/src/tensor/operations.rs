//! What losses are made of.
//!
//! Besides the methods here, tensors have the elementwise `abs`, `clamp(low, high)`, `cos`, `exp`,
//! `ln`, `maximum(other)`, `minimum(other)`, `negate`, `powf`, `relu`, `sigmoid`, `sin`, `sqrt`,
//! `square` and `tanh`, and the operators `+ - * /` between tensors of one shape or with a number.
//! The gradient of `minimum` and `maximum` at a tie is shared equally.

use std::ops::Range;

use dfdx::{
    shapes::{Axes, Axis, HasShape, ReduceShapeTo, Shape},
    tensor::{Merge, Trace, WithEmptyTape},
    tensor_ops::{
        Backward, BroadcastTo, MaxTo, MeanTo, MinTo, ReshapeTo, SelectTo, SumTo, TryAdd, TryMatMul, TryMul,
    },
};

use super::{
    Cube, Device, Gradients, Indices, Matrix, NoTape, Recording, Scalar, Tape, Tensor, Vector,
    device::failed, host,
};
use crate::Error;

/// Operations on tensors of any shape.
pub trait Operations<S: Shape, D: Device, T: Tape<D>>: Sized {
    /// The same numbers without a tape: a constant in what follows.
    fn detach(&self) -> Tensor<S, D>;

    /// As [`detach`](Self::detach), on the left of an operation with a recorded tensor.
    fn constant(&self) -> Self;

    /// The same tensor with an empty tape, for use at a second place of one calculation.
    fn branch(&self) -> Self;

    /// ln(1 + eˣ), without overflow and with the exact derivative at zero.
    fn softplus(self) -> Self;

    /// x where x > 0, else eˣ − 1 (Clevert et al. 2015, arXiv 1511.07289).
    fn elu(self) -> Self;

    /// x σ(x), also called swish.
    fn silu(self) -> Self;

    /// The sum of all entries.
    fn sum_all<A: Axes>(self) -> Scalar<D, T>
    where
        S: ReduceShapeTo<(), A>;

    /// The mean of all entries.
    fn mean_all<A: Axes>(self) -> Scalar<D, T>
    where
        S: ReduceShapeTo<(), A>;

    /// The numbers, copied to the host in row-major order.
    fn to_host(&self) -> Vec<f32>;
}

impl<S: Shape, D: Device, T: Tape<D>> Operations<S, D, T> for Tensor<S, D, T> {
    fn detach(&self) -> Tensor<S, D> {
        // The product is a tensor with an identity of its own. Without it, dfdx would take the
        // derivative of a later recorded operation with respect to this constant for the original's.
        self.retaped::<NoTape>() * 1.0
    }

    fn constant(&self) -> Self {
        self.detach().retaped()
    }

    fn branch(&self) -> Self {
        self.with_empty_tape()
    }

    fn softplus(self) -> Self {
        // (x + |x|)/2 rather than max(x, 0): with |x|' = 0 at zero the derivative there is 1/2.
        let magnitude = self.branch().abs();
        let positive = (self + magnitude.branch()) * 0.5;
        positive + (magnitude.negate().exp() + 1.0).ln()
    }

    fn elu(self) -> Self {
        let positive = self.branch().relu();
        positive + (self.clamp(f32::MIN, 0.0).exp() - 1.0)
    }

    fn silu(self) -> Self {
        self.branch() * self.sigmoid()
    }

    fn sum_all<A: Axes>(self) -> Scalar<D, T>
    where
        S: ReduceShapeTo<(), A>,
    {
        self.sum::<(), A>()
    }

    fn mean_all<A: Axes>(self) -> Scalar<D, T>
    where
        S: ReduceShapeTo<(), A>,
    {
        self.mean::<(), A>()
    }

    fn to_host(&self) -> Vec<f32> {
        self.as_vec()
    }
}

/// Where a calculation starts to be recorded.
pub trait Record<S: Shape, D: Device> {
    /// Starts a tape here. The result of a later [`backward`] holds this tensor's derivative.
    fn recorded(self) -> Tensor<S, D, Recording<D>>;
}

impl<S: Shape, D: Device> Record<S, D> for Tensor<S, D> {
    fn recorded(self) -> Tensor<S, D, Recording<D>> {
        self.leaky_traced()
    }
}

/// Operations on single numbers.
pub trait ScalarOperations<D: Device, T: Tape<D>>: Sized {
    /// A vector that holds this number `length` times.
    fn repeat(self, length: usize) -> Vector<D, T>;
}

impl<D: Device, T: Tape<D>> ScalarOperations<D, T> for Scalar<D, T> {
    fn repeat(self, length: usize) -> Vector<D, T> {
        self.broadcast_like::<_, Axis<0>>(&(length,))
    }
}

/// Operations on vectors.
pub trait VectorOperations<D: Device, T: Tape<D>>: Sized {
    /// Every one of `rows` rows is this vector.
    fn repeat_rows(self, rows: usize) -> Matrix<D, T>;

    /// Every one of `columns` columns is this vector.
    fn repeat_columns(self, columns: usize) -> Matrix<D, T>;

    /// The matrix whose rows are this vector's parts, one after the other.
    fn into_matrix(self, rows: usize, columns: usize) -> Matrix<D, T>;
}

impl<D: Device, T: Tape<D>> VectorOperations<D, T> for Vector<D, T> {
    fn repeat_rows(self, rows: usize) -> Matrix<D, T> {
        let (columns,) = *self.shape();
        self.broadcast_like::<_, Axis<0>>(&(rows, columns))
    }

    fn repeat_columns(self, columns: usize) -> Matrix<D, T> {
        let (rows,) = *self.shape();
        self.broadcast_like::<_, Axis<1>>(&(rows, columns))
    }

    fn into_matrix(self, rows: usize, columns: usize) -> Matrix<D, T> {
        self.reshape_like(&(rows, columns))
    }
}

/// Operations on matrices.
pub trait MatrixOperations<D: Device, T: Tape<D>>: Sized {
    /// The matrix product.
    fn product(self, other: Self) -> Self;

    /// The sum over each row's columns: (rows).
    fn sum_columns(self) -> Vector<D, T>;

    /// The mean over each row's columns: (rows).
    fn mean_columns(self) -> Vector<D, T>;

    /// The sum over the rows: (columns).
    fn sum_rows(self) -> Vector<D, T>;

    /// The mean over the rows: (columns).
    fn mean_rows(self) -> Vector<D, T>;

    /// The smallest entry over the rows: (columns). For critics (members, batch) it is the
    /// pessimistic value of each sample.
    fn min_rows(self) -> Vector<D, T>;

    /// The largest entry of each row: (rows).
    fn max_columns(self) -> Vector<D, T>;

    /// Logarithm of the softmax over each row's columns.
    fn log_softmax_columns(self) -> Self;

    /// From each row the entry in the column that `indices` names for it: (rows). An index out of
    /// range panics.
    fn select(self, indices: &Indices<D>) -> Vector<D, T>;

    /// Some columns of each row.
    fn columns(self, range: Range<usize>) -> Self;

    /// Some rows.
    fn rows(self, range: Range<usize>) -> Self;

    /// The only column of a matrix that has one: (rows).
    fn only_column(self) -> Vector<D, T>;
}

impl<D: Device, T: Tape<D>> MatrixOperations<D, T> for Matrix<D, T> {
    fn product(self, other: Self) -> Self {
        TryMatMul::matmul(self, other)
    }

    fn sum_columns(self) -> Vector<D, T> {
        self.sum::<_, Axis<1>>()
    }

    fn mean_columns(self) -> Vector<D, T> {
        self.mean::<_, Axis<1>>()
    }

    fn sum_rows(self) -> Vector<D, T> {
        self.sum::<_, Axis<0>>()
    }

    fn mean_rows(self) -> Vector<D, T> {
        self.mean::<_, Axis<0>>()
    }

    fn min_rows(self) -> Vector<D, T> {
        self.min::<_, Axis<0>>()
    }

    fn max_columns(self) -> Vector<D, T> {
        self.max::<_, Axis<1>>()
    }

    fn log_softmax_columns(self) -> Self {
        self.log_softmax::<Axis<1>>()
    }

    fn select(self, indices: &Indices<D>) -> Vector<D, T> {
        SelectTo::select(self, indices.clone())
    }

    fn columns(self, range: Range<usize>) -> Self {
        let (rows, _) = *self.shape();
        if D::ON_HOST { host::block(self, 0..rows, range) } else { self.slice((.., range)) }
    }

    fn rows(self, range: Range<usize>) -> Self {
        let (_, columns) = *self.shape();
        if D::ON_HOST { host::block(self, range, 0..columns) } else { self.slice((range, ..)) }
    }

    fn only_column(self) -> Vector<D, T> {
        let (rows, columns) = *self.shape();
        assert_eq!(columns, 1, "columns of a matrix whose only column is taken");
        self.reshape_like(&(rows,))
    }
}

/// What networks of several members are composed of.
pub(crate) mod cube {
    use super::*;

    /// Every member gets the same rows: (members, rows, columns).
    pub(crate) fn repeat_members<D: Device, T: Tape<D>>(
        input: Matrix<D, T>,
        members: usize,
    ) -> Result<Cube<D, T>, Error> {
        let (rows, columns) = *input.shape();
        let shape = (members, rows, columns);
        if members == 1 {
            return input.try_reshape_like(&shape).map_err(failed::<D>);
        }
        // Added to zeros, because CUDA's batched product refuses a repeated operand.
        let zeros: Cube<D> = input.device().try_zeros_like(&shape).map_err(failed::<D>)?;
        let repeated = input.try_broadcast_like::<_, Axis<0>>(&shape).map_err(failed::<D>)?;
        repeated.try_add(zeros).map_err(failed::<D>)
    }

    /// x W + b for every member: (members, rows, inputs), (members, inputs, outputs) and
    /// (members, outputs).
    pub(crate) fn affine<D: Device, T: Tape<D> + Merge<P>, P: Tape<D>>(
        x: Cube<D, T>,
        weight: Cube<D, P>,
        bias: Matrix<D, P>,
    ) -> Result<Cube<D, T>, Error> {
        let product = x.try_matmul(weight).map_err(failed::<D>)?;
        let bias = repeat_rows(bias, product.shape().1)?;
        product.try_add(bias).map_err(failed::<D>)
    }

    /// Each row to mean 0 and variance 1, then times a gain and plus a shift, (members, columns).
    pub(crate) fn normalise<D: Device, T: Tape<D> + Merge<P>, P: Tape<D>>(
        x: Cube<D, T>,
        epsilon: f32,
        gain: Matrix<D, P>,
        shift: Matrix<D, P>,
    ) -> Result<Cube<D, T>, Error> {
        let rows = x.shape().1;
        let normalised = x.try_normalize::<Axis<2>>(epsilon).map_err(failed::<D>)?;
        normalised
            .try_mul(repeat_rows(gain, rows)?)
            .map_err(failed::<D>)?
            .try_add(repeat_rows(shift, rows)?)
            .map_err(failed::<D>)
    }

    fn repeat_rows<D: Device, T: Tape<D>>(x: Matrix<D, T>, rows: usize) -> Result<Cube<D, T>, Error> {
        let (members, columns) = *x.shape();
        x.try_broadcast_like::<_, Axis<1>>(&(members, rows, columns)).map_err(failed::<D>)
    }

    /// The only member of an ensemble of one: (rows, columns).
    pub(crate) fn only_member<D: Device, T: Tape<D>>(x: Cube<D, T>) -> Matrix<D, T> {
        let (members, rows, columns) = *x.shape();
        assert_eq!(members, 1, "members of an ensemble whose only member is taken");
        x.reshape_like(&(rows, columns))
    }

    /// The only column of every member: (members, rows).
    pub(crate) fn only_column<D: Device, T: Tape<D>>(x: Cube<D, T>) -> Matrix<D, T> {
        let (members, rows, columns) = *x.shape();
        assert_eq!(columns, 1, "columns of a cube whose only column is taken");
        x.reshape_like(&(members, rows))
    }
}

/// The two matrices beside each other: row i is row i of `left`, then row i of `right`. If only one
/// is recorded it must be the right one, as in (observation, action).
///
/// # Errors
/// [`Error::Device`] when the device's memory is exhausted.
pub fn join_columns<D: Device, L: Tape<D>, R: Tape<D> + Merge<L>>(
    left: Matrix<D, L>,
    right: Matrix<D, R>,
) -> Result<Matrix<D, R>, Error> {
    let ((rows, _), (right_rows, _)) = (*left.shape(), *right.shape());
    assert_eq!(rows, right_rows, "rows of joined matrices");
    if D::ON_HOST {
        return host::join_columns(left, right);
    }
    join_by_products(left, right)
}

/// Concatenation by products with parts of the identity: the tensor crate's own would be compiled at
/// run time on CUDA.
fn join_by_products<D: Device, L: Tape<D>, R: Tape<D> + Merge<L>>(
    left: Matrix<D, L>,
    right: Matrix<D, R>,
) -> Result<Matrix<D, R>, Error> {
    let ((_, a), (_, b)) = (*left.shape(), *right.shape());
    let mut identity = vec![0.0; (a + b) * (a + b)];
    for i in 0..a + b {
        identity[i * (a + b) + i] = 1.0;
    }
    let (upper, lower) = identity.split_at(a * (a + b));
    let device = right.device().clone();
    let left = left.try_matmul(device.matrix(upper, a, a + b)?).map_err(failed::<D>)?;
    let right = right.try_matmul(device.matrix(lower, b, a + b)?).map_err(failed::<D>)?;
    right.try_add(left).map_err(failed::<D>)
}

/// The loss's value and the derivatives of everything on its tape.
///
/// # Errors
/// [`Error::NonFinite`] naming `what` when the value is not finite (its number of steps is zero:
/// see [`Error::after`]); [`Error::Device`] when the device fails.
pub fn backward<D: Device>(
    loss: Scalar<D, Recording<D>>,
    what: &'static str,
) -> Result<(f32, Gradients<D>), Error> {
    let mut value = [0.0];
    loss.copy_into(&mut value);
    let [value] = value;
    if !value.is_finite() {
        return Err(Error::NonFinite { what, value: f64::from(value), steps: 0 });
    }
    let gradients = loss.try_backward().map_err(failed::<D>)?;
    Ok((value, gradients))
}

/// The derivative with respect to one tensor, zero where the loss does not depend on it.
///
/// # Errors
/// [`Error::Device`] when the device's memory is exhausted.
pub fn gradient_of<S: Shape, D: Device>(
    gradients: &mut Gradients<D>,
    tensor: &Tensor<S, D>,
) -> Result<Vec<f32>, Error> {
    gradients.try_alloc_for(tensor).map_err(failed::<D>)?;
    Ok(gradients.get(tensor).as_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Cpu;

    #[test]
    fn a_detached_tensor_is_a_constant_beside_the_original() {
        let x = Cpu::open().unwrap().vector(&[2.0, -3.0]).unwrap();
        let recorded = x.clone().recorded();
        let constant = recorded.detach();
        let (_, mut gradients) = backward((recorded * constant).sum_all(), "product").unwrap();
        assert_eq!(gradient_of(&mut gradients, &x).unwrap(), [2.0, -3.0]);
    }

    #[test]
    fn a_constant_may_stand_on_the_left_of_a_product_with_a_recorded_matrix() {
        let device = Cpu::open().unwrap();
        let x = device.vector(&[2.0, -3.0]).unwrap();
        let recorded = x.clone().recorded();
        let row = recorded.branch().into_matrix(1, 2).constant();
        let product = row.product(recorded.into_matrix(2, 1)).sum_all();
        let (value, mut gradients) = backward(product, "product").unwrap();
        assert_eq!(value, 13.0);
        assert_eq!(gradient_of(&mut gradients, &x).unwrap(), [2.0, -3.0]);
    }

    #[test]
    fn columns_taken_twice_add_their_gradients() {
        let x = Cpu::open().unwrap().matrix(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2, 3).unwrap();
        let recorded = x.clone().recorded();
        let first = recorded.branch().columns(0..2) * 10.0;
        let second = recorded.columns(1..3);
        let (_, mut gradients) = backward((first + second).sum_all(), "sum").unwrap();
        assert_eq!(gradient_of(&mut gradients, &x).unwrap(), [10.0, 11.0, 1.0, 10.0, 11.0, 1.0]);
    }

    /// f and f′ at some points, against central differences of `expected`.
    fn assert_elementwise(
        what: &'static str,
        f: impl Fn(Vector<Cpu, Recording<Cpu>>) -> Vector<Cpu, Recording<Cpu>>,
        expected: impl Fn(f64) -> f64,
    ) {
        let points = [-90.0, -20.0, -3.0, -0.7, -1e-3, 0.0, 1e-3, 0.4, 2.0, 15.0, 90.0];
        let x = Cpu::open().unwrap().vector(&points).unwrap();
        let y = f(x.clone().recorded());
        let values = y.to_host();
        let (_, mut gradients) = backward(y.sum_all(), what).unwrap();
        let slopes = gradient_of(&mut gradients, &x).unwrap();
        for ((&x, &y), &slope) in points.iter().zip(&values).zip(&slopes) {
            let (x, h) = (f64::from(x), 1e-6);
            let wanted = expected(x);
            assert!((f64::from(y) - wanted).abs() < 1e-6 * (1.0 + wanted.abs()), "{what}({x}) = {y}");
            // One-sided differences at a kink would disagree: there is none in these functions.
            let difference = (expected(x + h) - expected(x - h)) / (2.0 * h);
            assert!((f64::from(slope) - difference).abs() < 3e-6, "{what}′({x}) = {slope}");
        }
    }

    #[test]
    fn softplus_elu_and_silu_have_the_values_and_derivatives_of_their_definitions() {
        let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
        assert_elementwise("softplus", |x| x.softplus(), softplus);
        assert_elementwise("elu", |x| x.elu(), |x| x.max(0.0) + x.min(0.0).exp_m1());
        assert_elementwise("silu", |x| x.silu(), |x| x / (1.0 + (-x).exp()));
    }

    #[test]
    fn log_softmax_and_select_give_the_log_probability_of_the_index_and_its_gradient() {
        let device = Cpu::open().unwrap();
        let logits = device.matrix(&[1.0, 2.0, 0.5, -1.0, 300.0, -300.0], 2, 3).unwrap();
        let indices = device.indices(&[2, 1]).unwrap();
        let log_softmax = logits.clone().recorded().log_softmax_columns();
        let selected = MatrixOperations::select(log_softmax, &indices);
        let total: f64 = [1.0f64, 2.0, 0.5].map(f64::exp).iter().sum();
        let values = selected.to_host();
        assert!((f64::from(values[0]) - (0.5 - total.ln())).abs() < 1e-6);
        assert_eq!(values[1], 0.0);
        let (_, mut gradients) = backward(selected.sum_all(), "log probability").unwrap();
        let gradient = gradient_of(&mut gradients, &logits).unwrap();
        for (j, logit) in [1.0f64, 2.0, 0.5].into_iter().enumerate() {
            let expected = f64::from(u8::from(j == 2)) - logit.exp() / total;
            assert!((f64::from(gradient[j]) - expected).abs() < 1e-6);
        }
        assert!(gradient[3..].iter().all(|g| g.abs() < 1e-6), "{gradient:?}");
    }

    #[test]
    fn reductions_repetitions_and_blocks_go_along_the_axis_that_they_name() {
        let device = Cpu::open().unwrap();
        let x = || device.matrix(&[1.0, 2.0, 3.0, 4.0, 5.0, 9.0], 2, 3).unwrap();
        assert_eq!(x().sum_columns().to_host(), [6.0, 18.0]);
        assert_eq!(x().mean_columns().to_host(), [2.0, 6.0]);
        assert_eq!(x().max_columns().to_host(), [3.0, 9.0]);
        assert_eq!(x().sum_rows().to_host(), [5.0, 7.0, 12.0]);
        assert_eq!(x().mean_rows().to_host(), [2.5, 3.5, 6.0]);
        assert_eq!(x().min_rows().to_host(), [1.0, 2.0, 3.0]);
        assert_eq!(x().sum_all().to_host(), [24.0]);
        assert_eq!(x().mean_all().to_host(), [4.0]);
        assert_eq!(x().rows(1..2).to_host(), [4.0, 5.0, 9.0]);
        assert_eq!(x().columns(1..3).to_host(), [2.0, 3.0, 5.0, 9.0]);
        let pair = || device.vector(&[7.0, 8.0]).unwrap();
        assert_eq!(pair().repeat_rows(3).to_host(), [7.0, 8.0, 7.0, 8.0, 7.0, 8.0]);
        assert_eq!(pair().repeat_columns(3).to_host(), [7.0, 7.0, 7.0, 8.0, 8.0, 8.0]);
        assert_eq!(pair().sum_all().repeat(3).to_host(), [15.0; 3]);
        assert_eq!(x().columns(0..1).only_column().to_host(), [1.0, 4.0]);
        assert_eq!(pair().into_matrix(1, 2).product(x()).to_host(), [39.0, 54.0, 93.0]);
    }

    #[test]
    fn joined_columns_lie_beside_each_other_on_the_host_and_on_the_device() {
        let device = Cpu::open().unwrap();
        let left = device.matrix(&[1.0, 2.0, 3.0, 4.0], 2, 2).unwrap();
        let right = device.matrix(&[5.0, 6.0], 2, 1).unwrap();
        let weights = device.matrix(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2, 3).unwrap();
        let on_host = join_columns(left.clone().recorded(), right.clone().recorded()).unwrap();
        let on_device = join_by_products(left.clone().recorded(), right.clone().recorded()).unwrap();
        for joined in [on_host, on_device] {
            assert_eq!(joined.to_host(), [1.0, 2.0, 5.0, 3.0, 4.0, 6.0]);
            let (_, mut gradients) = backward((joined * weights.clone()).sum_all(), "sum").unwrap();
            assert_eq!(gradient_of(&mut gradients, &left).unwrap(), [1.0, 2.0, 4.0, 5.0]);
            assert_eq!(gradient_of(&mut gradients, &right).unwrap(), [3.0, 6.0]);
        }
        let constant = join_columns(left, right.clone().recorded()).unwrap();
        let (_, mut gradients) = backward(constant.square().sum_all(), "sum").unwrap();
        assert_eq!(gradient_of(&mut gradients, &right).unwrap(), [10.0, 12.0]);
    }

    #[test]
    fn a_loss_that_is_no_number_is_an_error_that_names_it() {
        let x = Cpu::open().unwrap().vector(&[-1.0]).unwrap();
        let error = backward(x.recorded().ln().sum_all(), "policy loss").unwrap_err().after(17);
        assert_eq!(error.to_string(), "policy loss is NaN after 17 environment steps");
    }
}
