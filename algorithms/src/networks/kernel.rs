//! The arithmetic of a network on the host: forward, backward and tangent over plain slices.

use gemm::Parallelism;

use super::layout::{Layer, Layout, NORM_EPSILON};

/// Buffers of one pass through a network: what the forward pass leaves for the backward pass.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    pub(super) batch: usize,
    /// (batch, inputs)
    pub(super) input: Vec<f32>,
    layers: Vec<LayerBuffers>,
    /// The derivative with respect to the current layer's outputs, (members, batch, outputs); the
    /// caller writes the last layer's here before the backward pass.
    pub(super) delta: Vec<f32>,
    next_delta: Vec<f32>,
    /// (batch, inputs), filled by the backward pass on request.
    pub(super) input_gradient: Vec<f32>,
    /// (members, batch, outputs) of the current layer, in the tangent pass.
    pub(super) tangent: Vec<f32>,
    next_tangent: Vec<f32>,
}

#[derive(Debug, Default)]
struct LayerBuffers {
    /// Before the activation, (members, batch, outputs).
    sums: Vec<f32>,
    /// After it.
    outputs: Vec<f32>,
    /// With layer normalisation: the normalised sums before gain and shift.
    normalised: Vec<f32>,
    /// With layer normalisation: 1/√(variance + ε), (members, batch).
    inverse_deviation: Vec<f32>,
}

impl Workspace {
    /// The last layer's outputs, (members, batch, outputs).
    pub(super) fn output(&self) -> &[f32] {
        &self.layers[self.layers.len() - 1].outputs
    }
}

/// dst ← (dst +) lhs · rhs for an (m, k) and a (k, n) matrix, each given with its row and column
/// strides; `dst` is row-major.
fn product(
    (m, k, n): (usize, usize, usize),
    dst: &mut [f32],
    accumulate: bool,
    (lhs, lhs_row, lhs_column): (&[f32], usize, usize),
    (rhs, rhs_row, rhs_column): (&[f32], usize, usize),
) {
    if m == 0 || n == 0 || k == 0 {
        if !accumulate {
            dst.fill(0.0);
        }
        return;
    }
    assert!(dst.len() >= m * n);
    assert!(lhs.len() > (m - 1) * lhs_row + (k - 1) * lhs_column);
    assert!(rhs.len() > (k - 1) * rhs_row + (n - 1) * rhs_column);
    // SAFETY: the assertions above hold every index that the product touches inside its slice, and
    // `dst` is borrowed mutably, so it overlaps neither operand. The crate has no safe interface;
    // it is here because it is several times faster than safe loops (see the `tensor` benchmark).
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            dst.as_mut_ptr(),
            1,
            n as isize,
            accumulate,
            lhs.as_ptr(),
            lhs_column as isize,
            lhs_row as isize,
            rhs.as_ptr(),
            rhs_column as isize,
            rhs_row as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// Evaluates the network on `workspace.input`.
pub(super) fn forward(layout: &Layout, values: &[f32], workspace: &mut Workspace) {
    let batch = workspace.batch;
    workspace.layers.resize_with(layout.layers.len(), LayerBuffers::default);
    for (i, layer) in layout.layers.iter().enumerate() {
        let (before, rest) = workspace.layers.split_at_mut(i);
        let buffers = &mut rest[0];
        let (rows, columns) = (batch, layer.outputs);
        let size = rows * columns;
        buffers.sums.resize(layout.members * size, 0.0);
        buffers.outputs.resize(layout.members * size, 0.0);
        if layer.norm.is_some() {
            buffers.normalised.resize(layout.members * size, 0.0);
            buffers.inverse_deviation.resize(layout.members * rows, 0.0);
        }
        for member in 0..layout.members {
            let input = match before.last() {
                None => workspace.input.as_slice(),
                Some(previous) => &previous.outputs[member * rows * layer.inputs..],
            };
            let sums = &mut buffers.sums[member * size..][..size];
            let bias = &values[layer.bias + member * columns..][..columns];
            for row in sums.chunks_exact_mut(columns) {
                row.copy_from_slice(bias);
            }
            let weight = member_weight(layer, member, values);
            product(
                (rows, layer.inputs, columns),
                sums,
                true,
                (input, layer.inputs, 1),
                (weight, columns, 1),
            );
            if let Some(norm) = layer.norm {
                let gain = &values[norm.gain + member * columns..][..columns];
                let shift = &values[norm.shift + member * columns..][..columns];
                let normalised = &mut buffers.normalised[member * size..][..size];
                let inverse = &mut buffers.inverse_deviation[member * rows..][..rows];
                for ((sums, normalised), inverse) in
                    sums.chunks_exact_mut(columns).zip(normalised.chunks_exact_mut(columns)).zip(inverse)
                {
                    let mean = sums.iter().sum::<f32>() / columns as f32;
                    let variance = sums.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / columns as f32;
                    *inverse = 1.0 / (variance + NORM_EPSILON).sqrt();
                    for j in 0..columns {
                        normalised[j] = (sums[j] - mean) * *inverse;
                        sums[j] = normalised[j] * gain[j] + shift[j];
                    }
                }
            }
            let outputs = &mut buffers.outputs[member * size..][..size];
            for (y, &x) in outputs.iter_mut().zip(&*sums) {
                *y = layer.activation.apply(x);
            }
        }
    }
}

/// Derivatives of a forward pass whose outputs have the derivatives `workspace.delta`: added to
/// `gradient` (flat, like the parameters), and written to `workspace.input_gradient`.
pub(super) fn backward(
    layout: &Layout,
    values: &[f32],
    workspace: &mut Workspace,
    mut gradient: Option<&mut [f32]>,
    with_input: bool,
) {
    let rows = workspace.batch;
    if with_input {
        workspace.input_gradient.clear();
        workspace.input_gradient.resize(rows * layout.inputs(), 0.0);
    }
    for (i, layer) in layout.layers.iter().enumerate().rev() {
        let columns = layer.outputs;
        let size = rows * columns;
        workspace.next_delta.resize(layout.members * rows * layer.inputs, 0.0);
        for member in 0..layout.members {
            let (before, rest) = workspace.layers.split_at(i);
            let buffers = &rest[0];
            let delta = &mut workspace.delta[member * size..][..size];
            let sums = &buffers.sums[member * size..][..size];
            let outputs = &buffers.outputs[member * size..][..size];
            for ((d, &x), &y) in delta.iter_mut().zip(sums).zip(outputs) {
                *d *= layer.activation.derivative(x, y);
            }
            if let Some(norm) = layer.norm {
                let normalised = &buffers.normalised[member * size..][..size];
                let inverse = &buffers.inverse_deviation[member * rows..][..rows];
                if let Some(gradient) = gradient.as_deref_mut() {
                    let at = member * columns;
                    for (delta, normalised) in
                        delta.chunks_exact(columns).zip(normalised.chunks_exact(columns))
                    {
                        for j in 0..columns {
                            gradient[norm.gain + at + j] += delta[j] * normalised[j];
                            gradient[norm.shift + at + j] += delta[j];
                        }
                    }
                }
                let gain = &values[norm.gain + member * columns..][..columns];
                for ((delta, normalised), &inverse) in
                    delta.chunks_exact_mut(columns).zip(normalised.chunks_exact(columns)).zip(inverse)
                {
                    let (mut mean, mut slope) = (0.0, 0.0);
                    for j in 0..columns {
                        delta[j] *= gain[j];
                        mean += delta[j];
                        slope += delta[j] * normalised[j];
                    }
                    mean /= columns as f32;
                    slope /= columns as f32;
                    for j in 0..columns {
                        delta[j] = (delta[j] - mean - normalised[j] * slope) * inverse;
                    }
                }
            }
            let input = match before.last() {
                None => workspace.input.as_slice(),
                Some(previous) => &previous.outputs[member * rows * layer.inputs..],
            };
            if let Some(gradient) = gradient.as_deref_mut() {
                let size = layer.inputs * columns;
                product(
                    (layer.inputs, rows, columns),
                    &mut gradient[layer.weight + member * size..][..size],
                    true,
                    (input, 1, layer.inputs),
                    (delta, columns, 1),
                );
                let bias = &mut gradient[layer.bias + member * columns..][..columns];
                for row in delta.chunks_exact(columns) {
                    for (b, d) in bias.iter_mut().zip(row) {
                        *b += d;
                    }
                }
            }
            let weight = member_weight(layer, member, values);
            let transposed = (weight, 1, columns);
            if i > 0 {
                let size = rows * layer.inputs;
                product(
                    (rows, columns, layer.inputs),
                    &mut workspace.next_delta[member * size..][..size],
                    false,
                    (delta, columns, 1),
                    transposed,
                );
            } else if with_input {
                product(
                    (rows, columns, layer.inputs),
                    &mut workspace.input_gradient,
                    true,
                    (delta, columns, 1),
                    transposed,
                );
            }
        }
        std::mem::swap(&mut workspace.delta, &mut workspace.next_delta);
    }
}

/// After a [`forward`] pass: the derivative of the outputs along `direction` (flat, like the
/// parameters), left in `workspace.tangent` as (members, batch, outputs).
pub(super) fn tangent(layout: &Layout, values: &[f32], direction: &[f32], workspace: &mut Workspace) {
    let rows = workspace.batch;
    for (i, layer) in layout.layers.iter().enumerate() {
        let columns = layer.outputs;
        let size = rows * columns;
        workspace.next_tangent.resize(layout.members * size, 0.0);
        for member in 0..layout.members {
            let (before, rest) = workspace.layers.split_at(i);
            let buffers = &rest[0];
            let sums_tangent = &mut workspace.next_tangent[member * size..][..size];
            let bias = &direction[layer.bias + member * columns..][..columns];
            for row in sums_tangent.chunks_exact_mut(columns) {
                row.copy_from_slice(bias);
            }
            let input = match before.last() {
                None => workspace.input.as_slice(),
                Some(previous) => &previous.outputs[member * rows * layer.inputs..],
            };
            let shape = (rows, layer.inputs, columns);
            let weight = member_weight(layer, member, direction);
            product(shape, sums_tangent, true, (input, layer.inputs, 1), (weight, columns, 1));
            if i > 0 {
                let input_tangent = &workspace.tangent[member * rows * layer.inputs..];
                let weight = member_weight(layer, member, values);
                product(shape, sums_tangent, true, (input_tangent, layer.inputs, 1), (weight, columns, 1));
            }
            if let Some(norm) = layer.norm {
                let gain = &values[norm.gain + member * columns..][..columns];
                let gain_tangent = &direction[norm.gain + member * columns..][..columns];
                let shift_tangent = &direction[norm.shift + member * columns..][..columns];
                let normalised = &buffers.normalised[member * size..][..size];
                let inverse = &buffers.inverse_deviation[member * rows..][..rows];
                for ((tangent, normalised), &inverse) in
                    sums_tangent.chunks_exact_mut(columns).zip(normalised.chunks_exact(columns)).zip(inverse)
                {
                    let (mut mean, mut slope) = (0.0, 0.0);
                    for j in 0..columns {
                        mean += tangent[j];
                        slope += tangent[j] * normalised[j];
                    }
                    mean /= columns as f32;
                    slope /= columns as f32;
                    for j in 0..columns {
                        let t = (tangent[j] - mean - normalised[j] * slope) * inverse;
                        tangent[j] = t * gain[j] + normalised[j] * gain_tangent[j] + shift_tangent[j];
                    }
                }
            }
            let sums = &buffers.sums[member * size..][..size];
            let outputs = &buffers.outputs[member * size..][..size];
            for ((t, &x), &y) in sums_tangent.iter_mut().zip(sums).zip(outputs) {
                *t *= layer.activation.derivative(x, y);
            }
        }
        std::mem::swap(&mut workspace.tangent, &mut workspace.next_tangent);
    }
}

fn member_weight<'a>(layer: &Layer, member: usize, values: &'a [f32]) -> &'a [f32] {
    let size = layer.inputs * layer.outputs;
    &values[layer.weight + member * size..][..size]
}
