//! What a stack and an ensemble have in common: parameters, passes on a tape, passes on the host.

use std::sync::{Arc, Mutex, PoisonError};

use assay_environments::random::Stream;

use super::{
    DenseConfig, composed,
    kernel::{self, Workspace},
    layout::Layout,
    second_order,
};
use crate::{
    Error,
    tensor::{self, Cube, Device, Gradients, Matrix, NoTape, Parameters, Tape, host},
};

/// Which derivatives a recorded pass takes.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub(super) parameters: bool,
    pub(super) input: bool,
}

#[derive(Debug)]
pub(super) struct Network<D: Device> {
    pub(super) layout: Arc<Layout>,
    /// The layout of each member alone.
    member_layouts: Arc<[Arc<Layout>]>,
    pub(super) parameters: Parameters<D>,
    pool: Pool,
}

/// What a network gives in a pass for second derivatives: rows × outputs each.
#[derive(Clone, Copy, Debug)]
pub struct Outputs<'a> {
    /// The outputs.
    pub values: &'a [f32],
    /// Their derivatives along the direction.
    pub tangents: &'a [f32],
}

/// What it takes: the derivative of a function of its outputs. Rows × outputs each, to be
/// overwritten.
#[derive(Debug)]
pub struct OutputGradients<'a> {
    /// The derivatives with respect to the outputs.
    pub values: &'a mut [f32],
    /// The derivatives of these along the direction.
    pub tangents: &'a mut [f32],
}

/// Workspaces that no pass is using.
#[derive(Clone, Debug, Default)]
struct Pool(Arc<Mutex<Vec<Workspace>>>);

/// A workspace in use, which goes back to its pool in the end.
struct Lease {
    workspace: Workspace,
    pool: Pool,
}

impl Pool {
    fn lease(&self) -> Lease {
        let workspace = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Lease { workspace: workspace.unwrap_or_default(), pool: self.clone() }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let workspace = std::mem::take(&mut self.workspace);
        self.pool.0.lock().unwrap_or_else(PoisonError::into_inner).push(workspace);
    }
}

impl<D: Device> Network<D> {
    pub(super) fn new(
        device: &D,
        name: &str,
        members: Option<usize>,
        (inputs, outputs): (usize, usize),
        config: &DenseConfig,
        rng: &mut Stream,
    ) -> Result<Self, Error> {
        let layout = Layout::new(members.unwrap_or(1), inputs, outputs, config);
        let values = layout.draw(config.initialisation, rng);
        let parameters = Parameters::new(device, name, layout.parts(members.is_some()), values)?;
        let member_layouts = (0..layout.members).map(|member| Arc::new(layout.member(member))).collect();
        Ok(Network { layout: Arc::new(layout), member_layouts, parameters, pool: Pool::default() })
    }

    /// The same network, with what its last layer is given beside the outputs.
    pub(super) fn with_features(self) -> Self {
        assert_eq!(self.members(), 1, "members of a network that shows its features");
        let layout = Layout { features: true, ..(*self.layout).clone() };
        Network { layout: Arc::new(layout), ..self }
    }

    pub(super) fn duplicate(&self, name: &str) -> Result<Self, Error> {
        Ok(Network {
            layout: Arc::clone(&self.layout),
            member_layouts: Arc::clone(&self.member_layouts),
            parameters: self.parameters.duplicate(name)?,
            pool: Pool::default(),
        })
    }

    pub(super) fn inputs(&self) -> usize {
        self.layout.inputs()
    }

    pub(super) fn outputs(&self) -> usize {
        self.layout.outputs()
    }

    pub(super) fn members(&self) -> usize {
        self.layout.members
    }

    pub(super) fn forward<T: Tape<D>>(
        &self,
        input: Matrix<D, T>,
        wanted: Wanted,
    ) -> Result<Cube<D, T>, Error> {
        self.forward_through(&self.layout, input, wanted)
    }

    /// One member alone: (1, batch, outputs).
    pub(super) fn forward_member<T: Tape<D>>(
        &self,
        member: usize,
        input: Matrix<D, T>,
        wanted: Wanted,
    ) -> Result<Cube<D, T>, Error> {
        self.forward_through(&self.member_layouts[member], input, wanted)
    }

    fn forward_through<T: Tape<D>>(
        &self,
        layout: &Arc<Layout>,
        input: Matrix<D, T>,
        wanted: Wanted,
    ) -> Result<Cube<D, T>, Error> {
        let (_, columns) = tensor::shape(&input);
        assert_eq!(columns, self.inputs(), "inputs of {}", self.parameters.name());
        if D::ON_HOST {
            self.fused(layout, input, wanted)
        } else if wanted.parameters {
            self.composed::<T, T>(layout, input)
        } else {
            self.composed::<T, NoTape>(layout, input)
        }
    }

    pub(super) fn composed<T: Tape<D> + tensor::Merge<P>, P: Tape<D>>(
        &self,
        layout: &Layout,
        input: Matrix<D, T>,
    ) -> Result<Cube<D, T>, Error> {
        composed::forward::<D, T, P>(layout, &self.parameters.keyed(), input)
    }

    /// The whole network as one operation on the tape.
    fn fused<T: Tape<D>>(
        &self,
        layout: &Arc<Layout>,
        input: Matrix<D, T>,
        wanted: Wanted,
    ) -> Result<Cube<D, T>, Error> {
        let (input, tape) = host::split(input)?;
        let (batch, columns) = tensor::shape(&input);
        let mut lease = self.pool.lease();
        let workspace = &mut lease.workspace;
        workspace.batch = batch;
        workspace.input.resize(batch * columns, 0.0);
        input.copy_into(&mut workspace.input);
        let values = self.parameters.values();
        kernel::forward(layout, &values, workspace);
        let shape = (layout.members, batch, self.outputs());
        let output = input.device().cube(workspace.output(layout), shape)?;

        let (key, output_key) = (self.parameters.key().clone(), output.clone());
        let layout = Arc::clone(layout);
        let backward = move |gradients: &mut Gradients<D>| {
            let workspace = &mut lease.workspace;
            workspace.delta.clear();
            workspace.delta.extend_from_slice(host::gradient(gradients, &output_key)?);
            let gradient = wanted.parameters.then(|| host::gradient(gradients, &key)).transpose()?;
            kernel::backward(&layout, &values, workspace, gradient, wanted.input);
            if wanted.input {
                let gradient = host::gradient(gradients, &input)?;
                for (g, d) in gradient.iter_mut().zip(&workspace.input_gradient) {
                    *g += d;
                }
            }
            Ok(())
        };
        Ok(host::join(output, tape, backward))
    }

    /// Runs `use_` on the buffers of a forward pass over host rows.
    fn on_host<R>(&self, rows: &[f32], use_: impl FnOnce(&[f32], &mut Workspace) -> R) -> R {
        assert_eq!(rows.len() % self.inputs(), 0, "inputs of {}", self.parameters.name());
        let values = self.parameters.values();
        let mut lease = self.pool.lease();
        let workspace = &mut lease.workspace;
        workspace.batch = rows.len() / self.inputs();
        workspace.input.clear();
        workspace.input.extend_from_slice(rows);
        kernel::forward(&self.layout, &values, workspace);
        use_(&values, workspace)
    }

    pub(super) fn infer(&self, rows: &[f32], outputs: &mut [f32]) {
        self.on_host(rows, |_, workspace| outputs.copy_from_slice(workspace.output(&self.layout)));
    }

    pub(super) fn forward_tangent(
        &self,
        rows: &[f32],
        direction: &[f32],
        outputs: &mut [f32],
        tangents: &mut [f32],
    ) {
        assert_eq!(direction.len(), self.parameters.len(), "direction in {}", self.parameters.name());
        self.on_host(rows, |values, workspace| {
            outputs.copy_from_slice(workspace.output(&self.layout));
            second_order::tangent(&self.layout, values, direction, workspace);
            tangents.copy_from_slice(workspace.tangent(&self.layout));
        });
    }

    pub(super) fn curvature(
        &self,
        rows: &[f32],
        direction: &[f32],
        head: impl FnOnce(Outputs<'_>, OutputGradients<'_>),
        gradient: &mut [f32],
        product: &mut [f32],
    ) {
        for (what, given) in
            [("direction", direction.len()), ("gradient", gradient.len()), ("product", product.len())]
        {
            assert_eq!(given, self.parameters.len(), "{what} in {}", self.parameters.name());
        }
        self.on_host(rows, |values, workspace| {
            second_order::tangent(&self.layout, values, direction, workspace);
            let size = workspace.output(&self.layout).len();
            let (mut delta, mut tangent) =
                (std::mem::take(&mut workspace.delta), std::mem::take(&mut workspace.delta_tangent));
            delta.resize(size, 0.0);
            tangent.resize(size, 0.0);
            let outputs =
                Outputs { values: workspace.output(&self.layout), tangents: workspace.tangent(&self.layout) };
            head(outputs, OutputGradients { values: &mut delta, tangents: &mut tangent });
            (workspace.delta, workspace.delta_tangent) = (delta, tangent);
            gradient.fill(0.0);
            product.fill(0.0);
            second_order::curvature(&self.layout, values, direction, workspace, gradient, product);
        });
    }

    pub(super) fn pullback(&self, rows: &[f32], output_gradient: &[f32], gradient: &mut [f32]) {
        assert_eq!(gradient.len(), self.parameters.len(), "gradient of {}", self.parameters.name());
        self.on_host(rows, |values, workspace| {
            let outputs = workspace.output(&self.layout).len();
            assert_eq!(output_gradient.len(), outputs, "gradient of the outputs");
            workspace.delta.clear();
            workspace.delta.extend_from_slice(output_gradient);
            gradient.fill(0.0);
            kernel::backward(&self.layout, values, workspace, Some(gradient), false);
        });
    }
}
