//! The contracts of networks: both ways of evaluation agree, and every derivative is right.

use assay_environments::random::{Seed, Stream};
use rand::Rng;

use super::{
    Activation, DenseConfig, Initialisation,
    network::{Network, OutputGradients, Outputs, Wanted},
};
use crate::tensor::{Cpu, Device, Gradients, Matrix, NoTape, Operations, Record, backward, gradient_of};

const ACTIVATIONS: [Activation; 6] = [
    Activation::Identity,
    Activation::Tanh,
    Activation::Relu,
    Activation::Gelu,
    Activation::Elu,
    Activation::Silu,
];

/// Which network is made of a form.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Alone,
    WithFeatures,
    Ensemble,
}

/// How many networks there are in an ensemble.
const MEMBERS: usize = 3;

impl Kind {
    fn members(self) -> Option<usize> {
        (self == Kind::Ensemble).then_some(MEMBERS)
    }
}

/// Every activation, with and without layer normalisation, of every kind.
fn cases() -> impl Iterator<Item = (DenseConfig, Kind)> {
    let kinds = [Kind::Alone, Kind::WithFeatures, Kind::Ensemble].into_iter();
    let forms = kinds.flat_map(|kind| [(false, kind), (true, kind)]);
    ACTIVATIONS.into_iter().flat_map(move |activation| {
        forms.clone().map(move |(layer_norm, kind)| {
            let config = DenseConfig {
                hidden: vec![7, 5],
                activation,
                output_activation: Activation::Tanh,
                layer_norm,
                initialisation: Initialisation::FanIn,
            };
            (config, kind)
        })
    })
}

const INPUTS: usize = 4;
const OUTPUTS: usize = 2;
const BATCH: usize = 6;

fn network(device: &Cpu, config: &DenseConfig, kind: Kind) -> (Network<Cpu>, Stream) {
    let mut rng = Seed::new(7).stream("test");
    let mut network =
        Network::new(device, "network", kind.members(), (INPUTS, OUTPUTS), config, &mut rng).unwrap();
    if kind == Kind::WithFeatures {
        network = network.with_features();
    }
    // Away from the symmetric start, so that gains and shifts matter.
    let values: Vec<f32> =
        network.parameters.values().iter().map(|x| x + rng.random_range(-0.2..0.2)).collect();
    network.parameters.set_values(&values);
    (network, rng)
}

fn uniform(count: usize, rng: &mut Stream) -> Vec<f32> {
    (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
}

fn assert_close(what: &str, a: &[f32], b: &[f32], tolerance: f32) {
    assert_eq!(a.len(), b.len(), "{what}");
    for (i, (x, y)) in a.iter().zip(b).enumerate() {
        assert!((x - y).abs() <= tolerance * (1.0 + x.abs().max(y.abs())), "{what}[{i}]: {x} and {y}");
    }
}

/// A loss that weighs all outputs differently: its gradients with respect to parameters and input.
fn gradients(
    network: &Network<Cpu>,
    output: crate::tensor::Cube<Cpu, crate::tensor::Recording<Cpu>>,
    input: &Matrix<Cpu>,
    weights: &[f32],
) -> (Vec<f32>, Vec<f32>) {
    let shape = crate::tensor::shape(&output);
    let weights = input.device().cube(weights, shape).unwrap();
    let (_, mut gradients): (f32, Gradients<Cpu>) = backward((output * weights).sum_all(), "loss").unwrap();
    (network.parameters.gradient(&mut gradients).unwrap(), gradient_of(&mut gradients, input).unwrap())
}

#[test]
fn the_fused_and_the_composed_network_agree_in_values_and_gradients() {
    let device = Cpu::open().unwrap();
    for (config, kind) in cases() {
        let (network, mut rng) = network(&device, &config, kind);
        let input = device.matrix(&uniform(BATCH * INPUTS, &mut rng), BATCH, INPUTS).unwrap();
        let weights = uniform(network.members() * BATCH * network.outputs(), &mut rng);
        for parameters in [true, false] {
            let wanted = Wanted { parameters, input: true };
            let fused = network.forward(input.clone().recorded(), wanted).unwrap();
            let composed = if parameters {
                network
                    .composed::<_, crate::tensor::Recording<Cpu>>(&network.layout, input.clone().recorded())
            } else {
                network.composed::<_, NoTape>(&network.layout, input.clone().recorded())
            };
            let composed = composed.unwrap();
            let what = format!("{config:?} of {kind:?}");
            assert_close(&what, &fused.to_host(), &composed.to_host(), 3e-6);
            let fused = gradients(&network, fused, &input, &weights);
            let composed = gradients(&network, composed, &input, &weights);
            assert_close(&format!("{what}: parameters"), &fused.0, &composed.0, 3e-5);
            assert_close(&format!("{what}: input"), &fused.1, &composed.1, 3e-5);
            assert_eq!(fused.0.iter().any(|&g| g != 0.0), parameters, "{what}");
        }
    }
}

#[test]
fn a_member_alone_is_that_member_of_the_ensemble_in_values_and_gradients() {
    let device = Cpu::open().unwrap();
    for (config, kind) in cases().filter(|(_, kind)| *kind == Kind::Ensemble) {
        let (network, mut rng) = network(&device, &config, kind);
        let input = device.matrix(&uniform(BATCH * INPUTS, &mut rng), BATCH, INPUTS).unwrap();
        let outputs = BATCH * OUTPUTS;
        let weights = uniform(outputs, &mut rng);
        for member in 0..MEMBERS {
            let wanted = Wanted { parameters: true, input: true };
            let all = network.forward(input.clone().recorded(), wanted).unwrap();
            let alone = network.forward_member(member, input.clone().recorded(), wanted).unwrap();
            let what = format!("member {member} of {config:?}");
            assert_eq!(alone.to_host(), all.to_host()[member * outputs..][..outputs], "{what}");
            let mut only_this = vec![0.0; MEMBERS * outputs];
            only_this[member * outputs..][..outputs].copy_from_slice(&weights);
            let expected = gradients(&network, all, &input, &only_this);
            assert_eq!(gradients(&network, alone, &input, &weights), expected, "{what}");
        }
    }
}

/// The central difference of fourth order. The network runs in single precision, so the step is wide
/// and the comparison loose; the composed network's gradients are independent of both.
fn difference(mut at: impl FnMut(f32) -> Vec<f32>) -> Vec<f32> {
    let step = 8e-3;
    let mut pair = |step| {
        let (up, down) = (at(step), at(-step));
        up.iter().zip(&down).map(|(a, b)| a - b).collect::<Vec<f32>>()
    };
    let (near, far) = (pair(step), pair(2.0 * step));
    near.iter().zip(&far).map(|(near, far)| (8.0 * near - far) / (12.0 * step)).collect()
}

#[test]
fn gradients_agree_with_finite_differences() {
    let device = Cpu::open().unwrap();
    for (config, kind) in cases() {
        if config.activation == Activation::Relu {
            continue; // a kink within the step has no difference to agree with
        }
        let (mut network, mut rng) = network(&device, &config, kind);
        let rows = uniform(BATCH * INPUTS, &mut rng);
        let count = network.members() * BATCH * network.outputs();
        let weights = uniform(count, &mut rng);
        let input = device.matrix(&rows, BATCH, INPUTS).unwrap();
        let wanted = Wanted { parameters: true, input: true };
        let output = network.forward(input.clone().recorded(), wanted).unwrap();
        let (in_parameters, in_input) = gradients(&network, output, &input, &weights);

        let loss = |network: &Network<Cpu>, rows: &[f32]| -> Vec<f32> {
            let mut outputs = vec![0.0; count];
            network.infer(rows, &mut outputs);
            vec![outputs.iter().zip(&weights).map(|(a, b)| a * b).sum()]
        };
        let direction = uniform(network.parameters.len(), &mut rng);
        let values = network.parameters.values().to_vec();
        let numeric = difference(|step| {
            let moved: Vec<f32> = values.iter().zip(&direction).map(|(x, d)| x + step * d).collect();
            network.parameters.set_values(&moved);
            loss(&network, &rows)
        });
        network.parameters.set_values(&values);
        let exact: f32 = in_parameters.iter().zip(&direction).map(|(g, d)| g * d).sum();
        assert_close(&format!("{config:?} of {kind:?}: parameters"), &[exact], &numeric, 5e-3);

        let direction = uniform(rows.len(), &mut rng);
        let numeric = difference(|step| {
            let moved: Vec<f32> = rows.iter().zip(&direction).map(|(x, d)| x + step * d).collect();
            loss(&network, &moved)
        });
        let exact: f32 = in_input.iter().zip(&direction).map(|(g, d)| g * d).sum();
        assert_close(&format!("{config:?} of {kind:?}: input"), &[exact], &numeric, 5e-3);
    }
}

#[test]
fn tangents_agree_with_finite_differences_and_are_adjoint_to_the_pullback() {
    let device = Cpu::open().unwrap();
    for (config, kind) in cases() {
        let (mut network, mut rng) = network(&device, &config, kind);
        let rows = uniform(BATCH * INPUTS, &mut rng);
        let count = network.members() * BATCH * network.outputs();
        let direction = uniform(network.parameters.len(), &mut rng);
        let (mut outputs, mut tangents) = (vec![0.0; count], vec![0.0; count]);
        network.forward_tangent(&rows, &direction, &mut outputs, &mut tangents);
        let mut inferred = vec![0.0; count];
        network.infer(&rows, &mut inferred);
        assert_eq!(outputs, inferred);

        let what = format!("{config:?} of {kind:?}");
        // <u, J v> = <Jᵀ u, v>
        let weights = uniform(count, &mut rng);
        let mut gradient = vec![0.0; network.parameters.len()];
        network.pullback(&rows, &weights, &mut gradient);
        let left: f32 = weights.iter().zip(&tangents).map(|(a, b)| a * b).sum();
        let right: f32 = gradient.iter().zip(&direction).map(|(a, b)| a * b).sum();
        assert_close(&what, &[left], &[right], 1e-4);

        if config.activation != Activation::Relu {
            let values = network.parameters.values().to_vec();
            let numeric = difference(|step| {
                let moved: Vec<f32> = values.iter().zip(&direction).map(|(x, d)| x + step * d).collect();
                network.parameters.set_values(&moved);
                network.infer(&rows, &mut inferred);
                inferred.clone()
            });
            assert_close(&what, &tangents, &numeric, 5e-3);
        }
    }
}

/// For L = Σ (c y + ½ k y²) over the outputs y, whose derivative c + k y has the tangent k Ry.
#[test]
fn hessian_products_agree_with_differences_of_gradients() {
    let device = Cpu::open().unwrap();
    for (config, kind) in cases() {
        // A kink within the step has no difference to agree with. The slope of ELU has one, which shows
        // where the last hidden layer does.
        let undamped = config.activation == Activation::Elu && kind == Kind::WithFeatures;
        if config.activation == Activation::Relu || undamped {
            continue;
        }
        let (mut network, mut rng) = network(&device, &config, kind);
        let rows = uniform(BATCH * INPUTS, &mut rng);
        let count = network.members() * BATCH * network.outputs();
        let (c, k) = (uniform(count, &mut rng), uniform(count, &mut rng));
        // Short: where a layer is normalised, derivatives of high order are large.
        let direction: Vec<f32> =
            uniform(network.parameters.len(), &mut rng).iter().map(|d| 0.2 * d).collect();
        let size = network.parameters.len();
        let (mut gradient, mut product) = (vec![f32::NAN; size], vec![f32::NAN; size]);
        let head = |outputs: Outputs<'_>, gradients: OutputGradients<'_>| {
            for i in 0..count {
                gradients.values[i] = c[i] + k[i] * outputs.values[i];
                gradients.tangents[i] = k[i] * outputs.tangents[i];
            }
        };
        network.curvature(&rows, &direction, head, &mut gradient, &mut product);

        let what = format!("{config:?} of {kind:?}");
        let gradient_at = |network: &Network<Cpu>| {
            let mut outputs = vec![0.0; count];
            network.infer(&rows, &mut outputs);
            let slopes: Vec<f32> = (0..count).map(|i| c[i] + k[i] * outputs[i]).collect();
            let mut gradient = vec![0.0; size];
            network.pullback(&rows, &slopes, &mut gradient);
            gradient
        };
        assert_close(&what, &gradient, &gradient_at(&network), 1e-5);
        let values = network.parameters.values().to_vec();
        let numeric = difference(|step| {
            let moved: Vec<f32> = values.iter().zip(&direction).map(|(x, d)| x + step * d).collect();
            network.parameters.set_values(&moved);
            gradient_at(&network)
        });
        let largest = product.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
        for (i, (x, y)) in product.iter().zip(&numeric).enumerate() {
            assert!((x - y).abs() < 1e-2 * largest, "{what}[{i}]: {x} and {y} of {largest}");
        }
    }
}

#[test]
fn rows_are_independent_of_what_else_is_in_the_batch_to_the_last_bit() {
    let device = Cpu::open().unwrap();
    for (config, kind) in cases().filter(|(_, kind)| *kind != Kind::Ensemble) {
        let (network, mut rng) = network(&device, &config, kind);
        let rows = uniform(BATCH * INPUTS, &mut rng);
        let (mut together, mut alone) = (vec![0.0; BATCH * network.outputs()], vec![0.0; network.outputs()]);
        network.infer(&rows, &mut together);
        for (row, expected) in rows.chunks_exact(INPUTS).zip(together.chunks_exact(network.outputs())) {
            network.infer(row, &mut alone);
            assert_eq!(alone, expected, "{config:?}");
        }
    }
}

#[test]
fn a_network_used_twice_in_a_loss_adds_its_gradients() {
    let device = Cpu::open().unwrap();
    let (network, mut rng) = network(&device, &DenseConfig::default(), Kind::Alone);
    let [first, second] =
        [0, 1].map(|_| device.matrix(&uniform(BATCH * INPUTS, &mut rng), BATCH, INPUTS).unwrap());
    let wanted = Wanted { parameters: true, input: false };
    let loss = |x: &Matrix<Cpu>| network.forward(x.clone().recorded(), wanted).unwrap().square().sum_all();
    let gradient = |loss| {
        let (_, mut gradients) = backward(loss, "loss").unwrap();
        network.parameters.gradient(&mut gradients).unwrap()
    };
    let together = gradient(loss(&first) + loss(&second));
    let sum: Vec<f32> =
        gradient(loss(&first)).iter().zip(gradient(loss(&second))).map(|(a, b)| a + b).collect();
    assert_close("gradient", &together, &sum, 1e-5);
}

#[test]
fn the_same_seed_draws_the_same_network_and_learners_may_move_between_threads() {
    fn assert_send<T: Send>() {}
    assert_send::<crate::networks::DenseStack<Cpu>>();
    assert_send::<crate::networks::Ensemble<Cpu>>();
    assert_send::<crate::optimisers::Adam<Cpu>>();
    let device = Cpu::open().unwrap();
    let draw = || network(&device, &DenseConfig::default(), Kind::Ensemble).0.parameters.values();
    assert_eq!(draw(), draw());
}

#[test]
fn members_of_an_ensemble_start_apart_and_the_names_say_where_each_number_lies() {
    let device = Cpu::open().unwrap();
    let config = DenseConfig { layer_norm: true, ..DenseConfig::default() };
    let (network, _) = network(&device, &config, Kind::Ensemble);
    let names: Vec<(&str, &[usize])> =
        network.parameters.parts().iter().map(|p| (p.name.as_str(), p.shape.as_slice())).collect();
    assert_eq!(names[0], ("layer0/weight", &[MEMBERS, INPUTS, 64][..]));
    assert_eq!(names[2], ("layer0/norm/gain", &[MEMBERS, 64][..]));
    assert_eq!(names.last(), Some(&("layer2/bias", &[MEMBERS, OUTPUTS][..])));
    let values = network.parameters.values();
    assert_ne!(values[..INPUTS * 64], values[INPUTS * 64..2 * INPUTS * 64]);
}

#[test]
fn features_are_what_the_last_layer_is_given() {
    let device = Cpu::open().unwrap();
    for hidden in [vec![], vec![7], vec![7, 5]] {
        let config = DenseConfig { hidden, ..DenseConfig::default() };
        let (plain, mut rng) = network(&device, &config, Kind::Alone);
        let (with_features, _) = network(&device, &config, Kind::WithFeatures);
        assert_eq!(plain.parameters.values(), with_features.parameters.values());
        let rows = uniform(BATCH * INPUTS, &mut rng);
        let width = *config.hidden.last().unwrap_or(&INPUTS);
        let (mut outputs, mut joined) = (vec![0.0; BATCH * OUTPUTS], vec![0.0; BATCH * (OUTPUTS + width)]);
        plain.infer(&rows, &mut outputs);
        with_features.infer(&rows, &mut joined);

        // The hidden layers alone: the same numbers are drawn first, and the last layer's follow.
        let features = match config.hidden.split_last() {
            None => rows.clone(),
            Some((_, before)) => {
                let hidden = DenseConfig {
                    hidden: before.to_vec(),
                    output_activation: config.activation,
                    ..DenseConfig::default()
                };
                let shape = (INPUTS, width);
                let mut stack = Network::new(&device, "hidden", None, shape, &hidden, &mut rng).unwrap();
                let first = stack.parameters.len();
                stack.parameters.set_values(&plain.parameters.values()[..first]);
                let mut features = vec![0.0; BATCH * width];
                stack.infer(&rows, &mut features);
                features
            }
        };
        for (i, row) in joined.chunks_exact(OUTPUTS + width).enumerate() {
            assert_eq!(row[..OUTPUTS], outputs[i * OUTPUTS..][..OUTPUTS], "{:?}", config.hidden);
            assert_eq!(row[OUTPUTS..], features[i * width..][..width], "{:?}", config.hidden);
        }
    }
}
