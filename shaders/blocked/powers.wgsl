// What the blocks of the almost-linear form apply, from the parameters, once an optimiser step:
//   B = diag(A) + W,  B^e by the products of `table`,  W~ = [W_P | C]
//   G_j = O B^j (j = 0..J)    K_l = G_l W~, c_j = sum over i < j of G_i h     (l < J)
//   R_l = B^l W~ (l < LE, transposed: R_l' = R_{l-1}' B')    g_e = sum over i < e of B^i h
// h is a last column beside W~, so K and R hold G_l h and B^l h too.
//
// Workgroup = member; products.rs lists the products. G and B^e are also kept
// transposed, which is how forward.wgsl reads them. Writes the first part of `powers` (=).
//
// Where a row of what a state is a product with grows beyond MOST_GROWTH (src/backend/blocked/mod.rs says why), the step is computed
// in the other form: writes `form` (=) where there is one (GUARDED).
#include "shared/params.wgsl"
#include "shared/index.wgsl"
#include "shared/blocked.wgsl"
#include "shared/multiply.wgsl"
#include "shared/reduce.wgsl"

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> status: array<Status>;
@group(0) @binding(2) var<storage, read> theta: array<f32>;
@group(0) @binding(3) var<storage, read> table: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read_write> powers: array<f32>;

// Entry (i, c) of [W~ | h].
fn drive_weight(parameters: u32, i: u32, c: u32) -> f32 {
    if c < P {
        return theta[parameters + W_AT + i * M + M - P + c];
    }
    if c < D {
        return theta[parameters + C_AT + i * K + c - P];
    }
    return theta[parameters + H_AT + i];
}

// Whether a sum of squares is that of a row that has grown too far.
fn too_large(square: f32) -> bool {
    return not_finite(square) || square > f32(MOST_GROWTH * MOST_GROWTH);
}

// Sum of the squares of `count` numbers.
fn squares(first: u32, step: u32, count: u32) -> f32 {
    var sum = 0.0;
    for (var k = 0u; k < count; k++) {
        let value = powers[first + k * step];
        sum = fma(value, value, sum);
    }
    return sum;
}

// Whether any of this thread's rows has grown too far.
fn grown(lid: u32, base: u32) -> bool {
    var large = false;
    // [G_j | K_{j-1} .. K_0 | c_j]
    for (var row = lid; row < J * Y; row += THREADS) {
        var sum = squares(base + CC_AT + row, 1, 1) + squares(base + G_AT + (Y + row) * M, 1, M);
        for (var before = row % Y; before <= row; before += Y) {
            sum += squares(base + K_AT + before * H, 1, D);
        }
        large = large || too_large(sum);
    }
    for (var row = lid + M; row < MATRICES * M; row += THREADS) {
        large = large || too_large(squares(base + B_AT + row * M, 1, M));
    }
    // [B^e | R_{e-1} .. R_0 | g_e]
    for (var k = lid; k < ENDS * M; k += THREADS) {
        let end = k / M;
        var sum = squares(base + GE_AT + k, 1, 1) + squares(base + ET_AT + end * M * M + k % M, M, M);
        for (var l = 0u; l < table[BLOCKS + MATRICES + end].x; l++) {
            sum += squares(base + RT_AT + l * H * M + k % M, M, D);
        }
        large = large || too_large(sum);
    }
    return large;
}

var<workgroup> idle: u32;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(local_invocation_index) lid: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let at = linear_workgroup(group, groups);
    let e = min(at, arrayLength(&status) - 1);
    // Through workgroup memory, so that barriers below are seen to be reached by all or none.
    if lid == 0 {
        let before = status[e];
        let mine = select(takes_part(before), before.stopped_at == 0, FORM == 0);
        idle = select(1u, 0u, at < arrayLength(&status) && mine);
    }
    if workgroupUniformLoad(&idle) == 1 {
        return;
    }
    let base = e * POWERS;
    let parameters = e * N_PARAMS;

    for (var k = lid; k < M * M; k += THREADS) {
        let diagonal = select(0.0, theta[parameters + k / M], k / M == k % M);
        powers[base + k] = theta[parameters + W_AT + k] + diagonal;
    }
    for (var k = lid; k < M * H; k += THREADS) {
        let weight = drive_weight(parameters, k / H, k % H);
        powers[base + WH_AT + k] = weight;
        if LE > 0 {
            powers[base + RT_AT + (k % H) * M + k / H] = weight;
        }
    }
    for (var k = lid; k < Y * M; k += THREADS) {
        powers[base + G_AT + k] = select(0.0, 1.0, k % M == looked_at(k / M));
    }
    for (var k = lid; k < (M - N) * N; k += THREADS) {
        powers[base + LL_AT + k] = theta[parameters + L_AT + k];
    }
    storageBarrier();

    multiply_all(lid, base, PREPARE_AT, PREPARE);

    #if STREAMED
    #if RELU
    for (var k = lid; k < M * J * P; k += THREADS) {
        let row = k % (J * P);
        powers[base + GP_AT + k] = powers[base + G_AT + ((row / P + 1) * Y + NO + row % P) * M + k / (J * P)];
    }
    #if FOLLOWED
    for (var k = lid; k < M * LE * P; k += THREADS) {
        let column = k % (LE * P);
        powers[base + R_AT + k] = powers[base + RT_AT + (column / P * H + column % P) * M + k / (LE * P)];
    }
    #endif
    #endif
    #if LINEAR
    for (var k = lid; k < M * J * NO; k += THREADS) {
        let row = k % (J * NO);
        powers[base + GN_AT + k] = powers[base + G_AT + ((row / NO + 1) * Y + row % NO) * M + k / (J * NO)];
    }
    #endif
    #endif
    for (var end = 0u; end < ENDS; end++) {
        let of_end = table[BLOCKS + MATRICES + end];
        let matrix = base + of_end.y * M * M;
        for (var k = lid; k < M * M; k += THREADS) {
            powers[base + ET_AT + end * M * M + k] = powers[matrix + (k % M) * M + k / M];
        }
        for (var m = lid; m < M; m += THREADS) {
            var sum = 0.0;
            for (var l = 0u; l < of_end.x; l++) {
                sum += powers[base + RT_AT + (l * H + D) * M + m];
            }
            powers[base + GE_AT + end * M + m] = sum;
        }
    }
    for (var q = lid; q < Y; q += THREADS) {
        var sum = 0.0;
        for (var j = 0u; j < J; j++) {
            sum += powers[base + K_AT + (j * Y + q) * H + D];
            powers[base + CC_AT + j * Y + q] = sum;
        }
    }
    #if GUARDED
    storageBarrier();
    let fall_back = workgroup_any(lid, grown(lid, base));
    if lid == 0 {
        status[e].form = select(0u, 1u, fall_back);
    }
    #endif
}
