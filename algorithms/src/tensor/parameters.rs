//! The numbers that learning changes.

use std::sync::{Arc, Mutex, PoisonError};

use dfdx::{
    shapes::{HasShape, Shape},
    tensor_ops::ReshapeTo,
};

use super::{Device, Gradients, Operations, Record, Recording, Tape, Tensor, Vector, device::failed, host};
use crate::{Checkpoint, Error};

/// A named part of a module's parameters, for example `layer0/weight`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The part's name within the module.
    pub name: String,
    /// Its sizes, row-major.
    pub shape: Vec<usize>,
}

impl Part {
    /// A part with this name and shape.
    pub fn new(name: impl Into<String>, shape: &[usize]) -> Self {
        Part { name: name.into(), shape: shape.to_vec() }
    }

    /// How many numbers it holds.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it holds no numbers.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// All parameters of one module (a network, or a free vector such as log standard deviations), as
/// one flat vector with named parts.
///
/// One vector means one pass (on CUDA: one kernel) for an optimiser's step, a norm, a soft update
/// or a flat read, whatever the number of layers.
///
/// On the [host](Device::ON_HOST) the numbers live in a vector of our own, which networks read
/// without a copy; the device's tensor is then only the key under which gradients are found.
#[derive(Debug)]
pub struct Parameters<D: Device> {
    name: String,
    parts: Arc<[Part]>,
    /// The values, or on the host only their identity.
    tensor: Vector<D>,
    /// The values on the host; elsewhere a copy, absent after every change until it is asked for.
    host: Mutex<Option<Arc<Vec<f32>>>>,
}

impl<D: Device> Parameters<D> {
    /// Parameters with these parts and values; `values` holds the parts one after the other.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    pub fn new(device: &D, name: &str, parts: Vec<Part>, values: Vec<f32>) -> Result<Self, Error> {
        assert_eq!(parts.iter().map(Part::len).sum::<usize>(), values.len(), "values of {name}");
        let tensor = if D::ON_HOST {
            device.try_zeros_like(&(values.len(),)).map_err(failed::<D>)?
        } else {
            device.vector(&values)?
        };
        let host = Mutex::new(Some(Arc::new(values)));
        Ok(Parameters { name: name.to_owned(), parts: parts.into(), tensor, host })
    }

    /// A free vector, for example log standard deviations: one part named `value`.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    pub fn free(device: &D, name: &str, values: &[f32]) -> Result<Self, Error> {
        Self::new(device, name, vec![Part::new("value", &[values.len()])], values.to_vec())
    }

    /// A copy under another name, with gradients of its own: a target network, an old policy.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    pub fn duplicate(&self, name: &str) -> Result<Self, Error> {
        Self::new(self.device(), name, self.parts.to_vec(), self.values().to_vec())
    }

    /// The module's name, for example `policy`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The parts, in the order of the flat vector.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.tensor.shape().0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where they live.
    pub fn device(&self) -> &D {
        self.tensor.device()
    }

    /// The values on the host, flat. On the host this copies nothing; elsewhere once per change.
    pub fn values(&self) -> Arc<Vec<f32>> {
        let mut host = self.host.lock().unwrap_or_else(PoisonError::into_inner);
        let values = host.get_or_insert_with(|| {
            let mut values = vec![0.0; self.len()];
            self.tensor.copy_into(&mut values);
            Arc::new(values)
        });
        Arc::clone(values)
    }

    /// Replaces all values.
    pub fn set_values(&mut self, values: &[f32]) {
        assert_eq!(values.len(), self.len(), "values of {}", self.name);
        if D::ON_HOST {
            self.host_mut().copy_from_slice(values);
        } else {
            self.tensor_mut().copy_from(values);
        }
    }

    /// The values as a tensor on a new tape: a later [`backward`](super::backward) holds these
    /// parameters' gradient.
    pub fn record(&self) -> Vector<D, Recording<D>> {
        self.keyed().recorded()
    }

    /// The values as a tensor that is a constant in what follows.
    pub fn constant(&self) -> Vector<D> {
        self.keyed().detach()
    }

    /// The values under the identity that gradients are found by.
    pub(crate) fn keyed(&self) -> Vector<D> {
        let mut tensor = self.tensor.clone();
        if D::ON_HOST {
            tensor.copy_from(&self.values());
        }
        tensor
    }

    /// The gradient, flat, on the host; zero where the loss does not depend on these parameters.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    pub fn gradient(&self, gradients: &mut Gradients<D>) -> Result<Vec<f32>, Error> {
        super::gradient_of(gradients, &self.tensor)
    }

    /// The gradient, at the end of `flat`.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    pub(crate) fn append_gradient(
        &self,
        gradients: &mut Gradients<D>,
        flat: &mut Vec<f32>,
    ) -> Result<(), Error> {
        if D::ON_HOST {
            flat.extend_from_slice(host::gradient(gradients, &self.tensor).map_err(failed::<D>)?);
        } else {
            flat.extend(self.gradient(gradients)?);
        }
        Ok(())
    }

    /// self ← (1 − rate) self + rate other: Polyak's soft update of a target network; with rate 1
    /// a copy.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn blend(&mut self, other: &Self, rate: f32) -> Result<(), Error> {
        assert_eq!(self.parts, other.parts, "parts of {} and {}", self.name, other.name);
        if D::ON_HOST {
            let source = other.values();
            let values = self.host_mut().iter_mut().zip(source.iter());
            host::vectorised(|| {
                for (x, &y) in values {
                    *x = (1.0 - rate) * *x + rate * y;
                }
            });
            Ok(())
        } else {
            self.tensor_mut().try_axpy(1.0 - rate, &other.tensor, rate).map_err(failed::<D>)
        }
    }

    /// Stores every part as `name/part`.
    pub fn save(&self, checkpoint: &mut Checkpoint) {
        save_parts(&self.name, &self.parts, &self.values(), checkpoint);
    }

    /// Puts a saved state back.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when a part is absent or has another shape; nothing is changed then.
    pub fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let values = load_parts(&self.name, &self.parts, checkpoint)?;
        self.set_values(&values);
        Ok(())
    }

    /// One part, recorded on `tape`'s kind of tape, in its own shape.
    pub(crate) fn part<S: Shape, T: Tape<D>>(
        flat: &Vector<D>,
        offset: usize,
        shape: S,
    ) -> Result<Tensor<S, D, T>, Error> {
        let flat = flat.retaped::<T>();
        let range = offset..offset + shape.num_elements();
        if D::ON_HOST {
            let length = flat.shape().0;
            let column = flat.try_reshape_like(&(length, 1)).map_err(failed::<D>)?;
            host::block(column, range, 0..1).try_reshape_like(&shape).map_err(failed::<D>)
        } else {
            flat.try_slice((range,)).and_then(|part| part.try_reshape_like(&shape)).map_err(failed::<D>)
        }
    }

    /// The tensor whose identity the gradient is found under.
    pub(crate) fn key(&self) -> &Vector<D> {
        &self.tensor
    }

    /// The values on the host, to be changed in place. Only [on the host](Device::ON_HOST).
    pub(crate) fn host_mut(&mut self) -> &mut [f32] {
        debug_assert!(D::ON_HOST);
        let host = self.host.get_mut().unwrap_or_else(PoisonError::into_inner);
        let values: &mut Vec<f32> = Arc::make_mut(host.get_or_insert_default());
        values
    }

    /// The values on the device, to be changed in place. Not [on the host](Device::ON_HOST).
    pub(crate) fn tensor_mut(&mut self) -> &mut Vector<D> {
        debug_assert!(!D::ON_HOST);
        *self.host.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        &mut self.tensor
    }
}

/// Stores the parts of a flat vector as `prefix/part`.
pub(crate) fn save_parts(prefix: &str, parts: &[Part], values: &[f32], checkpoint: &mut Checkpoint) {
    let mut rest = values;
    for part in parts {
        let (values, after) = rest.split_at(part.len());
        checkpoint.put_tensor(&format!("{prefix}/{}", part.name), &part.shape, values);
        rest = after;
    }
}

/// The flat vector of parts stored as `prefix/part`.
pub(crate) fn load_parts(prefix: &str, parts: &[Part], checkpoint: &Checkpoint) -> Result<Vec<f32>, Error> {
    let mut values = vec![0.0; parts.iter().map(Part::len).sum()];
    let mut rest = values.as_mut_slice();
    for part in parts {
        let (values, after) = rest.split_at_mut(part.len());
        checkpoint.tensor(&format!("{prefix}/{}", part.name), &part.shape, values)?;
        rest = after;
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{Cpu, backward};

    fn example(name: &str) -> Parameters<Cpu> {
        let parts = vec![Part::new("weight", &[2, 2]), Part::new("bias", &[2])];
        let values = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        Parameters::new(&Cpu::open().unwrap(), name, parts, values).unwrap()
    }

    #[test]
    fn parts_are_saved_under_readable_names_and_come_back() {
        let mut checkpoint = Checkpoint::new();
        example("policy").save(&mut checkpoint);
        let mut bias = [0.0; 2];
        checkpoint.tensor("policy/bias", &[2], &mut bias).unwrap();
        assert_eq!(bias, [5.0, 6.0]);
        let mut other = example("policy");
        other.set_values(&[0.0; 6]);
        other.load(&checkpoint).unwrap();
        assert_eq!(*other.values(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }

    #[test]
    fn another_shape_is_an_error_and_changes_nothing() {
        let mut checkpoint = Checkpoint::new();
        example("policy").save(&mut checkpoint);
        checkpoint.put_tensor("policy/bias", &[3], &[0.0; 3]);
        let mut parameters = example("policy");
        parameters.set_values(&[9.0; 6]);
        let message = parameters.load(&checkpoint).unwrap_err().to_string();
        assert!(message.contains("policy/bias") && message.contains("[3]"), "{message}");
        assert_eq!(*parameters.values(), [9.0; 6]);
        assert!(example("value").load(&checkpoint).is_err());
    }

    #[test]
    fn blending_moves_by_the_rate_and_copies_with_rate_one() {
        let (mut target, source) = (example("target"), example("online"));
        target.set_values(&[0.0; 6]);
        target.blend(&source, 0.25).unwrap();
        assert_eq!(*target.values(), [0.25, 0.5, 0.75, 1.0, 1.25, 1.5]);
        target.blend(&source, 1.0).unwrap();
        assert_eq!(target.values(), source.values());
    }

    #[test]
    fn a_duplicate_has_values_and_gradients_of_its_own() {
        let original = example("policy");
        let mut copy = original.duplicate("old_policy").unwrap();
        let loss = original.record() * copy.constant();
        let (_, mut gradients) = backward(loss.sum_all(), "loss").unwrap();
        assert_eq!(original.gradient(&mut gradients).unwrap(), *copy.values());
        assert_eq!(copy.gradient(&mut gradients).unwrap(), [0.0; 6]);
        copy.set_values(&[0.0; 6]);
        assert_eq!(original.values()[0], 1.0);
    }

    #[test]
    fn values_that_something_still_holds_are_not_changed_under_it() {
        let mut parameters = example("policy");
        let before = parameters.values();
        parameters.set_values(&[0.0; 6]);
        assert_eq!(before[0], 1.0);
        assert_eq!(parameters.constant().to_host(), [0.0; 6]);
    }
}
