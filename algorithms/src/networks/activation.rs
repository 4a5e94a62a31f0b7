//! The functions between layers, over slices, with the vector instructions that the machine has.
//!
//! All of them are made of one approximation of tanh: x P(x²)/Q(x²) with polynomials of degree four
//! fitted for the smallest largest relative error on [−9, 9] (2 · 10⁻⁸, below the rounding of
//! `f32`); it reaches exactly ±1 there. Its error is below 5 · 10⁻⁷ of the value everywhere.

use pulp::{Arch, Simd, WithSimd};
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
    /// Whether the derivative needs x itself, rather than only f(x).
    pub(super) fn derivative_needs_input(self) -> bool {
        matches!(self, Activation::Gelu | Activation::Silu)
    }

    /// x ← f(x).
    pub(super) fn apply(self, x: &mut [f32]) {
        Arch::new().dispatch(Apply { activation: self, x });
    }

    /// d ← d f′(x), given y = f(x), and x where it [is needed](Self::derivative_needs_input).
    pub(super) fn multiply_by_derivative(self, d: &mut [f32], x: &[f32], y: &[f32]) {
        Arch::new().dispatch(Derivative { activation: self, d, x, y });
    }

    /// d ← d f″(x), given y = f(x), and x where it [is needed](Self::derivative_needs_input). At the
    /// kink of a function that has one, f″ is that of its left side.
    pub(super) fn multiply_by_second_derivative(self, d: &mut [f32], x: &[f32], y: &[f32]) {
        Arch::new().dispatch(SecondDerivative { activation: self, d, x, y });
    }
}

struct Apply<'a> {
    activation: Activation,
    x: &'a mut [f32],
}

impl WithSimd for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.activation {
            Activation::Identity => (),
            Activation::Tanh => apply::<S, Tanh>(simd, self.x),
            Activation::Relu => apply::<S, Relu>(simd, self.x),
            Activation::Gelu => apply::<S, Gelu>(simd, self.x),
            Activation::Elu => apply::<S, Elu>(simd, self.x),
            Activation::Silu => apply::<S, Silu>(simd, self.x),
        }
    }
}

struct Derivative<'a> {
    activation: Activation,
    d: &'a mut [f32],
    x: &'a [f32],
    y: &'a [f32],
}

impl WithSimd for Derivative<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Derivative { activation, d, x, y } = self;
        match activation {
            Activation::Identity => (),
            Activation::Tanh => multiply(simd, d, y, Tanh::slope),
            Activation::Relu => multiply(simd, d, y, Relu::slope),
            Activation::Gelu => multiply(simd, d, x, Gelu::slope),
            Activation::Elu => multiply(simd, d, y, Elu::slope),
            Activation::Silu => multiply(simd, d, x, Silu::slope),
        }
    }
}

struct SecondDerivative<'a> {
    activation: Activation,
    d: &'a mut [f32],
    x: &'a [f32],
    y: &'a [f32],
}

impl WithSimd for SecondDerivative<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let SecondDerivative { activation, d, x, y } = self;
        match activation {
            Activation::Identity | Activation::Relu => d.fill(0.0),
            Activation::Tanh => multiply(simd, d, y, Tanh::curvature),
            Activation::Gelu => multiply(simd, d, x, Gelu::curvature),
            Activation::Elu => multiply(simd, d, y, Elu::curvature),
            Activation::Silu => multiply(simd, d, x, Silu::curvature),
        }
    }
}

/// A function of vectors. A trait and not a closure, because only code that is inlined into
/// `with_simd` is compiled for the instructions that were detected, and only a named function can
/// be told to be.
trait Function {
    /// f(x).
    fn value<S: Simd>(simd: S, x: S::f32s) -> S::f32s;

    /// f′, from f(x), or from x where [it is needed](Activation::derivative_needs_input).
    fn slope<S: Simd>(simd: S, at: S::f32s) -> S::f32s;
}

struct Tanh;

impl Function for Tanh {
    #[inline(always)]
    fn value<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
        tanh(simd, x)
    }

    #[inline(always)]
    fn slope<S: Simd>(simd: S, y: S::f32s) -> S::f32s {
        simd.negate_mul_add_e_f32s(y, y, simd.splat_f32s(1.0))
    }
}

impl Tanh {
    /// f″ = −2 y (1 − y²), from y.
    #[inline(always)]
    fn curvature<S: Simd>(simd: S, y: S::f32s) -> S::f32s {
        simd.mul_f32s(simd.mul_f32s(simd.splat_f32s(-2.0), y), Tanh::slope(simd, y))
    }
}

struct Relu;

impl Function for Relu {
    #[inline(always)]
    fn value<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
        at_least(simd, 0.0, x)
    }

    #[inline(always)]
    fn slope<S: Simd>(simd: S, y: S::f32s) -> S::f32s {
        let zero = simd.splat_f32s(0.0);
        simd.select_f32s(simd.less_than_f32s(zero, y), simd.splat_f32s(1.0), zero)
    }
}

struct Elu;

impl Function for Elu {
    /// For x ≤ 0, eˣ − 1 = 2 t / (1 − t) with t = tanh(x/2), without cancellation.
    #[inline(always)]
    fn value<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
        let t = tanh(simd, simd.mul_f32s(simd.splat_f32s(0.5), at_most(simd, 0.0, x)));
        let below = simd.div_f32s(simd.add_f32s(t, t), simd.sub_f32s(simd.splat_f32s(1.0), t));
        simd.add_f32s(at_least(simd, 0.0, x), below)
    }

    #[inline(always)]
    fn slope<S: Simd>(simd: S, y: S::f32s) -> S::f32s {
        simd.add_f32s(at_most(simd, 0.0, y), simd.splat_f32s(1.0))
    }
}

impl Elu {
    /// f″ = eˣ = y + 1 where y ≤ 0, else 0.
    #[inline(always)]
    fn curvature<S: Simd>(simd: S, y: S::f32s) -> S::f32s {
        let zero = simd.splat_f32s(0.0);
        let below = simd.add_f32s(y, simd.splat_f32s(1.0));
        simd.select_f32s(simd.less_than_f32s(zero, y), zero, below)
    }
}

struct Gelu;

impl Function for Gelu {
    #[inline(always)]
    fn value<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
        let half = simd.mul_f32s(simd.splat_f32s(0.5), x);
        simd.mul_add_e_f32s(half, tanh(simd, gelu_argument(simd, x)), half)
    }

    #[inline(always)]
    fn slope<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
        let one = simd.splat_f32s(1.0);
        let t = tanh(simd, gelu_argument(simd, x));
        let cubic = simd.splat_f32s(3.0 * SQRT_2_OVER_PI * GELU_CUBIC);
        let inner = simd.mul_add_e_f32s(cubic, simd.mul_f32s(x, x), simd.splat_f32s(SQRT_2_OVER_PI));
        let slope = simd.mul_f32s(simd.negate_mul_add_e_f32s(t, t, one), inner);
        let sum = simd.add_f32s(one, simd.mul_add_e_f32s(x, slope, t));
        simd.mul_f32s(simd.splat_f32s(0.5), sum)
    }
}

impl Gelu {
    /// With t = tanh u(x): f″ = (1 − t²) (u′ + ½ x (u″ − 2 t u′²)), from x.
    #[inline(always)]
    fn curvature<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
        let t = tanh(simd, gelu_argument(simd, x));
        let cubic = simd.splat_f32s(3.0 * SQRT_2_OVER_PI * GELU_CUBIC);
        let first = simd.mul_add_e_f32s(cubic, simd.mul_f32s(x, x), simd.splat_f32s(SQRT_2_OVER_PI));
        let second = simd.mul_f32s(simd.add_f32s(cubic, cubic), x);
        let bend = simd.mul_f32s(simd.add_f32s(t, t), simd.mul_f32s(first, first));
        let half = simd.mul_f32s(simd.splat_f32s(0.5), x);
        let inner = simd.mul_add_e_f32s(half, simd.sub_f32s(second, bend), first);
        simd.mul_f32s(simd.negate_mul_add_e_f32s(t, t, simd.splat_f32s(1.0)), inner)
    }
}

struct Silu;

impl Function for Silu {
    #[inline(always)]
    fn value<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
        simd.mul_f32s(x, sigmoid(simd, x))
    }

    #[inline(always)]
    fn slope<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
        let (s, one) = (sigmoid(simd, x), simd.splat_f32s(1.0));
        simd.mul_f32s(s, simd.mul_add_e_f32s(x, simd.sub_f32s(one, s), one))
    }
}

impl Silu {
    /// f″ = σ (1 − σ) (2 + x (1 − 2 σ)), from x.
    #[inline(always)]
    fn curvature<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
        let (s, one) = (sigmoid(simd, x), simd.splat_f32s(1.0));
        let tilt = simd.sub_f32s(one, simd.add_f32s(s, s));
        let bend = simd.mul_add_e_f32s(x, tilt, simd.splat_f32s(2.0));
        simd.mul_f32s(simd.mul_f32s(s, simd.sub_f32s(one, s)), bend)
    }
}

const SQRT_2_OVER_PI: f32 = 0.797_884_6;
const GELU_CUBIC: f32 = 0.044_715;

#[inline(always)]
fn gelu_argument<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let square = simd.mul_f32s(x, x);
    let cubic = simd.splat_f32s(SQRT_2_OVER_PI * GELU_CUBIC);
    simd.mul_f32s(x, simd.mul_add_e_f32s(cubic, square, simd.splat_f32s(SQRT_2_OVER_PI)))
}

/// 1/(1 + e⁻ˣ) = ½ (1 + tanh(x/2)).
#[inline(always)]
fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let half = simd.splat_f32s(0.5);
    simd.mul_add_e_f32s(half, tanh(simd, simd.mul_f32s(half, x)), half)
}

#[inline(always)]
fn tanh<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    const LIMIT: f32 = 9.0;
    const P: [f32; 5] = [1.0, 0.133_810_26, 3.495_588_7e-3, 2.060_909_2e-5, 1.335_467_4e-8];
    const Q: [f32; 5] = [1.0, 0.467_143_42, 2.587_698_5e-2, 3.285_635_7e-4, 7.776_563_6e-7];
    let x = at_least(simd, -LIMIT, at_most(simd, LIMIT, x));
    let square = simd.mul_f32s(x, x);
    let y = simd.div_f32s(simd.mul_f32s(x, polynomial(simd, P, square)), polynomial(simd, Q, square));
    at_least(simd, -1.0, at_most(simd, 1.0, y))
}

/// c₀ + c₁ x + … + c₄ x⁴.
#[inline(always)]
fn polynomial<S: Simd>(simd: S, c: [f32; 5], x: S::f32s) -> S::f32s {
    let mut sum = simd.splat_f32s(c[4]);
    for i in [3, 2, 1, 0] {
        sum = simd.mul_add_e_f32s(sum, x, simd.splat_f32s(c[i]));
    }
    sum
}

/// min(limit, x), but NaN where x is: a number that is none must reach the loss.
#[inline(always)]
fn at_most<S: Simd>(simd: S, limit: f32, x: S::f32s) -> S::f32s {
    let limit = simd.splat_f32s(limit);
    simd.select_f32s(simd.less_than_f32s(limit, x), limit, x)
}

/// max(limit, x), but NaN where x is.
#[inline(always)]
fn at_least<S: Simd>(simd: S, limit: f32, x: S::f32s) -> S::f32s {
    let limit = simd.splat_f32s(limit);
    simd.select_f32s(simd.less_than_f32s(x, limit), limit, x)
}

/// x ← f(x).
#[inline(always)]
fn apply<S: Simd, F: Function>(simd: S, x: &mut [f32]) {
    let (head, tail) = S::as_mut_simd_f32s(x);
    for x in head {
        *x = F::value(simd, *x);
    }
    if !tail.is_empty() {
        let y = F::value(simd, simd.partial_load_f32s(tail));
        simd.partial_store_f32s(tail, y);
    }
}

/// d ← d f, a derivative.
#[inline(always)]
fn multiply<S: Simd>(simd: S, d: &mut [f32], at: &[f32], f: impl Fn(S, S::f32s) -> S::f32s) {
    let (head, tail) = S::as_mut_simd_f32s(d);
    let (at_head, at_tail) = S::as_simd_f32s(at);
    for (d, &at) in head.iter_mut().zip(at_head) {
        *d = simd.mul_f32s(*d, f(simd, at));
    }
    if !tail.is_empty() {
        let factor = f(simd, simd.partial_load_f32s(at_tail));
        let product = simd.mul_f32s(simd.partial_load_f32s(tail), factor);
        simd.partial_store_f32s(tail, product);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definitions, in double precision.
    fn reference(activation: Activation, x: f64) -> f64 {
        match activation {
            Activation::Identity => x,
            Activation::Tanh => x.tanh(),
            Activation::Relu => x.max(0.0),
            Activation::Gelu => {
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
                0.5 * x * (1.0 + inner.tanh())
            }
            Activation::Elu => x.max(0.0) + x.min(0.0).exp_m1(),
            Activation::Silu => x / (1.0 + (-x).exp()),
        }
    }

    const ALL: [Activation; 6] = [
        Activation::Identity,
        Activation::Tanh,
        Activation::Relu,
        Activation::Gelu,
        Activation::Elu,
        Activation::Silu,
    ];

    /// Every magnitude, both signs, and zero; not a multiple of any vector's length.
    fn inputs() -> Vec<f32> {
        let magnitudes = (0..2001).map(|i| 10f32.powf(-6.0 + 8.0 * i as f32 / 2000.0));
        magnitudes.flat_map(|x| [x, -x]).chain([0.0]).collect()
    }

    #[test]
    fn values_agree_with_double_precision() {
        for activation in ALL {
            let x = inputs();
            let mut y = x.clone();
            activation.apply(&mut y);
            for (&x, &y) in x.iter().zip(&y) {
                let expected = reference(activation, f64::from(x));
                let error = (f64::from(y) - expected).abs();
                let scale = match activation {
                    // Relative: these keep their accuracy near zero.
                    Activation::Identity | Activation::Relu | Activation::Tanh | Activation::Elu => {
                        expected.abs()
                    }
                    // ½ (1 + tanh) cancels in the left tail: relative to x.
                    Activation::Gelu | Activation::Silu => f64::from(x).abs(),
                };
                let tolerance = if activation == Activation::Tanh { 5e-7 } else { 1e-6 };
                assert!(error <= tolerance * scale, "{activation:?}({x}) = {y}, not {expected}");
            }
        }
    }

    #[test]
    fn derivatives_agree_with_differences_in_double_precision() {
        for activation in ALL {
            let x: Vec<f32> = inputs().into_iter().filter(|x| x.abs() > 1e-3).collect();
            let mut y = x.clone();
            activation.apply(&mut y);
            let mut d = vec![2.0; x.len()];
            activation.multiply_by_derivative(&mut d, &x, &y);
            for (&x, &d) in x.iter().zip(&d) {
                let (x, h) = (f64::from(x), 1e-5);
                let expected = (reference(activation, x + h) - reference(activation, x - h)) / h;
                assert!(
                    (f64::from(d) - expected).abs() < 4e-6 * (1.0 + x.abs()),
                    "{activation:?}′({x}) = {d}"
                );
            }
        }
    }

    #[test]
    fn second_derivatives_agree_with_differences_of_the_first() {
        for activation in ALL {
            let x: Vec<f32> = inputs().into_iter().filter(|x| x.abs() > 1e-3).collect();
            let mut y = x.clone();
            activation.apply(&mut y);
            let mut d = vec![2.0; x.len()];
            activation.multiply_by_second_derivative(&mut d, &x, &y);
            for (&x, &d) in x.iter().zip(&d) {
                let (x, h) = (f64::from(x), 1e-4);
                let at = |x: f64| reference(activation, x);
                let expected = 2.0 * (at(x + h) - 2.0 * at(x) + at(x - h)) / (h * h);
                assert!(
                    (f64::from(d) - expected).abs() < 1e-5 * (1.0 + x.abs()),
                    "{activation:?}″({x}) = {d}"
                );
            }
        }
    }

    #[test]
    fn large_numbers_stay_finite_and_no_number_stays_none() {
        for activation in ALL {
            let x = [f32::MAX.sqrt(), -f32::MAX.sqrt(), 1e9, -1e9];
            let mut y = x;
            activation.apply(&mut y);
            assert!(y.iter().all(|y| y.is_finite()), "{activation:?}: {y:?}");
            let mut y = [f32::NAN; 19];
            activation.apply(&mut y);
            assert!(y.iter().all(|y| y.is_nan()), "{activation:?}: {y:?}");
        }
    }
}
