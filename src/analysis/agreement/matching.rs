//! Which of one model's things are which of another's.

use ndarray::Array2;
use pathfinding::kuhn_munkres::kuhn_munkres;
use pathfinding::matrix::Matrix;

/// Pairs `(row, column)` of the largest total weight in which every row and every column occurs once at most; as many as
/// the shorter side has, without those of weight 0. By row.
pub fn heaviest(weights: &Array2<i64>) -> Vec<(usize, usize)> {
    let (rows, columns) = weights.dim();
    if rows == 0 || columns == 0 {
        return Vec::new();
    }
    // The algorithm asks for no more rows than columns.
    let flip = rows > columns;
    let turned = if flip { weights.t() } else { weights.view() };
    let matrix = Matrix::from_vec(turned.nrows(), turned.ncols(), turned.iter().copied().collect())
        .expect("one value for each place");
    let (_, chosen) = kuhn_munkres(&matrix);
    let pairs = chosen.into_iter().enumerate();
    let mut pairs: Vec<_> = pairs.map(|(i, j)| if flip { (j, i) } else { (i, j) }).collect();
    pairs.retain(|&pair| weights[pair] > 0);
    pairs.sort_unstable();
    pairs
}

/// Rows that have symbol `i` in one list and `j` in the other, `[symbols of a, symbols of b]`.
pub fn overlaps(a: &[u32], b: &[u32]) -> Array2<i64> {
    let size = |symbols: &[u32]| symbols.iter().max().map_or(0, |&most| most as usize + 1);
    let mut counts = Array2::zeros((size(a), size(b)));
    for (&i, &j) in a.iter().zip(b) {
        counts[[i as usize, j as usize]] += 1;
    }
    counts
}

/// Euclidean, in units of `scale`.
pub fn distance(a: &[f64], b: &[f64], scale: &[f64]) -> f64 {
    let squares = a
        .iter()
        .zip(b)
        .zip(scale)
        .map(|((a, b), scale)| ((a - b) / scale).powi(2));
    squares.sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    /// Taking the largest first (9, then 0) would be worth 9.
    #[test]
    fn the_whole_counts_and_not_the_first() {
        let weights = array![[9, 8, 0], [8, 0, 0]];
        assert_eq!(heaviest(&weights), [(0, 1), (1, 0)]);
        assert_eq!(heaviest(&weights.t().to_owned()), [(0, 1), (1, 0)]);
        assert_eq!(heaviest(&array![[0, 0], [0, 3]]), [(1, 1)]);
        assert_eq!(heaviest(&Array2::zeros((0, 3))), []);
        assert_eq!(
            overlaps(&[0, 0, 1, 2], &[1, 1, 0, 1]),
            array![[0, 2], [1, 0], [0, 1]]
        );
    }
}
