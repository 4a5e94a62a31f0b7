//! Linear systems of a matrix that is known only by its products.

/// Solves A x = b by the method of conjugate gradients (Hestenes and Stiefel 1952), from x = 0.
///
/// `apply` writes A v for a vector v; A is symmetric and positive definite. At most `iterations`
/// products are taken; it ends earlier where the squared norm of the residual falls below
/// `tolerance`. The buffers are reused from one solution to the next.
#[derive(Debug, Default)]
pub struct ConjugateGradient {
    residual: Vec<f32>,
    direction: Vec<f32>,
    product: Vec<f32>,
}

impl ConjugateGradient {
    /// Writes the solution to `x` and returns the squared norm of what is left of b − A x.
    pub fn solve(
        &mut self,
        mut apply: impl FnMut(&[f32], &mut [f32]),
        b: &[f32],
        iterations: usize,
        tolerance: f64,
        x: &mut [f32],
    ) -> f64 {
        let ConjugateGradient { residual, direction, product } = self;
        x.fill(0.0);
        residual.clear();
        residual.extend_from_slice(b);
        direction.clone_from(residual);
        product.resize(b.len(), 0.0);
        let mut remaining = dot(residual, residual);
        for _ in 0..iterations {
            if remaining < tolerance {
                break;
            }
            apply(direction, product);
            let step = (remaining / dot(direction, product)) as f32;
            add_scaled(x, step, direction);
            add_scaled(residual, -step, product);
            let before = std::mem::replace(&mut remaining, dot(residual, residual));
            let ratio = (remaining / before) as f32;
            for (d, r) in direction.iter_mut().zip(&*residual) {
                *d = r + ratio * *d;
            }
        }
        remaining
    }
}

/// The inner product, summed in double precision.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

/// `x` ← `x` + `factor` · `direction`.
pub fn add_scaled(x: &mut [f32], factor: f32, direction: &[f32]) {
    for (x, d) in x.iter_mut().zip(direction) {
        *x += factor * d;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_environments::random::Seed;
    use rand::Rng;

    /// A = B Bᵀ + I, written out.
    fn random_matrix(n: usize, seed: u64) -> Vec<f32> {
        let mut rng = Seed::new(seed).stream("matrix");
        let b: Vec<f32> = (0..n * n).map(|_| rng.random_range(-1.0..1.0)).collect();
        let mut a = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..n {
                let product: f32 = (0..n).map(|k| b[i * n + k] * b[j * n + k]).sum();
                a[i * n + j] = product + if i == j { 1.0 } else { 0.0 };
            }
        }
        a
    }

    fn multiply(a: &[f32], x: &[f32], product: &mut [f32]) {
        for (p, row) in product.iter_mut().zip(a.chunks_exact(x.len())) {
            *p = row.iter().zip(x).map(|(a, x)| a * x).sum();
        }
    }

    #[test]
    fn as_many_products_as_there_are_unknowns_solve_the_system() {
        let mut solver = ConjugateGradient::default();
        for n in [1, 2, 5, 12] {
            let a = random_matrix(n, n as u64);
            let solution: Vec<f32> = (0..n).map(|i| i as f32 - 2.5).collect();
            let mut b = vec![0.0; n];
            multiply(&a, &solution, &mut b);
            let mut x = vec![f32::NAN; n];
            let remaining = solver.solve(|v, p| multiply(&a, v, p), &b, 2 * n, 1e-12, &mut x);
            assert!(remaining < 1e-6, "{remaining}");
            for (x, s) in x.iter().zip(&solution) {
                assert!((x - s).abs() < 1e-3, "{x} {s}");
            }
        }
    }

    #[test]
    fn a_zero_right_hand_side_takes_no_product_and_gives_zero() {
        let mut x = [1.0; 3];
        let remaining = ConjugateGradient::default().solve(
            |_, _| panic!("a product was taken"),
            &[0.0; 3],
            10,
            1e-10,
            &mut x,
        );
        assert_eq!((x, remaining), ([0.0; 3], 0.0));
    }
}
