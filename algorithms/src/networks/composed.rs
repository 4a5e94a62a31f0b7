//! A network composed of the device's operations: how it runs where there is no fused operation,
//! and the reference that the fused operation is tested against.

use super::{
    Activation,
    layout::{Layout, NORM_EPSILON},
};
use crate::{
    Error,
    tensor::{Cube, Device, Matrix, Merge, Operations, Parameters, Tape, Vector, cube, join_columns},
};

/// The outputs for every member. `flat` holds the parameters; `P` says whether derivatives reach
/// them, `T` whether anything is recorded.
pub(super) fn forward<D: Device, T: Tape<D> + Merge<P>, P: Tape<D>>(
    layout: &Layout,
    flat: &Vector<D>,
    input: Matrix<D, T>,
) -> Result<Cube<D, T>, Error> {
    let members = layout.members;
    let mut x = cube::repeat_members(input, members)?;
    let mut features = None;
    for (i, layer) in layout.layers.iter().enumerate() {
        if layout.features && i + 1 == layout.layers.len() {
            features = Some(cube::only_member(x.branch()));
        }
        let (inputs, outputs) = (layer.inputs, layer.outputs);
        let matrix = |offset| Parameters::part::<_, P>(flat, offset, (members, outputs));
        let weight = Parameters::part::<_, P>(flat, layer.weight, (members, inputs, outputs))?;
        x = cube::affine(x, weight, matrix(layer.bias)?)?;
        if let Some(norm) = layer.norm {
            x = cube::normalise(x, NORM_EPSILON, matrix(norm.gain)?, matrix(norm.shift)?)?;
        }
        x = match layer.activation {
            Activation::Identity => x,
            Activation::Tanh => x.tanh(),
            Activation::Relu => x.relu(),
            Activation::Gelu => x.fast_gelu(),
            Activation::Elu => x.elu(),
            Activation::Silu => x.silu(),
        };
    }
    match features {
        Some(features) => cube::repeat_members(join_columns(cube::only_member(x), features)?, 1),
        None => Ok(x),
    }
}
