//! Second derivatives of a network on the host: products of a Hessian with a vector.
//!
//! The R-operator of Pearlmutter (1994), *Fast exact multiplication by the Hessian*: every quantity
//! of the forward and of the backward pass has a tangent, its derivative along a direction in
//! parameter space. The tangent of the gradient is the Hessian's product with the direction, exact,
//! at the cost of about three gradients, and with the memory of one pass.

use super::{
    kernel::{
        Workspace, add_rows, centre, dot, input, join_rows, norm_gradient, normalise_backward, of_member,
        part_rows, sum, weight,
    },
    layout::{Layer, Layout, Norm},
    product::{Operand, Start, product},
};
use crate::tensor::host::vectorised;

/// After a forward pass: the derivative of everything in it along `direction` (flat, like the
/// parameters), left with the layers; that of the outputs is [`Workspace::tangent`].
pub(super) fn tangent(layout: &Layout, values: &[f32], direction: &[f32], workspace: &mut Workspace) {
    let rows = workspace.batch;
    for (i, layer) in layout.layers.iter().enumerate() {
        let columns = layer.outputs;
        let size = rows * columns;
        let (before, rest) = workspace.layers.split_at_mut(i);
        let (before, buffers) = (before.last(), &mut rest[0]);
        let mut tangents = std::mem::take(&mut buffers.tangents);
        tangents.outputs.resize(layout.members * size, 0.0);
        if layer.norm.is_some() {
            tangents.normalised.resize(layout.members * size, 0.0);
            tangents.inverse_deviation.resize(layout.members * rows, 0.0);
        }
        for member in 0..layout.members {
            let range = member * size..(member + 1) * size;
            let tangent = &mut tangents.outputs[range.clone()];
            let shape = (rows, layer.inputs, columns);
            product(
                shape,
                input(layer, before, &workspace.input, member, rows),
                weight(layer, member, direction),
                Start::Row(of_member(layer.bias, layer, member, direction)),
                &mut workspace.scratch,
                tangent,
            );
            if let Some(before) = before {
                let size = rows * layer.inputs;
                product(
                    shape,
                    Operand::plain(&before.tangents.outputs[member * size..][..size], layer.inputs),
                    weight(layer, member, values),
                    Start::Destination,
                    &mut workspace.scratch,
                    tangent,
                );
            }
            if let Some(norm) = layer.norm {
                normalise_tangent(
                    tangent,
                    &mut tangents.normalised[range.clone()],
                    &mut tangents.inverse_deviation[member * rows..][..rows],
                    &buffers.normalised[range.clone()],
                    &buffers.inverse_deviation[member * rows..][..rows],
                    [
                        of_member(norm.gain, layer, member, values),
                        of_member(norm.gain, layer, member, direction),
                        of_member(norm.shift, layer, member, direction),
                    ],
                );
            }
        }
        tangents.sums.clear();
        tangents.sums.extend_from_slice(&tangents.outputs);
        layer.activation.multiply_by_derivative(
            &mut tangents.outputs,
            buffers.before_activation(layer, 0..layout.members * size),
            &buffers.outputs,
        );
        buffers.tangents = tangents;
    }
    if layout.features {
        let (before, last) = workspace.layers.split_at(layout.layers.len() - 1);
        // The input, where there is no layer before, has no tangent.
        workspace.next_delta_tangent.clear();
        workspace.next_delta_tangent.resize(rows * layout.last().inputs, 0.0);
        let features = before.last().map_or(&workspace.next_delta_tangent, |before| &before.tangents.outputs);
        join_rows(layout, &last[0].tangents.outputs, features, &mut workspace.joined_tangent);
    }
}

/// After [`tangent`]: for a function L of the outputs whose derivative with respect to them is
/// `workspace.delta`, with the tangent `workspace.delta_tangent`, the gradient of L is added to
/// `gradient` and its derivative along the same direction, a product with the Hessian, to `curved`.
pub(super) fn curvature(
    layout: &Layout,
    values: &[f32],
    direction: &[f32],
    workspace: &mut Workspace,
    gradient: &mut [f32],
    curved: &mut [f32],
) {
    let rows = workspace.batch;
    if layout.features {
        std::mem::swap(&mut workspace.delta, &mut workspace.joined);
        part_rows(layout, &workspace.joined, &mut workspace.delta, &mut workspace.next_delta);
        std::mem::swap(&mut workspace.delta_tangent, &mut workspace.joined_tangent);
        let (outputs, features) = (&mut workspace.delta_tangent, &mut workspace.next_delta_tangent);
        part_rows(layout, &workspace.joined_tangent, outputs, features);
    }
    for (i, layer) in layout.layers.iter().enumerate().rev() {
        // What has already arrived at this layer's input without passing through the layer.
        let arrived = layout.features && i + 1 == layout.layers.len();
        let columns = layer.outputs;
        let size = rows * columns;
        let (before, rest) = workspace.layers.split_at_mut(i);
        let (before, buffers) = (before.last(), &mut rest[0]);
        let below = rows * layer.inputs;
        if i > 0 {
            workspace.next_delta.resize(layout.members * below, 0.0);
            workspace.next_delta_tangent.resize(layout.members * below, 0.0);
        }
        for member in 0..layout.members {
            let range = member * size..(member + 1) * size;
            // R(δ f′) = Rδ f′ + δ f″ Rx; the tangent of x is not needed afterwards.
            let mut bend = std::mem::take(&mut buffers.tangents.sums);
            let delta = &mut workspace.delta[range.clone()];
            let delta_tangent = &mut workspace.delta_tangent[range.clone()];
            multiply(&mut bend[range.clone()], delta);
            let (x, y) = (buffers.before_activation(layer, range.clone()), &buffers.outputs[range.clone()]);
            layer.activation.multiply_by_second_derivative(&mut bend[range.clone()], x, y);
            layer.activation.multiply_by_derivative(delta_tangent, x, y);
            layer.activation.multiply_by_derivative(delta, x, y);
            add(delta_tangent, &bend[range.clone()]);
            buffers.tangents.sums = bend;

            if let Some(norm) = layer.norm {
                let normalised = &buffers.normalised[range.clone()];
                let normalised_tangent = &buffers.tangents.normalised[range];
                norm_gradient(norm, layer, member, delta, normalised, gradient);
                norm_gradient(norm, layer, member, delta_tangent, normalised, curved);
                gain_gradient(norm, layer, member, delta, normalised_tangent, curved);
                let inverse = &buffers.inverse_deviation[member * rows..][..rows];
                let inverse_tangent = &buffers.tangents.inverse_deviation[member * rows..][..rows];
                let gain = of_member(norm.gain, layer, member, values);
                let gain_direction = of_member(norm.gain, layer, member, direction);
                for (((d, t), g), r) in delta
                    .chunks_exact(columns)
                    .zip(delta_tangent.chunks_exact_mut(columns))
                    .flat_map(|(d, t)| d.iter().zip(t).zip(gain).zip(gain_direction))
                {
                    *t = *t * g + d * r;
                }
                normalise_backward_tangent(
                    (delta, delta_tangent),
                    (normalised, normalised_tangent),
                    (inverse, inverse_tangent),
                    gain,
                );
                normalise_backward(delta, normalised, inverse, gain);
            }

            let shape = (layer.inputs, rows, columns);
            let weights = layer.weight + member * layer.inputs * columns;
            let weights = weights..weights + layer.inputs * columns;
            let bias = layer.bias + member * columns;
            let bias = bias..bias + columns;
            let from = input(layer, before, &workspace.input, member, rows).transpose();
            let (d, t) = (Operand::plain(delta, columns), Operand::plain(delta_tangent, columns));
            let scratch = &mut workspace.scratch;
            product(shape, from, d, Start::Destination, scratch, &mut gradient[weights.clone()]);
            product(shape, from, t, Start::Destination, scratch, &mut curved[weights.clone()]);
            add_rows(&mut gradient[bias.clone()], delta);
            add_rows(&mut curved[bias], delta_tangent);
            let Some(before) = before else { continue };
            let from_tangent =
                Operand::plain(&before.tangents.outputs[member * below..][..below], layer.inputs).transpose();
            product(shape, from_tangent, d, Start::Destination, scratch, &mut curved[weights]);

            let shape = (rows, columns, layer.inputs);
            let here = member * below..(member + 1) * below;
            let (next, next_tangent) =
                (&mut workspace.next_delta[here.clone()], &mut workspace.next_delta_tangent[here]);
            let (w, v) = (weight(layer, member, values), weight(layer, member, direction));
            let start = if arrived { Start::Destination } else { Start::Zero };
            product(shape, d, w.transpose(), start, scratch, next);
            product(shape, t, w.transpose(), start, scratch, next_tangent);
            product(shape, d, v.transpose(), Start::Destination, scratch, next_tangent);
        }
        std::mem::swap(&mut workspace.delta, &mut workspace.next_delta);
        std::mem::swap(&mut workspace.delta_tangent, &mut workspace.next_delta_tangent);
    }
}

/// x ← x y.
fn multiply(x: &mut [f32], y: &[f32]) {
    vectorised(|| x.iter_mut().zip(y).for_each(|(x, y)| *x *= y));
}

/// x ← x + y.
fn add(x: &mut [f32], y: &[f32]) {
    vectorised(|| x.iter_mut().zip(y).for_each(|(x, y)| *x += y));
}

/// tangent ← the tangent after normalisation, gain and shift. Those of the normalised numbers and,
/// relative, of 1/√(variance + ε) are kept.
fn normalise_tangent(
    tangent: &mut [f32],
    normalised_tangent: &mut [f32],
    inverse_tangent: &mut [f32],
    normalised: &[f32],
    inverse: &[f32],
    [gain, gain_tangent, shift_tangent]: [&[f32]; 3],
) {
    let columns = gain.len();
    let rows = tangent
        .chunks_exact_mut(columns)
        .zip(normalised_tangent.chunks_exact_mut(columns))
        .zip(normalised.chunks_exact(columns));
    for (((tangent, normalised_tangent), normalised), (inverse, inverse_tangent)) in
        rows.zip(inverse.iter().zip(inverse_tangent))
    {
        *inverse_tangent = -inverse * dot(normalised, tangent) / columns as f32;
        centre(tangent, normalised, *inverse);
        normalised_tangent.copy_from_slice(tangent);
        for (j, t) in tangent.iter_mut().enumerate() {
            *t = *t * gain[j] + normalised[j] * gain_tangent[j] + shift_tangent[j];
        }
    }
}

/// The tangent of what `normalise_backward` computes from δ (after the activation, before the gain),
/// with d = δ · gain and z the normalised numbers:
/// R[(d − mean d − z mean(d z))/deviation]. `delta_tangent` comes as R(δ · gain).
fn normalise_backward_tangent(
    (delta, delta_tangent): (&[f32], &mut [f32]),
    (normalised, normalised_tangent): (&[f32], &[f32]),
    (inverse, inverse_tangent): (&[f32], &[f32]),
    gain: &[f32],
) {
    let columns = gain.len();
    let count = columns as f32;
    let mut scaled = vec![0.0; columns];
    let rows = delta
        .chunks_exact(columns)
        .zip(delta_tangent.chunks_exact_mut(columns))
        .zip(normalised.chunks_exact(columns).zip(normalised_tangent.chunks_exact(columns)))
        .zip(inverse.iter().zip(inverse_tangent));
    for (((delta, tangent), (z, z_tangent)), (&inverse, &inverse_tangent)) in rows {
        for ((scaled, d), gain) in scaled.iter_mut().zip(delta).zip(gain) {
            *scaled = d * gain;
        }
        let (mean, slope) = (sum(&scaled) / count, dot(&scaled, z) / count);
        let mean_tangent = sum(tangent) / count;
        let slope_tangent = (dot(tangent, z) + dot(&scaled, z_tangent)) / count;
        for (((t, d), z), z_tangent) in tangent.iter_mut().zip(&scaled).zip(z).zip(z_tangent) {
            let plain = d - mean - z * slope;
            let moved = *t - mean_tangent - z_tangent * slope - z * slope_tangent;
            *t = inverse * (moved + inverse_tangent * plain);
        }
    }
}

/// Adds Σ over rows of δ · other to the derivatives with respect to a member's gain.
fn gain_gradient(
    norm: Norm,
    layer: &Layer,
    member: usize,
    delta: &[f32],
    other: &[f32],
    gradient: &mut [f32],
) {
    let columns = layer.outputs;
    let gain = norm.gain + member * columns;
    for (delta, other) in delta.chunks_exact(columns).zip(other.chunks_exact(columns)) {
        for ((g, d), o) in gradient[gain..gain + columns].iter_mut().zip(delta).zip(other) {
            *g += d * o;
        }
    }
}
