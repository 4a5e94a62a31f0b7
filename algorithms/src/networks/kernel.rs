//! The arithmetic of a network on the host: forward and backward over plain slices.

use super::{
    layout::{Layer, Layout, NORM_EPSILON, Norm},
    product::{Operand, Start, product},
};
use crate::tensor::host::vectorised;

/// Buffers of one pass through a network: what the forward pass leaves for the others. They grow to
/// the largest pass and are then reused as they are.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    pub(super) batch: usize,
    /// (batch, inputs)
    pub(super) input: Vec<f32>,
    pub(super) layers: Vec<LayerBuffers>,
    /// The derivative with respect to the current layer's outputs, (members, batch, outputs); the
    /// caller writes the last layer's here before the backward pass.
    pub(super) delta: Vec<f32>,
    pub(super) next_delta: Vec<f32>,
    /// (batch, inputs), filled by the backward pass on request.
    pub(super) input_gradient: Vec<f32>,
    /// The tangent of `delta`, in the curvature pass; the caller writes the last layer's here.
    pub(super) delta_tangent: Vec<f32>,
    pub(super) next_delta_tangent: Vec<f32>,
    /// (batch, outputs + features): what passes in and out of a network that shows its features.
    pub(super) joined: Vec<f32>,
    pub(super) joined_tangent: Vec<f32>,
    /// For the products' packing.
    pub(super) scratch: Vec<f32>,
}

#[derive(Debug, Default)]
pub(super) struct LayerBuffers {
    /// Before the activation, (members, batch, outputs); only where the derivative needs it.
    sums: Vec<f32>,
    /// After it.
    pub(super) outputs: Vec<f32>,
    /// With layer normalisation: the sums normalised, before gain and shift.
    pub(super) normalised: Vec<f32>,
    /// With layer normalisation: 1/√(variance + ε), (members, batch).
    pub(super) inverse_deviation: Vec<f32>,
    /// Left by the tangent pass.
    pub(super) tangents: LayerTangents,
}

/// The tangents of what has the same name in [`LayerBuffers`].
#[derive(Debug, Default)]
pub(super) struct LayerTangents {
    pub(super) sums: Vec<f32>,
    pub(super) outputs: Vec<f32>,
    pub(super) normalised: Vec<f32>,
    /// Over the inverse deviation itself.
    pub(super) inverse_deviation: Vec<f32>,
}

impl Workspace {
    /// After a [`forward`] pass: the network's outputs, (members, batch, outputs).
    pub(super) fn output(&self, layout: &Layout) -> &[f32] {
        if layout.features { &self.joined } else { &self.layers[self.layers.len() - 1].outputs }
    }

    /// The outputs' tangents, (members, batch, outputs).
    pub(super) fn tangent(&self, layout: &Layout) -> &[f32] {
        if layout.features {
            &self.joined_tangent
        } else {
            &self.layers[self.layers.len() - 1].tangents.outputs
        }
    }
}

impl LayerBuffers {
    /// What the activation's derivative is taken at, of one member.
    pub(super) fn before_activation(&self, layer: &Layer, range: std::ops::Range<usize>) -> &[f32] {
        if layer.activation.derivative_needs_input() { &self.sums[range] } else { &[] }
    }
}

/// Evaluates the network on `workspace.input`.
pub(super) fn forward(layout: &Layout, values: &[f32], workspace: &mut Workspace) {
    let rows = workspace.batch;
    workspace.layers.resize_with(layout.layers.len(), LayerBuffers::default);
    for (i, layer) in layout.layers.iter().enumerate() {
        let (before, rest) = workspace.layers.split_at_mut(i);
        let buffers = &mut rest[0];
        let columns = layer.outputs;
        let size = rows * columns;
        buffers.outputs.resize(layout.members * size, 0.0);
        if layer.norm.is_some() {
            buffers.normalised.resize(layout.members * size, 0.0);
            buffers.inverse_deviation.resize(layout.members * rows, 0.0);
        }
        for member in 0..layout.members {
            let outputs = &mut buffers.outputs[member * size..][..size];
            product(
                (rows, layer.inputs, columns),
                input(layer, before.last(), &workspace.input, member, rows),
                weight(layer, member, values),
                Start::Row(of_member(layer.bias, layer, member, values)),
                &mut workspace.scratch,
                outputs,
            );
            if let Some(norm) = layer.norm {
                normalise(
                    outputs,
                    &mut buffers.normalised[member * size..][..size],
                    &mut buffers.inverse_deviation[member * rows..][..rows],
                    of_member(norm.gain, layer, member, values),
                    of_member(norm.shift, layer, member, values),
                );
            }
        }
        if layer.activation.derivative_needs_input() {
            buffers.sums.clear();
            buffers.sums.extend_from_slice(&buffers.outputs);
        }
        layer.activation.apply(&mut buffers.outputs);
    }
    if layout.features {
        let (before, last) = workspace.layers.split_at(layout.layers.len() - 1);
        let features = before.last().map_or(&workspace.input, |before| &before.outputs);
        join_rows(layout, &last[0].outputs, features, &mut workspace.joined);
    }
}

/// Derivatives of a forward pass whose outputs have the derivatives `workspace.delta`: added to
/// `gradient` (flat, like the parameters), and, if asked for, written to
/// `workspace.input_gradient`.
pub(super) fn backward(
    layout: &Layout,
    values: &[f32],
    workspace: &mut Workspace,
    mut gradient: Option<&mut [f32]>,
    with_input: bool,
) {
    let rows = workspace.batch;
    workspace.input_gradient.resize(if with_input { rows * layout.inputs() } else { 0 }, 0.0);
    if layout.features {
        std::mem::swap(&mut workspace.delta, &mut workspace.joined);
        part_rows(layout, &workspace.joined, &mut workspace.delta, &mut workspace.next_delta);
    }
    for (i, layer) in layout.layers.iter().enumerate().rev() {
        let columns = layer.outputs;
        let size = rows * columns;
        let (before, rest) = workspace.layers.split_at(i);
        let buffers = &rest[0];
        // What has already arrived at this layer's input without passing through the layer.
        let arrived = layout.features && i + 1 == layout.layers.len();
        if i > 0 {
            workspace.next_delta.resize(layout.members * rows * layer.inputs, 0.0);
        }
        for member in 0..layout.members {
            let range = member * size..(member + 1) * size;
            let delta = &mut workspace.delta[range.clone()];
            layer.activation.multiply_by_derivative(
                delta,
                buffers.before_activation(layer, range.clone()),
                &buffers.outputs[range.clone()],
            );
            if let Some(norm) = layer.norm {
                let normalised = &buffers.normalised[range];
                if let Some(gradient) = gradient.as_deref_mut() {
                    norm_gradient(norm, layer, member, delta, normalised, gradient);
                }
                let inverse = &buffers.inverse_deviation[member * rows..][..rows];
                let gain = of_member(norm.gain, layer, member, values);
                normalise_backward(delta, normalised, inverse, gain);
            }
            if let Some(gradient) = gradient.as_deref_mut() {
                let shape = (layer.inputs, rows, columns);
                let input = input(layer, before.last(), &workspace.input, member, rows);
                let weight = layer.weight + member * layer.inputs * columns;
                product(
                    shape,
                    input.transpose(),
                    Operand::plain(delta, columns),
                    Start::Destination,
                    &mut workspace.scratch,
                    &mut gradient[weight..weight + layer.inputs * columns],
                );
                let bias = layer.bias + member * columns;
                add_rows(&mut gradient[bias..bias + columns], delta);
            }
            let (result, start) = if i > 0 {
                let size = rows * layer.inputs;
                let start = if arrived { Start::Destination } else { Start::Zero };
                (&mut workspace.next_delta[member * size..][..size], start)
            } else if with_input {
                if arrived {
                    workspace.input_gradient.copy_from_slice(&workspace.next_delta);
                }
                let start = if member == 0 && !arrived { Start::Zero } else { Start::Destination };
                (workspace.input_gradient.as_mut_slice(), start)
            } else {
                continue;
            };
            product(
                (rows, columns, layer.inputs),
                Operand::plain(delta, columns),
                weight(layer, member, values).transpose(),
                start,
                &mut workspace.scratch,
                result,
            );
        }
        std::mem::swap(&mut workspace.delta, &mut workspace.next_delta);
    }
}

/// joined ← each row of the last layer's outputs, then that of the features.
pub(super) fn join_rows(layout: &Layout, outputs: &[f32], features: &[f32], joined: &mut Vec<f32>) {
    let (columns, width) = (layout.last().outputs, layout.last().inputs);
    joined.clear();
    for (outputs, features) in outputs.chunks_exact(columns).zip(features.chunks_exact(width)) {
        joined.extend_from_slice(outputs);
        joined.extend_from_slice(features);
    }
}

/// The reverse of [`join_rows`].
pub(super) fn part_rows(layout: &Layout, joined: &[f32], outputs: &mut Vec<f32>, features: &mut Vec<f32>) {
    outputs.clear();
    features.clear();
    for row in joined.chunks_exact(layout.outputs()) {
        let (of_outputs, of_features) = row.split_at(layout.last().outputs);
        outputs.extend_from_slice(of_outputs);
        features.extend_from_slice(of_features);
    }
}

/// What a layer is given: the outputs of the layer before, or the network's input, which all members
/// share.
pub(super) fn input<'a>(
    layer: &Layer,
    before: Option<&'a LayerBuffers>,
    input: &'a [f32],
    member: usize,
    rows: usize,
) -> Operand<'a> {
    let size = rows * layer.inputs;
    let values = before.map_or(input, |before| &before.outputs[member * size..][..size]);
    Operand::plain(values, layer.inputs)
}

/// A member's weights, from parameters or from anything laid out like them.
pub(super) fn weight<'a>(layer: &Layer, member: usize, values: &'a [f32]) -> Operand<'a> {
    let size = layer.inputs * layer.outputs;
    Operand::plain(&values[layer.weight + member * size..][..size], layer.outputs)
}

/// A member's bias, gain or shift, which begin at `offset`.
pub(super) fn of_member<'a>(offset: usize, layer: &Layer, member: usize, values: &'a [f32]) -> &'a [f32] {
    &values[offset + member * layer.outputs..][..layer.outputs]
}

/// sums ← sums + every row.
pub(super) fn add_rows(sums: &mut [f32], rows: &[f32]) {
    vectorised(|| {
        for row in rows.chunks_exact(sums.len()) {
            for (sum, x) in sums.iter_mut().zip(row) {
                *sum += x;
            }
        }
    });
}

/// Every row of `x` to mean 0 and variance 1, kept in `normalised`; then x ← gain · it + shift.
fn normalise(x: &mut [f32], normalised: &mut [f32], inverse: &mut [f32], gain: &[f32], shift: &[f32]) {
    let columns = gain.len();
    let count = columns as f32;
    vectorised(|| {
        let rows = x.chunks_exact_mut(columns).zip(normalised.chunks_exact_mut(columns)).zip(inverse);
        for ((x, normalised), inverse) in rows {
            let mean = sum(x) / count;
            for (normalised, x) in normalised.iter_mut().zip(&*x) {
                *normalised = x - mean;
            }
            *inverse = 1.0 / (dot(normalised, normalised) / count + NORM_EPSILON).sqrt();
            for (((x, normalised), gain), shift) in x.iter_mut().zip(normalised).zip(gain).zip(shift) {
                *normalised *= *inverse;
                *x = *normalised * gain + shift;
            }
        }
    });
}

/// delta ← the derivative with respect to what was normalised.
pub(super) fn normalise_backward(delta: &mut [f32], normalised: &[f32], inverse: &[f32], gain: &[f32]) {
    let columns = gain.len();
    vectorised(|| {
        let rows = delta.chunks_exact_mut(columns).zip(normalised.chunks_exact(columns)).zip(inverse);
        for ((delta, normalised), &inverse) in rows {
            for (d, gain) in delta.iter_mut().zip(gain) {
                *d *= gain;
            }
            centre(delta, normalised, inverse);
        }
    });
}

/// The derivative of normalising one row, which is its own transpose:
/// v ← (v − mean(v) − normalised · mean(v · normalised)) / deviation.
#[inline(always)]
pub(super) fn centre(v: &mut [f32], normalised: &[f32], inverse: f32) {
    let count = v.len() as f32;
    let (mean, slope) = (sum(v) / count, dot(v, normalised) / count);
    for (v, n) in v.iter_mut().zip(normalised) {
        *v = (*v - mean - n * slope) * inverse;
    }
}

/// Adds the derivatives with respect to a member's gain and shift.
pub(super) fn norm_gradient(
    norm: Norm,
    layer: &Layer,
    member: usize,
    delta: &[f32],
    normalised: &[f32],
    gradient: &mut [f32],
) {
    let columns = layer.outputs;
    let shift = norm.shift + member * columns;
    add_rows(&mut gradient[shift..shift + columns], delta);
    let gain = norm.gain + member * columns;
    let gain = &mut gradient[gain..gain + columns];
    vectorised(|| {
        for (delta, normalised) in delta.chunks_exact(columns).zip(normalised.chunks_exact(columns)) {
            for ((gain, d), n) in gain.iter_mut().zip(delta).zip(normalised) {
                *gain += d * n;
            }
        }
    });
}

/// A sum in interleaved parts: a fixed order that fits vector registers.
#[inline(always)]
pub(super) fn sum(x: &[f32]) -> f32 {
    let mut parts = [0.0; 16];
    let (chunks, rest) = x.as_chunks::<16>();
    for chunk in chunks {
        for (part, x) in parts.iter_mut().zip(chunk) {
            *part += x;
        }
    }
    parts.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

/// A sum of products, likewise.
#[inline(always)]
pub(super) fn dot(x: &[f32], y: &[f32]) -> f32 {
    let mut parts = [0.0; 16];
    let ((x_chunks, x_rest), (y_chunks, y_rest)) = (x.as_chunks::<16>(), y.as_chunks::<16>());
    for (x, y) in x_chunks.iter().zip(y_chunks) {
        for ((part, x), y) in parts.iter_mut().zip(x).zip(y) {
            *part += x * y;
        }
    }
    let rest: f32 = x_rest.iter().zip(y_rest).map(|(x, y)| x * y).sum();
    parts.iter().sum::<f32>() + rest
}
