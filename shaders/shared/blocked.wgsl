// The almost-linear form. A member's windows are cut into BLOCKS blocks of unforced steps, at most LENGTH long;
// B = diag(A) + W, O picks the Y units looked at (the NO observed ones that are linear, then the P ReLU units), and a
// step is driven by the D numbers v = [max(-z_P, 0) ; s]. src/backend/blocked/segments.rs cuts, src/backend/gpu/layout/blocked.rs says
// where things lie (the constants *_AT):
//   table  [BLOCKS] (start, length, steps looked at, end + 1 or 0), then [MATRICES] (end + 1 or 0, -, -, -): B and
//          the B^e made of it; then [ENDS] (length, matrix, -, -); then the products of multiply.wgsl
//   powers [E] of POWERS floats: the matrices, the ends' transposes, [W~ | h], G_j, K_l, c_j, R_l, g, L; then
//          their gradients
//   states [E][Q] of STATES vec4: z~ [BLOCKS][M], z_P [T][P] before the cut at 0, residuals [T][N] of t = 1..T
//   back   [E][Q] of BACK vec4: gradients y- of y [BLOCKS][J][Y] and Lambda of the blocks' ends [BLOCKS][M]
// Sums over blocks collect in [E][SLICES][LEFT][RIGHT] floats (collect.wgsl).

// Columns of [W~ | h].
const H: u32 = D + 1;

// The unit that is looked at in place q.
fn looked_at(q: u32) -> u32 {
    return select(q + M - Y, q, q < NO);
}

// u = max(-z, 0), so written that NaN comes through.
fn rectified(z: vec4<f32>) -> vec4<f32> {
    return max(z, vec4(0.0)) - z;
}
