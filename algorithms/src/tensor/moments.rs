//! What an optimiser remembers about parameters, and its pass over them.

use dfdx::tensor_ops::{TryAdd, TryDiv, TryMul};

use super::{
    Device, Gradients, Parameters, Part, Vector,
    device::failed,
    host,
    parameters::{load_parts, save_parts},
};
use crate::{Checkpoint, Error};

/// One number for every parameter of a module: on the host in a vector, elsewhere in a tensor.
#[derive(Debug)]
pub(crate) struct Moment<D: Device> {
    module: String,
    parts: Vec<Part>,
    host: Vec<f32>,
    tensor: Vector<D>,
}

impl<D: Device> Moment<D> {
    /// Zeros.
    pub(crate) fn new(parameters: &Parameters<D>) -> Result<Self, Error> {
        let (host, device) = if D::ON_HOST { (parameters.len(), 0) } else { (0, parameters.len()) };
        Ok(Moment {
            module: parameters.name().to_owned(),
            parts: parameters.parts().to_vec(),
            host: vec![0.0; host],
            tensor: parameters.device().try_zeros_like(&(device,)).map_err(failed::<D>)?,
        })
    }

    /// Stores it as `prefix/module/part`.
    pub(crate) fn save(&self, prefix: &str, checkpoint: &mut Checkpoint) {
        let prefix = format!("{prefix}/{}", self.module);
        if D::ON_HOST {
            save_parts(&prefix, &self.parts, &self.host, checkpoint);
        } else {
            save_parts(&prefix, &self.parts, &self.tensor.as_vec(), checkpoint);
        }
    }

    /// Puts a saved state back.
    pub(crate) fn load(&mut self, prefix: &str, checkpoint: &Checkpoint) -> Result<(), Error> {
        let values = load_parts(&format!("{prefix}/{}", self.module), &self.parts, checkpoint)?;
        if D::ON_HOST {
            self.host = values;
        } else {
            self.tensor.copy_from(&values);
        }
        Ok(())
    }

    /// v ← μ v + scale g; θ ← θ − rate v.
    pub(crate) fn descend(
        &mut self,
        parameters: &mut Parameters<D>,
        gradients: &mut Gradients<D>,
        scale: f32,
        momentum: f32,
        rate: f32,
    ) -> Result<(), Error> {
        if D::ON_HOST {
            let gradient = host_gradient(parameters, gradients)?;
            let values = parameters.host_mut();
            host::vectorised(|| {
                for ((x, &g), v) in values.iter_mut().zip(gradient).zip(&mut self.host) {
                    *v = momentum * *v + scale * g;
                    *x -= rate * *v;
                }
            });
            Ok(())
        } else {
            let gradient = device_gradient(parameters, gradients)?;
            let values = parameters.tensor_mut();
            descend_on_device(values, &gradient, &mut self.tensor, scale, momentum, rate).map_err(failed::<D>)
        }
    }
}

fn descend_on_device<D: Device>(
    values: &mut Vector<D>,
    gradient: &Vector<D>,
    velocity: &mut Vector<D>,
    scale: f32,
    momentum: f32,
    rate: f32,
) -> Result<(), D::Err> {
    velocity.try_axpy(momentum, gradient, scale)?;
    values.try_axpy(1.0, velocity, -rate)
}

/// The coefficients of one step of Adam.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AdamStep {
    /// Of the gradient, from clipping.
    pub(crate) scale: f32,
    pub(crate) beta1: f32,
    pub(crate) beta2: f32,
    pub(crate) epsilon: f32,
    /// Learning rate / (1 − β₁ᵗ).
    pub(crate) rate: f32,
    /// 1/√(1 − β₂ᵗ).
    pub(crate) second_correction: f32,
    /// Learning rate × weight decay.
    pub(crate) decay: f32,
}

/// Adam's two moments of one module.
#[derive(Debug)]
pub(crate) struct Moments<D: Device> {
    first: Moment<D>,
    second: Moment<D>,
}

impl<D: Device> Moments<D> {
    /// Zeros.
    pub(crate) fn new(parameters: &Parameters<D>) -> Result<Self, Error> {
        Ok(Moments { first: Moment::new(parameters)?, second: Moment::new(parameters)? })
    }

    /// m ← β₁ m + (1 − β₁) g; v ← β₂ v + (1 − β₂) g²; θ ← θ − rate m / (√v correction + ε), after
    /// θ ← (1 − decay) θ.
    pub(crate) fn adam(
        &mut self,
        parameters: &mut Parameters<D>,
        gradients: &mut Gradients<D>,
        step: &AdamStep,
    ) -> Result<(), Error> {
        if D::ON_HOST {
            let gradient = host_gradient(parameters, gradients)?;
            let (first, second) = (&mut self.first.host, &mut self.second.host);
            adam_on_host(parameters.host_mut(), gradient, first, second, step);
            Ok(())
        } else {
            let gradient = device_gradient(parameters, gradients)?;
            let (first, second) = (&mut self.first.tensor, &mut self.second.tensor);
            adam_on_device(parameters.tensor_mut(), &gradient, first, second, step).map_err(failed::<D>)
        }
    }

    /// Stores them as `prefix/first_moment/module/part` and `prefix/second_moment/module/part`.
    pub(crate) fn save(&self, prefix: &str, checkpoint: &mut Checkpoint) {
        self.first.save(&format!("{prefix}/first_moment"), checkpoint);
        self.second.save(&format!("{prefix}/second_moment"), checkpoint);
    }

    /// Puts a saved state back.
    pub(crate) fn load(&mut self, prefix: &str, checkpoint: &Checkpoint) -> Result<(), Error> {
        self.first.load(&format!("{prefix}/first_moment"), checkpoint)?;
        self.second.load(&format!("{prefix}/second_moment"), checkpoint)
    }
}

fn adam_on_host(
    values: &mut [f32],
    gradient: &[f32],
    first: &mut [f32],
    second: &mut [f32],
    step: &AdamStep,
) {
    let AdamStep { scale, beta1, beta2, epsilon, rate, second_correction, decay } = *step;
    host::vectorised(|| {
        let values = values.iter_mut().zip(gradient);
        for ((x, &g), (m, v)) in values.zip(first.iter_mut().zip(second)) {
            let g = flushed(scale * g, SMALLEST_GRADIENT);
            *m = flushed(beta1 * *m + (1.0 - beta1) * g, SMALLEST_GRADIENT);
            *v = flushed(beta2 * *v + (1.0 - beta2) * (g * g), SMALLEST_SQUARE);
            *x = *x - decay * *x - rate * *m / (v.sqrt() * second_correction + epsilon);
        }
    });
}

fn adam_on_device<D: Device>(
    values: &mut Vector<D>,
    gradient: &Vector<D>,
    first: &mut Vector<D>,
    second: &mut Vector<D>,
    step: &AdamStep,
) -> Result<(), D::Err> {
    let AdamStep { scale, beta1, beta2, epsilon, rate, second_correction, decay } = *step;
    first.try_axpy(beta1, gradient, (1.0 - beta1) * scale)?;
    let square = gradient.clone().try_square()?;
    second.try_axpy(beta2, &square, (1.0 - beta2) * scale * scale)?;
    let root = second.clone().try_sqrt()?.try_mul(second_correction)?.try_add(epsilon)?;
    let update = first.clone().try_div(root)?;
    values.try_axpy(1.0 - decay, &update, -rate)
}

/// Gradients and moments below these count as zero: far below what ε = 10⁻⁸ beside the root of the
/// second moment lets through, and above the subnormal numbers, with which processors calculate a
/// hundred times more slowly and which the moments of a unit without gradient decay into for ever.
const SMALLEST_GRADIENT: f32 = 1e-16;
const SMALLEST_SQUARE: f32 = 1e-34;

#[inline(always)]
fn flushed(x: f32, smallest: f32) -> f32 {
    if x.abs() < smallest { 0.0 } else { x }
}

/// The Euclidean norm of the gradients of all these parameters together.
pub(crate) fn gradient_norm<'a, D: Device>(
    parameters: impl Iterator<Item = &'a Parameters<D>>,
    gradients: &mut Gradients<D>,
) -> Result<f32, Error> {
    let mut sum = 0.0;
    for parameters in parameters {
        sum += if D::ON_HOST {
            host::sum_of_squares(host_gradient(parameters, gradients)?)
        } else {
            let square = device_gradient(parameters, gradients)?.try_square().map_err(failed::<D>)?;
            super::Operations::to_host(&super::Operations::sum_all(square))[0]
        };
    }
    Ok(sum.sqrt())
}

/// The gradient of `parameters` in the host's memory; zero where the loss does not depend on them.
fn host_gradient<'a, D: Device>(
    parameters: &Parameters<D>,
    gradients: &'a mut Gradients<D>,
) -> Result<&'a [f32], Error> {
    host::gradient(gradients, parameters.key()).map(|slice| &*slice).map_err(failed::<D>)
}

/// The gradient of `parameters` on the device; zero where the loss does not depend on them.
fn device_gradient<D: Device>(
    parameters: &Parameters<D>,
    gradients: &mut Gradients<D>,
) -> Result<Vector<D>, Error> {
    gradients.try_alloc_for(parameters.key()).map_err(failed::<D>)?;
    Ok(gradients.get(parameters.key()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{Cpu, Operations, backward};

    /// The device's operations are run on the CPU here, which otherwise uses its own loops.
    #[test]
    fn adam_and_descent_on_the_device_do_what_they_do_on_the_host() {
        let device = Cpu::open().unwrap();
        let numbers = |shift: usize| (0..37).map(|i| ((i * 7 + shift) as f32).sin()).collect::<Vec<_>>();
        let mut values = numbers(1);
        let (mut first, mut second) = (vec![0.0; 37], vec![0.0; 37]);
        let mut tensor = device.vector(&values).unwrap();
        let mut moments = [0, 1].map(|_| device.vector(&[0.0; 37]).unwrap());
        for i in 1..50 {
            let gradient = numbers(i);
            let step = AdamStep {
                scale: 0.7,
                beta1: 0.9,
                beta2: 0.999,
                epsilon: 1e-8,
                rate: 1e-2 / (1.0 - 0.9f32.powi(i as i32)),
                second_correction: 1.0 / (1.0 - 0.999f32.powi(i as i32)).sqrt(),
                decay: 1e-3,
            };
            adam_on_host(&mut values, &gradient, &mut first, &mut second, &step);
            let gradient = device.vector(&gradient).unwrap();
            let [first, second] = &mut moments;
            adam_on_device(&mut tensor, &gradient, first, second, &step).unwrap();
        }
        for (a, b) in values.iter().zip(tensor.to_host()) {
            assert!((a - b).abs() < 1e-5, "{a} and {b}");
        }

        let mut parameters = Parameters::free(&device, "module", &values).unwrap();
        let mut moment = Moment::new(&parameters).unwrap();
        let mut velocity = device.vector(&[0.0; 37]).unwrap();
        let mut tensor = device.vector(&values).unwrap();
        for i in 1..20 {
            let gradient = device.vector(&numbers(i)).unwrap();
            let loss = parameters.record() * gradient.clone();
            let (_, mut gradients) = backward(loss.sum_all(), "loss").unwrap();
            moment.descend(&mut parameters, &mut gradients, 0.7, 0.9, 1e-2).unwrap();
            descend_on_device(&mut tensor, &gradient, &mut velocity, 0.7, 0.9, 1e-2).unwrap();
        }
        for (a, b) in parameters.values().iter().zip(tensor.to_host()) {
            assert!((a - b).abs() < 1e-5, "{a} and {b}");
        }
    }
}
