//! Where numbers are kept and calculated.

use dfdx::tensor::{Cache, Storage};

use super::{Cube, Indices, Matrix, Vector};
use crate::Error;

pub use dfdx::tensor::Cpu;

/// A place where tensors live and operations run.
///
/// Learners, networks and optimisers are generic over it. A device is a cheap handle: clones share
/// the memory that it keeps for reuse. One run uses one device from one thread.
pub trait Device: dfdx::tensor_ops::Device<f32> {
    /// The device's name in messages.
    const NAME: &'static str;
    /// Whether tensors lie in the host's memory, so that host functions may work on them in place.
    const ON_HOST: bool;

    /// A new handle. Memory freed by tensors is kept for the next ones of the same size.
    ///
    /// # Errors
    /// [`Error::Device`] where there is no such device, or it refuses.
    fn open() -> Result<Self, Error>;

    /// The numbers of a gradient, if they are [on the host](Self::ON_HOST).
    #[doc(hidden)]
    fn host_slice(storage: &mut <Self as Storage<f32>>::Vec) -> Option<&mut [f32]>;

    /// A vector with these values.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    fn vector(&self, values: &[f32]) -> Result<Vector<Self>, Error> {
        let mut vector: Vector<Self> = self.try_zeros_like(&(values.len(),)).map_err(failed::<Self>)?;
        vector.copy_from(values);
        Ok(vector)
    }

    /// A matrix from rows one after the other; `values` holds rows × columns numbers.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    fn matrix(&self, values: &[f32], rows: usize, columns: usize) -> Result<Matrix<Self>, Error> {
        assert_eq!(values.len(), rows * columns, "values of a {rows} × {columns} matrix");
        let mut matrix: Matrix<Self> = self.try_zeros_like(&(rows, columns)).map_err(failed::<Self>)?;
        matrix.copy_from(values);
        Ok(matrix)
    }

    /// A cube from matrices one after the other; `values` holds members × rows × columns numbers.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    fn cube(
        &self,
        values: &[f32],
        (members, rows, columns): (usize, usize, usize),
    ) -> Result<Cube<Self>, Error> {
        assert_eq!(values.len(), members * rows * columns, "values of a cube");
        let mut cube: Cube<Self> = self.try_zeros_like(&(members, rows, columns)).map_err(failed::<Self>)?;
        cube.copy_from(values);
        Ok(cube)
    }

    /// Indices, for [`select`](super::MatrixOperations::select).
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    fn indices(&self, values: &[usize]) -> Result<Indices<Self>, Error> {
        self.try_tensor_from_vec(values.to_vec(), (values.len(),)).map_err(failed::<Self>)
    }
}

/// The error of a device that failed.
pub(crate) fn failed<D: Device>(reason: D::Err) -> Error {
    Error::Device { device: D::NAME, reason: reason.to_string() }
}

impl Device for Cpu {
    const NAME: &'static str = "cpu";
    const ON_HOST: bool = true;

    fn open() -> Result<Self, Error> {
        let device = Cpu::default();
        device.try_enable_cache().map_err(failed::<Self>)?;
        Ok(device)
    }

    fn host_slice(storage: &mut <Self as Storage<f32>>::Vec) -> Option<&mut [f32]> {
        Some(storage)
    }
}
