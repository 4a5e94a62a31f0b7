//! How weights start.

use assay_environments::random::Stream;
use rand::Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

/// How the weights and biases of a network's layers are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Initialisation {
    /// Random orthogonal weights times a gain (Saxe et al. 2013, arXiv 1312.6120), biases zero.
    Orthogonal {
        /// The gain of every layer but the last; √2 for ReLU, and by custom for tanh.
        hidden_gain: f64,
        /// The gain of the last layer; 0.01 for a policy's, 1 for a value's by custom.
        output_gain: f64,
    },
    /// Weights and biases uniform within ±1/√inputs: PyTorch's default for linear layers.
    FanIn,
    /// Weights uniform within ±gain √(3/inputs) (He et al. 2015, arXiv 1502.01852), biases zero.
    Kaiming {
        /// √2 for ReLU.
        gain: f64,
    },
}

impl Initialisation {
    /// Draws one layer: `weight` is (inputs, outputs), row-major.
    pub(crate) fn draw(
        self,
        last: bool,
        inputs: usize,
        weight: &mut [f32],
        bias: &mut [f32],
        rng: &mut Stream,
    ) {
        let outputs = bias.len();
        match self {
            Initialisation::Orthogonal { hidden_gain, output_gain } => {
                let gain = if last { output_gain } else { hidden_gain };
                orthogonal(gain, inputs, outputs, weight, rng);
                bias.fill(0.0);
            }
            Initialisation::FanIn => {
                let bound = 1.0 / (inputs as f32).sqrt();
                weight.fill_with(|| rng.random_range(-bound..=bound));
                bias.fill_with(|| rng.random_range(-bound..=bound));
            }
            Initialisation::Kaiming { gain } => {
                let bound = (gain * (3.0 / inputs as f64).sqrt()) as f32;
                weight.fill_with(|| rng.random_range(-bound..=bound));
                bias.fill(0.0);
            }
        }
    }
}

/// A matrix with orthonormal columns (or rows, if there are fewer of them) times `gain`: normal
/// draws, orthonormalised by the modified Gram–Schmidt process in double precision.
fn orthogonal(gain: f64, inputs: usize, outputs: usize, weight: &mut [f32], rng: &mut Stream) {
    let (long, short) = (inputs.max(outputs), inputs.min(outputs));
    let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(short);
    while vectors.len() < short {
        let mut vector: Vec<f64> = (0..long).map(|_| rng.sample(StandardNormal)).collect();
        // Twice, because one pass leaves rounding errors where the draw is nearly dependent.
        for _ in 0..2 {
            for other in &vectors {
                let dot: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
                vector.iter_mut().zip(other).for_each(|(a, b)| *a -= dot * b);
            }
        }
        let norm = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
        if norm > 1e-6 {
            vector.iter_mut().for_each(|x| *x /= norm);
            vectors.push(vector);
        }
    }
    for (i, row) in weight.chunks_exact_mut(outputs).enumerate() {
        for (j, w) in row.iter_mut().enumerate() {
            let unit = if inputs >= outputs { vectors[j][i] } else { vectors[i][j] };
            *w = (gain * unit) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use assay_environments::random::Seed;

    use super::*;

    fn draw(
        initialisation: Initialisation,
        last: bool,
        inputs: usize,
        outputs: usize,
    ) -> (Vec<f32>, Vec<f32>) {
        let (mut weight, mut bias) = (vec![f32::NAN; inputs * outputs], vec![f32::NAN; outputs]);
        let mut rng = Seed::new(5).stream("test");
        initialisation.draw(last, inputs, &mut weight, &mut bias, &mut rng);
        (weight, bias)
    }

    #[test]
    fn orthogonal_weights_are_orthogonal_with_the_gain_as_length() {
        let initialisation = Initialisation::Orthogonal { hidden_gain: 2.0, output_gain: 0.01 };
        for (last, inputs, outputs) in [(false, 7, 5), (false, 5, 7), (true, 6, 6), (true, 1, 3)] {
            let (weight, bias) = draw(initialisation, last, inputs, outputs);
            let gain = if last { 0.01 } else { 2.0 };
            assert!(bias.iter().all(|&b| b == 0.0));
            let vector = |i: usize| -> Vec<f64> {
                let entry = |p: usize| if inputs >= outputs { p * outputs + i } else { i * outputs + p };
                (0..inputs.max(outputs)).map(|p| f64::from(weight[entry(p)])).collect()
            };
            for i in 0..inputs.min(outputs) {
                for j in 0..=i {
                    let dot: f64 = vector(i).iter().zip(vector(j)).map(|(a, b)| a * b).sum();
                    let expected = if i == j { gain * gain } else { 0.0 };
                    assert!((dot - expected).abs() < 1e-6 * gain * gain, "{i}, {j}: {dot}");
                }
            }
        }
    }

    #[test]
    fn uniform_weights_fill_their_bounds() {
        let largest = |x: &[f32]| x.iter().fold(0.0f32, |m, x| m.max(x.abs()));
        let (weight, bias) = draw(Initialisation::FanIn, false, 16, 200);
        for numbers in [&weight, &bias] {
            assert!(largest(numbers) <= 0.25 && largest(numbers) > 0.24);
        }
        let (weight, bias) = draw(Initialisation::Kaiming { gain: 2.0 }, false, 48, 200);
        assert!(largest(&weight) <= 0.5 && largest(&weight) > 0.49);
        assert_eq!(largest(&bias), 0.0);
    }
}
