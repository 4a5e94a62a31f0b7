//! One network of dense layers.

use assay_environments::random::Stream;

use super::{
    DenseConfig,
    network::{Network, OutputGradients, Outputs, Wanted},
};
use crate::{
    Error,
    tensor::{Device, Matrix, Parameters, Record, Recording, Tape, cube},
};

/// Dense layers one after the other: rows of inputs to rows of outputs.
#[derive(Debug)]
pub struct DenseStack<D: Device>(Network<D>);

impl<D: Device> DenseStack<D> {
    /// A stack with freshly drawn parameters. `name` is what its parameters are called in
    /// checkpoints, for example `policy`.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    pub fn new(
        device: &D,
        name: &str,
        inputs: usize,
        outputs: usize,
        config: &DenseConfig,
        rng: &mut Stream,
    ) -> Result<Self, Error> {
        Network::new(device, name, None, (inputs, outputs), config, rng).map(DenseStack)
    }

    /// A stack as [`new`](Self::new) makes it, whose `outputs` columns of outputs are followed by
    /// what its last layer is given: the activations of the last hidden layer, or without one the
    /// inputs. Derivatives with respect to these *features* reach the layers before.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    pub fn with_features(
        device: &D,
        name: &str,
        inputs: usize,
        outputs: usize,
        config: &DenseConfig,
        rng: &mut Stream,
    ) -> Result<Self, Error> {
        let DenseStack(network) = Self::new(device, name, inputs, outputs, config, rng)?;
        Ok(DenseStack(network.with_features()))
    }

    /// A copy under another name, with gradients of its own: a target network, an old policy.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    pub fn duplicate(&self, name: &str) -> Result<Self, Error> {
        self.0.duplicate(name).map(DenseStack)
    }

    /// A copy as [`duplicate`](Self::duplicate) makes it, which shows what its last layer is given
    /// beside its outputs, as [`with_features`](Self::with_features) says.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    pub fn duplicate_with_features(&self, name: &str) -> Result<Self, Error> {
        let DenseStack(network) = self.duplicate(name)?;
        Ok(DenseStack(network.with_features()))
    }

    /// Columns of the inputs.
    pub fn inputs(&self) -> usize {
        self.0.inputs()
    }

    /// Columns of the outputs, those of the features among them.
    pub fn outputs(&self) -> usize {
        self.0.outputs()
    }

    /// All parameters: for checkpoints, flat reads and gradients.
    pub fn parameters(&self) -> &Parameters<D> {
        &self.0.parameters
    }

    /// All parameters: for optimisers, soft updates and flat writes.
    pub fn parameters_mut(&mut self) -> &mut Parameters<D> {
        &mut self.0.parameters
    }

    /// Outputs (batch, outputs) for data (batch, inputs), recorded on a new tape: the start of a
    /// loss. Derivatives reach the parameters, not the data.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn record(&self, data: Matrix<D>) -> Result<Matrix<D, Recording<D>>, Error> {
        let wanted = Wanted { parameters: true, input: false };
        self.0.forward(data.recorded(), wanted).map(cube::only_member)
    }

    /// Outputs (batch, outputs) for inputs (batch, inputs). If the input is recorded, derivatives
    /// reach the parameters and the input.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn forward<T: Tape<D>>(&self, input: Matrix<D, T>) -> Result<Matrix<D, T>, Error> {
        let wanted = Wanted { parameters: true, input: true };
        self.0.forward(input, wanted).map(cube::only_member)
    }

    /// As [`forward`](Self::forward), but derivatives reach only the input: the parameters are
    /// constants.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn forward_frozen<T: Tape<D>>(&self, input: Matrix<D, T>) -> Result<Matrix<D, T>, Error> {
        let wanted = Wanted { parameters: false, input: true };
        self.0.forward(input, wanted).map(cube::only_member)
    }

    /// As [`forward`](Self::forward), but composed of the device's operations even where there is a
    /// fused one: the reference for tests and benchmarks.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn forward_composed<T: Tape<D>>(&self, input: Matrix<D, T>) -> Result<Matrix<D, T>, Error> {
        self.0.composed::<T, T>(&self.0.layout, input).map(cube::only_member)
    }

    /// Outputs (batch, outputs) for rows (batch, inputs), from host to host, on any device. Nothing
    /// is recorded or, after the first call with a batch size, allocated.
    pub fn infer(&self, rows: &[f32], outputs: &mut [f32]) {
        self.0.infer(rows, outputs);
    }

    /// Outputs, and their derivative J v along a `direction` v in parameter space (flat, like
    /// [`Parameters::values`]): both (batch, outputs), from host to host. Forward mode: the
    /// R-operator of Pearlmutter (1994). With [`pullback`](Self::pullback) it gives products with
    /// Gauss–Newton and Fisher matrices, Jᵀ M J v.
    pub fn forward_tangent(
        &self,
        rows: &[f32],
        direction: &[f32],
        outputs: &mut [f32],
        tangents: &mut [f32],
    ) {
        self.0.forward_tangent(rows, direction, outputs, tangents);
    }

    /// Jᵀ u: the flat gradient of Σ u · outputs over rows (batch, inputs), for u (batch, outputs),
    /// from host to host. `gradient` is overwritten.
    pub fn pullback(&self, rows: &[f32], output_gradient: &[f32], gradient: &mut [f32]) {
        self.0.pullback(rows, output_gradient, gradient);
    }

    /// The gradient of a function L of the outputs, and the product of L's Hessian with a
    /// `direction`, both in parameter space and flat; exact, from host to host, at about three times
    /// the cost of a gradient. `head` is handed the outputs for `rows` (batch, inputs) with their
    /// tangents, and fills in the derivative of L with respect to the outputs with its tangent.
    /// `gradient` and `product` are overwritten.
    pub fn curvature(
        &self,
        rows: &[f32],
        direction: &[f32],
        head: impl FnOnce(Outputs<'_>, OutputGradients<'_>),
        gradient: &mut [f32],
        product: &mut [f32],
    ) {
        self.0.curvature(rows, direction, head, gradient, product);
    }
}
