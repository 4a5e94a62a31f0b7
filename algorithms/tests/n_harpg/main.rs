//! N-PG-IGT, HARPG and their baselines against what can be enumerated: all trajectories of small
//! problems, exact gradients and Hessians, and the Fisher information.

mod estimates;
mod methods;
mod problems;
mod theory;
