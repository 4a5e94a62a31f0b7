//! NVIDIA graphics cards, with the feature `cuda`.
//!
//! # What it needs
//! To compile: CUDA's compiler `nvcc` and `nvidia-smi` on the path (the build asks the latter for the
//! card's compute capability), and `CUDA_PATH` set to a folder with CUDA's `include` and `lib`. CUDA
//! 13.0 is known to compile; the toolkit must not be newer than the driver supports. Without an
//! installed toolkit, Python's package index has one:
//!
//! ```sh
//! pip install --no-deps --target cuda nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 \
//!     nvidia-cuda-crt==13.0.88 nvidia-cuda-runtime==13.0.96 nvidia-cuda-nvrtc==13.0.88 \
//!     nvidia-cublas==13.0.2.14 'nvidia-cuda-cccl<13.1' 'nvidia-curand<10.5'
//! export CUDA_PATH=$PWD/cuda/nvidia/cu13 PATH=$PWD/cuda/nvidia/cu13/bin:$PATH
//! ```
//!
//! These packages hold `libcublas.so.13` and their like without the plain names that a linker looks
//! for: link them once, `cd $CUDA_PATH/lib && for f in cublas cublasLt nvrtc; do ln -s lib$f.so.13
//! lib$f.so; done`. Where there is a card, the driver brings `libcuda.so`.
//!
//! To run: a driver for that CUDA version, and `LD_LIBRARY_PATH` with the folder of the libraries.
//!
//! # What to expect
//! Small networks are faster on the CPU: every operation on the card costs microseconds whatever its
//! size. Gains begin where batches and layers are large.

use dfdx::tensor::{Cache, Storage};

use super::device::{Device, failed};
use crate::Error;

pub use dfdx::tensor::Cuda;

impl Device for Cuda {
    const NAME: &'static str = "cuda";
    const ON_HOST: bool = false;

    fn open() -> Result<Self, Error> {
        let device = Cuda::try_build(0, 0).map_err(failed::<Self>)?;
        device.try_enable_cache().map_err(failed::<Self>)?;
        Ok(device)
    }

    fn host_slice(_: &mut <Self as Storage<f32>>::Vec) -> Option<&mut [f32]> {
        None
    }
}
