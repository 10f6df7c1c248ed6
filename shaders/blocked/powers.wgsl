// What the blocks of the almost-linear form apply, from the parameters, once an optimiser step:
//   B = diag(A) + W,  B^e by the products of `cut`,  W~ = [W_P | C]
//   G_j = O B^j (j = 0..J)    K_l = G_l W~, c_j = sum over i < j of G_i h     (l < J)
//   R_l = B^l W~ (l < LE, transposed: R_l' = R_{l-1}' B')    g_e = sum over i < e of B^i h
// h is a last column beside W~, so K and R hold G_l h and B^l h too.
//
// Workgroup = member; products.rs lists the products. G and B^e are also kept
// transposed, which is how forward.wgsl reads them. Writes the first part of `powers` (=).
#import params
#import index
#import blocked
#import multiply

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> status: array<Status>;
@group(0) @binding(2) var<storage, read> theta: array<f32>;
@group(0) @binding(3) var<storage, read> cut: array<vec4<u32>>;
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

@compute @workgroup_size(THREADS)
fn main(
    @builtin(local_invocation_index) lid: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let at = linear_workgroup(group, groups);
    let e = min(at, arrayLength(&status) - 1);
    if at >= arrayLength(&status) || status[e].stopped_at != 0 {
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
    #end
    #end
    #if LINEAR
    for (var k = lid; k < M * J * NO; k += THREADS) {
        let row = k % (J * NO);
        powers[base + GN_AT + k] = powers[base + G_AT + ((row / NO + 1) * Y + row % NO) * M + k / (J * NO)];
    }
    #end
    for (var end = 0u; end < ENDS; end++) {
        let of_end = cut[BLOCKS + MATRICES + end];
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
}
