//! Matrix products of the sizes that small networks have.
//!
//! A tile of the result is kept in registers while it runs along the inner dimension: each step
//! takes one packed line of the right operand and one number per row of the left. The right operand
//! is packed panel by panel into a buffer of the caller's, so that a product allocates nothing. The
//! instruction set is detected at run time. Every entry is summed in the order of the inner
//! dimension, whatever the tile: the same row gives the same bits in any batch, on one kind of
//! processor.
//!
//! It is written here because a general library is no faster at these sizes, is called through raw
//! pointers, and allocates in every product.

use std::ops::Range;

use pulp::{Arch, NullaryFnOnce, Simd, WithSimd};

/// A row-major matrix with `columns` columns, as it is or transposed.
#[derive(Clone, Copy)]
pub(super) struct Operand<'a> {
    values: &'a [f32],
    columns: usize,
    transposed: bool,
}

impl<'a> Operand<'a> {
    /// The matrix as it is stored.
    pub(super) fn plain(values: &'a [f32], columns: usize) -> Self {
        Operand { values, columns, transposed: false }
    }

    /// The transpose of this matrix.
    pub(super) fn transpose(self) -> Self {
        Operand { transposed: !self.transposed, ..self }
    }

    fn assert_holds(&self, rows: usize, columns: usize) {
        let (rows, columns) = if self.transposed { (columns, rows) } else { (rows, columns) };
        assert!(columns == self.columns && rows * columns <= self.values.len(), "operand of a product");
    }
}

/// What the product is added to.
#[derive(Clone, Copy)]
pub(super) enum Start<'a> {
    /// Nothing.
    Zero,
    /// This row, in every row.
    Row(&'a [f32]),
    /// What the destination holds.
    Destination,
}

/// result ← start + lhs · rhs for an (m, k) and a (k, n) matrix; `scratch` is used for packing.
pub(super) fn product(
    (m, k, n): (usize, usize, usize),
    lhs: Operand<'_>,
    rhs: Operand<'_>,
    start: Start<'_>,
    scratch: &mut Vec<f32>,
    result: &mut [f32],
) {
    lhs.assert_holds(m, k);
    rhs.assert_holds(k, n);
    assert!(m * n <= result.len(), "result of a product");
    if let Start::Row(row) = start {
        assert_eq!(row.len(), n, "row that a product starts from");
    }
    if k == 0 {
        // An empty batch: nothing to add.
        for result in result[..m * n].chunks_exact_mut(n.max(1)) {
            match start {
                Start::Zero => result.fill(0.0),
                Start::Row(row) => result.copy_from_slice(row),
                Start::Destination => (),
            }
        }
    } else if m * n > 0 {
        Arch::new().dispatch(Product { m, k, n, lhs, rhs, start, scratch, result });
    }
}

/// Results with at most this many columns are calculated by dot products.
const NARROW: usize = 4;

/// Numbers that surely fit the innermost cache beside everything else that a tile touches: a right
/// operand of this size is read where it is.
const UNPACKED: usize = 4096;

struct Product<'a> {
    m: usize,
    k: usize,
    n: usize,
    lhs: Operand<'a>,
    rhs: Operand<'a>,
    start: Start<'a>,
    scratch: &'a mut Vec<f32>,
    result: &'a mut [f32],
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match (self.n, self.lhs.transposed) {
            (1, false) => simd.vectorize(Dots::<S, 1> { simd, product: self }),
            (2, false) => simd.vectorize(Dots::<S, 2> { simd, product: self }),
            (3, false) => simd.vectorize(Dots::<S, 3> { simd, product: self }),
            (NARROW, false) => simd.vectorize(Dots::<S, NARROW> { simd, product: self }),
            (1, true) => simd.vectorize(Columns::<S, 1> { simd, product: self }),
            (2, true) => simd.vectorize(Columns::<S, 2> { simd, product: self }),
            (3, true) => simd.vectorize(Columns::<S, 3> { simd, product: self }),
            (NARROW, true) => simd.vectorize(Columns::<S, NARROW> { simd, product: self }),
            _ => self.panels(simd),
        }
    }
}

/// Lines of the right operand: line p is `vectors[p * stride + offset..]`.
#[derive(Clone, Copy)]
struct Panel<'a, V> {
    vectors: &'a [V],
    stride: usize,
    offset: usize,
}

impl Product<'_> {
    /// The general case: panels of two vectors of columns.
    #[inline(always)]
    fn panels<S: Simd>(mut self, simd: S) {
        let (k, n, lanes) = (self.k, self.n, S::F32_LANES);
        let width = 2 * lanes;
        let in_place = !self.rhs.transposed
            && n.is_multiple_of(lanes)
            && (self.m <= most_rows::<S>() || k * n <= UNPACKED);
        let mut packed = std::mem::take(self.scratch);
        if !in_place && packed.len() < k * width {
            packed.resize(k * width, 0.0);
        }
        for first in (0..n).step_by(width) {
            let columns = first..n.min(first + width);
            let panel = if in_place {
                let vectors = S::as_simd_f32s(&self.rhs.values[..k * n]).0;
                Panel { vectors, stride: n / lanes, offset: first / lanes }
            } else {
                simd.vectorize(Pack {
                    rhs: self.rhs,
                    k,
                    columns: columns.clone(),
                    width,
                    packed: &mut packed,
                });
                Panel { vectors: S::as_simd_f32s(&packed).0, stride: 2, offset: 0 }
            };
            if columns.len() > lanes {
                self.rows::<S, 2>(simd, panel, columns);
            } else {
                self.rows::<S, 1>(simd, panel, columns);
            }
        }
        *self.scratch = packed;
    }

    /// All rows of one panel of V vectors: as many as possible in the largest tiles.
    #[inline(always)]
    fn rows<S: Simd, const V: usize>(&mut self, simd: S, panel: Panel<'_, S::f32s>, columns: Range<usize>) {
        let mut done = 0;
        for size in [8, 4, 2, 1] {
            if size > most_rows::<S>() {
                continue;
            }
            let rows = done..done + (self.m - done) / size * size;
            done = rows.end;
            match size {
                _ if rows.is_empty() => (),
                8 => self.tiles::<S, 8, V>(simd, panel, rows, columns.clone()),
                4 => self.tiles::<S, 4, V>(simd, panel, rows, columns.clone()),
                2 => self.tiles::<S, 2, V>(simd, panel, rows, columns.clone()),
                _ => self.tiles::<S, 1, V>(simd, panel, rows, columns.clone()),
            }
        }
    }

    #[inline(always)]
    fn tiles<S: Simd, const R: usize, const V: usize>(
        &mut self,
        simd: S,
        panel: Panel<'_, S::f32s>,
        rows: Range<usize>,
        columns: Range<usize>,
    ) {
        let start = match self.start {
            Start::Zero => Start::Zero,
            Start::Row(start) => Start::Row(&start[columns.clone()]),
            Start::Destination => Start::Destination,
        };
        let (k, n, lhs) = (self.k, self.n, self.lhs);
        simd.vectorize(Tiles::<S, R, V> {
            simd,
            k,
            n,
            lhs,
            panel,
            rows,
            columns,
            start,
            result: self.result,
        });
    }
}

/// Few columns, the left operand's rows contiguous: dot products, four rows at a time.
struct Dots<'a, S: Simd, const N: usize> {
    simd: S,
    product: Product<'a>,
}

impl<S: Simd, const N: usize> NullaryFnOnce for Dots<'_, S, N> {
    type Output = ();

    #[inline(always)]
    fn call(mut self) {
        let Product { m, k, rhs, ref mut scratch, .. } = self.product;
        let mut packed = std::mem::take(*scratch);
        if packed.len() < k * N {
            packed.resize(k * N, 0.0);
        }
        if rhs.transposed {
            packed[..k * N].copy_from_slice(&rhs.values[..k * N]);
        } else {
            for (p, line) in rhs.values[..k * N].chunks_exact(N).enumerate() {
                for (j, &x) in line.iter().enumerate() {
                    packed[j * k + p] = x;
                }
            }
        }
        let whole = m / 4 * 4;
        for row in (0..whole).step_by(4) {
            self.rows::<4>(&packed, row);
        }
        for row in whole..m {
            self.rows::<1>(&packed, row);
        }
        *self.product.scratch = packed;
    }
}

impl<S: Simd, const N: usize> Dots<'_, S, N> {
    #[inline(always)]
    fn rows<const R: usize>(&mut self, packed: &[f32], row: usize) {
        let Dots { simd, product } = self;
        let k = product.k;
        let whole = k / S::F32_LANES * S::F32_LANES;
        let columns: [(&[f32], &[f32]); N] = std::array::from_fn(|j| packed[j * k..][..k].split_at(whole));
        let rows: [(&[f32], &[f32]); R] =
            std::array::from_fn(|r| product.lhs.values[(row + r) * k..][..k].split_at(whole));
        let lines: [&[S::f32s]; N] = columns.map(|(head, _)| S::as_simd_f32s(head).0);
        let numbers: [&[S::f32s]; R] = rows.map(|(head, _)| S::as_simd_f32s(head).0);
        let mut sums = [[simd.splat_f32s(0.0); N]; R];
        for p in 0..whole / S::F32_LANES {
            for r in 0..R {
                for j in 0..N {
                    sums[r][j] = simd.mul_add_e_f32s(numbers[r][p], lines[j][p], sums[r][j]);
                }
            }
        }
        for (r, sums) in sums.into_iter().enumerate() {
            let results = &mut product.result[(row + r) * N..][..N];
            for (j, (result, sum)) in results.iter_mut().zip(sums).enumerate() {
                let tail: f32 = rows[r].1.iter().zip(columns[j].1).map(|(a, b)| a * b).sum();
                let start = match product.start {
                    Start::Zero => 0.0,
                    Start::Row(start) => start[j],
                    Start::Destination => *result,
                };
                *result = start + (simd.reduce_sum_f32s(sum) + tail);
            }
        }
    }
}

/// Few columns, the left operand's columns contiguous: the transposed result, N rows by four vectors.
struct Columns<'a, S: Simd, const N: usize> {
    simd: S,
    product: Product<'a>,
}

impl<S: Simd, const N: usize> NullaryFnOnce for Columns<'_, S, N> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        const VECTORS: usize = 4;
        let Columns { simd, product: Product { m, k, lhs, rhs, start, scratch, result, .. } } = self;
        let lanes = S::F32_LANES;
        let width = VECTORS * lanes;
        if scratch.len() < width {
            scratch.resize(width, 0.0);
        }
        let stored = || lhs.values[..k * m].chunks_exact(m).enumerate();
        let at = |p: usize, j: usize| if rhs.transposed { j * k + p } else { p * N + j };
        for row in (0..m).step_by(width) {
            let rows = width.min(m - row);
            let mut sums = [[simd.splat_f32s(0.0); VECTORS]; N];
            if rows == width {
                for (p, numbers) in stored() {
                    let x: &[S::f32s; VECTORS] = part(S::as_simd_f32s(&numbers[row..row + width]).0, 0);
                    for (j, sums) in sums.iter_mut().enumerate() {
                        let y = simd.splat_f32s(rhs.values[at(p, j)]);
                        for v in 0..VECTORS {
                            sums[v] = simd.mul_add_e_f32s(x[v], y, sums[v]);
                        }
                    }
                }
            } else {
                for (p, numbers) in stored() {
                    let numbers = &numbers[row..row + rows];
                    for v in 0..VECTORS {
                        let x = simd.partial_load_f32s(&numbers[rows.min(v * lanes)..]);
                        for (j, sums) in sums.iter_mut().enumerate() {
                            let y = simd.splat_f32s(rhs.values[at(p, j)]);
                            sums[v] = simd.mul_add_e_f32s(x, y, sums[v]);
                        }
                    }
                }
            }
            for (j, sums) in sums.into_iter().enumerate() {
                S::as_mut_simd_f32s(&mut scratch[..width]).0.copy_from_slice(&sums);
                for (result, &sum) in result[row * N..][..rows * N].chunks_exact_mut(N).zip(&*scratch) {
                    result[j] = sum
                        + match start {
                            Start::Zero => 0.0,
                            Start::Row(start) => start[j],
                            Start::Destination => result[j],
                        };
                }
            }
        }
    }
}

/// The most rows that a tile of two vectors can have before its sums no longer fit the registers.
#[inline(always)]
const fn most_rows<S: Simd>() -> usize {
    if S::REGISTER_COUNT >= 32 { 8 } else { 4 }
}

/// Some rows of one panel, R at a time: a function of its own, compiled alone, so that the sums of a
/// tile (R rows by V vectors) stay in registers.
struct Tiles<'a, S: Simd, const R: usize, const V: usize> {
    simd: S,
    k: usize,
    n: usize,
    lhs: Operand<'a>,
    panel: Panel<'a, S::f32s>,
    rows: Range<usize>,
    columns: Range<usize>,
    start: Start<'a>,
    result: &'a mut [f32],
}

impl<S: Simd, const R: usize, const V: usize> NullaryFnOnce for Tiles<'_, S, R, V> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Tiles { simd, k, n, lhs, panel, rows, columns, start, result } = self;
        let lanes = S::F32_LANES;
        let mut begin = [simd.splat_f32s(0.0); V];
        if let Start::Row(start) = start {
            for v in 0..V {
                begin[v] = simd.partial_load_f32s(&start[v * lanes..columns.len().min((v + 1) * lanes)]);
            }
        }
        let add = matches!(start, Start::Destination);
        for row in rows.step_by(R) {
            let mut sums = [begin; R];
            let lines = panel.vectors.chunks_exact(panel.stride);
            if lhs.transposed {
                let stored = lhs.values[..k * lhs.columns].chunks_exact(lhs.columns);
                for (numbers, line) in stored.zip(lines) {
                    let line: &[S::f32s; V] = part(line, panel.offset);
                    let numbers: &[f32; R] = part(numbers, row);
                    for r in 0..R {
                        let x = simd.splat_f32s(numbers[r]);
                        for v in 0..V {
                            sums[r][v] = simd.mul_add_e_f32s(x, line[v], sums[r][v]);
                        }
                    }
                }
            } else {
                let rows: [&[f32]; R] = std::array::from_fn(|r| &lhs.values[(row + r) * k..][..k]);
                for (p, line) in (0..k).zip(lines) {
                    let line: &[S::f32s; V] = part(line, panel.offset);
                    for r in 0..R {
                        let x = simd.splat_f32s(rows[r][p]);
                        for v in 0..V {
                            sums[r][v] = simd.mul_add_e_f32s(x, line[v], sums[r][v]);
                        }
                    }
                }
            }
            let results = result[row * n..(row + R) * n].chunks_exact_mut(n);
            for (result, sums) in results.zip(sums) {
                let result = &mut result[columns.clone()];
                if result.len() == V * lanes {
                    for (result, sum) in S::as_mut_simd_f32s(result).0.iter_mut().zip(sums) {
                        *result = if add { simd.add_f32s(*result, sum) } else { sum };
                    }
                } else {
                    for (result, sum) in result.chunks_mut(lanes).zip(sums) {
                        let old = if add { simd.partial_load_f32s(result) } else { simd.splat_f32s(0.0) };
                        simd.partial_store_f32s(result, simd.add_f32s(old, sum));
                    }
                }
            }
        }
    }
}

/// `N` entries from `first`.
#[inline(always)]
fn part<T, const N: usize>(slice: &[T], first: usize) -> &[T; N] {
    match slice[first..].first_chunk() {
        Some(part) => part,
        None => panic!("entries {first} to {} of {}", first + N, slice.len()),
    }
}

/// Copies some columns of the right operand into lines of `width` numbers.
struct Pack<'a> {
    rhs: Operand<'a>,
    k: usize,
    columns: Range<usize>,
    width: usize,
    packed: &'a mut [f32],
}

impl NullaryFnOnce for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        /// The side of the blocks that are transposed in registers.
        const SIDE: usize = 4;
        let Pack { rhs, k, columns, width, packed } = self;
        if !rhs.transposed {
            let stored = rhs.values[..k * rhs.columns].chunks_exact(rhs.columns);
            for (line, packed) in stored.zip(packed.chunks_exact_mut(width)) {
                packed[..columns.len()].copy_from_slice(&line[columns.clone()]);
            }
            return;
        }
        let stored = |j: usize| &rhs.values[(columns.start + j) * k..][..k];
        let whole = columns.len() / SIDE * SIDE;
        for j in (0..whole).step_by(SIDE) {
            let rows: [&[f32]; SIDE] = std::array::from_fn(|i| stored(j + i));
            for p in (0..k / SIDE * SIDE).step_by(SIDE) {
                let block: [&[f32; SIDE]; SIDE] = std::array::from_fn(|i| part(rows[i], p));
                for c in 0..SIDE {
                    let line: [f32; SIDE] = std::array::from_fn(|i| block[i][c]);
                    packed[(p + c) * width + j..][..SIDE].copy_from_slice(&line);
                }
            }
            for p in k / SIDE * SIDE..k {
                let line: [f32; SIDE] = std::array::from_fn(|i| rows[i][p]);
                packed[p * width + j..][..SIDE].copy_from_slice(&line);
            }
        }
        for j in whole..columns.len() {
            for (packed, &x) in packed[j..].iter_mut().step_by(width).zip(stored(j)) {
                *packed = x;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_sum_of_products_for_every_shape_and_transposition(
            m in 1usize..40, k in 0usize..50, n in 1usize..75,
            lhs_transposed in any::<bool>(), rhs_transposed in any::<bool>(), start in 0usize..3,
            seed in 1u32..1000,
        ) {
            let number = |i: usize| ((i as u32).wrapping_mul(seed).wrapping_mul(2_654_435_761) >> 24) as f32 / 64.0;
            let values = |count: usize, offset: usize| -> Vec<f32> { (0..count).map(|i| number(i + offset)).collect() };
            let (a, b, row, old) = (values(m * k, 0), values(k * n, 7), values(n, 3), values(m * n, 5));
            let lhs = if lhs_transposed { Operand::plain(&a, m).transpose() } else { Operand::plain(&a, k) };
            let rhs = if rhs_transposed { Operand::plain(&b, k).transpose() } else { Operand::plain(&b, n) };
            let start = [Start::Zero, Start::Row(&row), Start::Destination][start];
            let mut result = old.clone();
            product((m, k, n), lhs, rhs, start, &mut vec![f32::NAN; 3], &mut result);
            for i in 0..m {
                for j in 0..n {
                    let mut expected = match start {
                        Start::Zero => 0.0,
                        Start::Row(row) => row[j],
                        Start::Destination => old[i * n + j],
                    };
                    for p in 0..k {
                        let x = if lhs_transposed { a[p * m + i] } else { a[i * k + p] };
                        let y = if rhs_transposed { b[j * k + p] } else { b[p * n + j] };
                        expected += x * y;
                    }
                    // The numbers are multiples of 1/64 and small: every order of summing is exact.
                    prop_assert_eq!(result[i * n + j], expected);
                }
            }
        }
    }
}
