//! A network's shape, and where each of its parameters lies in the flat vector.

use assay_environments::{
    parameters::{ParameterError, require},
    random::Stream,
};
use serde::{Deserialize, Serialize};

use super::{Activation, Initialisation};
use crate::tensor::Part;

/// The form of a network between its inputs and outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DenseConfig {
    /// Units of each hidden layer, first to last; may be empty (a linear map).
    pub hidden: Vec<usize>,
    /// After every hidden layer.
    pub activation: Activation,
    /// After the last layer.
    pub output_activation: Activation,
    /// Whether every hidden layer is normalised before its activation (Ba et al. 2016,
    /// arXiv 1607.06450; ε = 1e-5), with learned gain and shift.
    pub layer_norm: bool,
    /// How weights start.
    pub initialisation: Initialisation,
}

impl Default for DenseConfig {
    /// Two layers of 64 units with tanh, orthogonal with gain √2, then 1.
    fn default() -> Self {
        DenseConfig {
            hidden: vec![64, 64],
            activation: Activation::Tanh,
            output_activation: Activation::Identity,
            layer_norm: false,
            initialisation: Initialisation::Orthogonal {
                hidden_gain: std::f64::consts::SQRT_2,
                output_gain: 1.0,
            },
        }
    }
}

impl DenseConfig {
    /// Errors when a layer has no units or a gain is not a number from 0 up. `field` is the name under
    /// which the network is configured.
    pub fn validate(&self, field: &str) -> Result<(), ParameterError> {
        for (i, &units) in self.hidden.iter().enumerate() {
            require(&format!("{field}.hidden[{i}]"), units, units > 0, "at least 1")?;
        }
        let gains = match self.initialisation {
            Initialisation::Orthogonal { hidden_gain, output_gain } => vec![hidden_gain, output_gain],
            Initialisation::Kaiming { gain } => vec![gain],
            Initialisation::FanIn => vec![],
        };
        for gain in gains {
            let holds = gain.is_finite() && gain >= 0.0;
            require(&format!("{field}.initialisation"), gain, holds, "gains of at least 0")?;
        }
        Ok(())
    }
}

/// One layer: sizes, and the offsets of its parameters in the flat vector. The parameters of all
/// members of an ensemble lie together: weights (members, inputs, outputs), the others
/// (members, outputs).
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) activation: Activation,
    pub(super) weight: usize,
    pub(super) bias: usize,
    pub(super) norm: Option<Norm>,
}

/// Offsets of a layer normalisation's gain and shift.
#[derive(Clone, Copy, Debug)]
pub(super) struct Norm {
    pub(super) gain: usize,
    pub(super) shift: usize,
}

/// Added to the variance by layer normalisation.
pub(super) const NORM_EPSILON: f32 = 1e-5;

/// All layers of a network with `members` members.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) members: usize,
    pub(super) layers: Vec<Layer>,
    pub(super) parameters: usize,
    /// Whether what the last layer is given stands beside its outputs. Only networks of one member.
    pub(super) features: bool,
}

impl Layout {
    pub(super) fn new(members: usize, inputs: usize, outputs: usize, config: &DenseConfig) -> Self {
        assert!(members > 0 && inputs > 0 && outputs > 0, "sizes of a network");
        let mut offset = 0;
        let mut take = |count: usize| {
            offset += count;
            offset - count
        };
        let mut inputs = inputs;
        let mut layers = Vec::with_capacity(config.hidden.len() + 1);
        let sizes = config.hidden.iter().copied().chain([outputs]);
        for (i, outputs) in sizes.enumerate() {
            let hidden = i < config.hidden.len();
            assert!(outputs > 0, "units of layer {i}");
            let (weight, bias) = (take(members * inputs * outputs), take(members * outputs));
            let norm = (hidden && config.layer_norm)
                .then(|| Norm { gain: take(members * outputs), shift: take(members * outputs) });
            let activation = if hidden { config.activation } else { config.output_activation };
            layers.push(Layer { inputs, outputs, activation, weight, bias, norm });
            inputs = outputs;
        }
        Layout { members, layers, parameters: offset, features: false }
    }

    /// One member alone, with its parameters where they lie in the flat vector of all.
    pub(super) fn member(&self, member: usize) -> Self {
        assert!(member < self.members, "member {member} of {}", self.members);
        let layers = self.layers.iter().map(|layer| Layer {
            weight: layer.weight + member * layer.inputs * layer.outputs,
            bias: layer.bias + member * layer.outputs,
            norm: layer.norm.map(|norm| Norm {
                gain: norm.gain + member * layer.outputs,
                shift: norm.shift + member * layer.outputs,
            }),
            ..layer.clone()
        });
        Layout { layers: layers.collect(), members: 1, ..*self }
    }

    pub(super) fn inputs(&self) -> usize {
        self.layers[0].inputs
    }

    /// Columns of the outputs, those of the features among them.
    pub(super) fn outputs(&self) -> usize {
        self.last().outputs + if self.features { self.last().inputs } else { 0 }
    }

    pub(super) fn last(&self) -> &Layer {
        &self.layers[self.layers.len() - 1]
    }

    /// Names and shapes of the parameters, in the order of the flat vector. The parts of an
    /// ensemble have the members as their first dimension.
    pub(super) fn parts(&self, ensemble: bool) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut push = |name: String, shape: &[usize]| {
            let members = if ensemble { vec![self.members] } else { vec![] };
            parts.push(Part::new(name, &[&members, shape].concat()));
        };
        for (i, layer) in self.layers.iter().enumerate() {
            push(format!("layer{i}/weight"), &[layer.inputs, layer.outputs]);
            push(format!("layer{i}/bias"), &[layer.outputs]);
            if layer.norm.is_some() {
                push(format!("layer{i}/norm/gain"), &[layer.outputs]);
                push(format!("layer{i}/norm/shift"), &[layer.outputs]);
            }
        }
        parts
    }

    /// Freshly drawn parameters: member by member, layer by layer.
    pub(super) fn draw(&self, initialisation: Initialisation, rng: &mut Stream) -> Vec<f32> {
        let mut values = vec![0.0; self.parameters];
        for member in 0..self.members {
            for (i, layer) in self.layers.iter().enumerate() {
                let last = i + 1 == self.layers.len();
                let (head, tail) = values.split_at_mut(layer.bias);
                let size = layer.inputs * layer.outputs;
                let weight = &mut head[layer.weight + member * size..][..size];
                let bias = &mut tail[member * layer.outputs..][..layer.outputs];
                initialisation.draw(last, layer.inputs, weight, bias, rng);
                if let Some(norm) = layer.norm {
                    values[norm.gain + member * layer.outputs..][..layer.outputs].fill(1.0);
                }
            }
        }
        values
    }
}
