//! Several networks of one shape, evaluated together.

use assay_environments::random::Stream;

use super::{
    DenseConfig,
    network::{Network, Wanted},
};
use crate::{
    Error,
    tensor::{Cube, Device, Matrix, MatrixOperations, Parameters, Record, Recording, Tape, Vector, cube},
};

/// Stacks of the same shape with parameters of their own, all given the same rows.
#[derive(Debug)]
pub struct Ensemble<D: Device>(Network<D>);

impl<D: Device> Ensemble<D> {
    /// An ensemble with freshly drawn parameters. `name` is what its parameters are called in
    /// checkpoints, for example `critics`; their first dimension is the member.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    pub fn new(
        device: &D,
        name: &str,
        members: usize,
        inputs: usize,
        outputs: usize,
        config: &DenseConfig,
        rng: &mut Stream,
    ) -> Result<Self, Error> {
        Network::new(device, name, Some(members), (inputs, outputs), config, rng).map(Ensemble)
    }

    /// A copy under another name, with gradients of its own: target critics.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    pub fn duplicate(&self, name: &str) -> Result<Self, Error> {
        self.0.duplicate(name).map(Ensemble)
    }

    /// How many stacks.
    pub fn members(&self) -> usize {
        self.0.members()
    }

    /// Columns of the inputs.
    pub fn inputs(&self) -> usize {
        self.0.inputs()
    }

    /// Columns of each member's outputs.
    pub fn outputs(&self) -> usize {
        self.0.outputs()
    }

    /// All parameters of all members: for checkpoints, flat reads and gradients.
    pub fn parameters(&self) -> &Parameters<D> {
        &self.0.parameters
    }

    /// All parameters of all members: for optimisers, soft updates and flat writes.
    pub fn parameters_mut(&mut self) -> &mut Parameters<D> {
        &mut self.0.parameters
    }

    /// Outputs (members, batch, outputs) for data (batch, inputs), recorded on a new tape.
    /// Derivatives reach the parameters, not the data.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn record(&self, data: Matrix<D>) -> Result<Cube<D, Recording<D>>, Error> {
        self.0.forward(data.recorded(), Wanted { parameters: true, input: false })
    }

    /// Outputs (members, batch, outputs). If the input is recorded, derivatives reach the
    /// parameters and the input.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn forward<T: Tape<D>>(&self, input: Matrix<D, T>) -> Result<Cube<D, T>, Error> {
        self.0.forward(input, Wanted { parameters: true, input: true })
    }

    /// As [`forward`](Self::forward), but derivatives reach only the input.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn forward_frozen<T: Tape<D>>(&self, input: Matrix<D, T>) -> Result<Cube<D, T>, Error> {
        self.0.forward(input, Wanted { parameters: false, input: true })
    }

    /// As [`record`](Self::record) for critics, which have one output: (members, batch).
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn record_values(&self, data: Matrix<D>) -> Result<Matrix<D, Recording<D>>, Error> {
        self.record(data).map(cube::only_column)
    }

    /// As [`forward`](Self::forward) for critics, which have one output: (members, batch).
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn values<T: Tape<D>>(&self, input: Matrix<D, T>) -> Result<Matrix<D, T>, Error> {
        self.forward(input).map(cube::only_column)
    }

    /// As [`forward_frozen`](Self::forward_frozen) for critics, which have one output:
    /// (members, batch).
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn values_frozen<T: Tape<D>>(&self, input: Matrix<D, T>) -> Result<Matrix<D, T>, Error> {
        self.forward_frozen(input).map(cube::only_column)
    }

    /// As [`values_frozen`](Self::values_frozen) of one member alone, at its cost alone: (batch).
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn member_values_frozen<T: Tape<D>>(
        &self,
        member: usize,
        input: Matrix<D, T>,
    ) -> Result<Vector<D, T>, Error> {
        let wanted = Wanted { parameters: false, input: true };
        let outputs = self.0.forward_member(member, input, wanted)?;
        Ok(cube::only_member(outputs).only_column())
    }

    /// Outputs (members, batch, outputs) for rows (batch, inputs), from host to host, on any
    /// device. Nothing is recorded or, after the first call with a batch size, allocated.
    pub fn infer(&self, rows: &[f32], outputs: &mut [f32]) {
        self.0.infer(rows, outputs);
    }
}
