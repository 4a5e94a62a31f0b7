//! The functions between layers.

use serde::{Deserialize, Serialize};

/// An elementwise function after a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// x.
    Identity,
    /// tanh x.
    Tanh,
    /// max(x, 0).
    Relu,
    /// x Φ(x) in its tanh form, ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))) (Hendrycks and Gimpel 2016,
    /// arXiv 1606.08415, section 2).
    Gelu,
    /// x where x > 0, else eˣ − 1 (Clevert et al. 2015, arXiv 1511.07289).
    Elu,
    /// x σ(x), also called swish.
    Silu,
}

impl Activation {
    /// f(x).
    pub(crate) fn apply(self, x: f32) -> f32 {
        match self {
            Activation::Identity => x,
            Activation::Tanh => x.tanh(),
            Activation::Relu => x.max(0.0),
            Activation::Gelu => 0.5 * x * (1.0 + gelu_argument(x).tanh()),
            Activation::Elu => {
                if x > 0.0 {
                    x
                } else {
                    x.exp() - 1.0
                }
            }
            Activation::Silu => x / (1.0 + (-x).exp()),
        }
    }

    /// f′(x), given x and y = f(x).
    pub(crate) fn derivative(self, x: f32, y: f32) -> f32 {
        match self {
            Activation::Identity => 1.0,
            Activation::Tanh => 1.0 - y * y,
            Activation::Relu => f32::from(x > 0.0),
            Activation::Gelu => {
                let tanh = gelu_argument(x).tanh();
                let slope = SQRT_2_OVER_PI * (1.0 + 3.0 * GELU_CUBIC * x * x);
                0.5 * (1.0 + tanh) + 0.5 * x * (1.0 - tanh * tanh) * slope
            }
            Activation::Elu => {
                if x > 0.0 {
                    1.0
                } else {
                    y + 1.0
                }
            }
            Activation::Silu => {
                let sigmoid = 1.0 / (1.0 + (-x).exp());
                sigmoid * (1.0 + x * (1.0 - sigmoid))
            }
        }
    }
}

const SQRT_2_OVER_PI: f32 = 0.797_884_6;
const GELU_CUBIC: f32 = 0.044_715;

fn gelu_argument(x: f32) -> f32 {
    SQRT_2_OVER_PI * (x + GELU_CUBIC * x * x * x)
}
