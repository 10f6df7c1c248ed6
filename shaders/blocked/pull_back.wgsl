// From the sums of collect.wgsl to the gradients of the parameters, back through powers.wgsl. A' is the transpose of A,
// d_ the gradient of _ :
//   d[B^a] += d[B^e] (B^b)',  d[B^b] += (B^a)' d[B^e]                for each product B^e = B^a B^b, the last first
//   dR_{l-1} += B' dR_l,      dB += dR_l R_{l-1}'                    l = LE-1 .. 1; dR_l holds dg of the longer ends
//   dG_l += dK_l [W~ | h]',   dG_{j-1} += dG_j B',  dB += G_{j-1}' dG_j   dK_l holds dc of the later steps
//   d[W~ | h] = dR_0 + sum of G_l' dK_l;   dA = diag dB,  dW = dB + its columns of d[W~ | h],  dh, dC the rest of it
//
// Workgroup = member; products.rs lists the products, slices are summed in order. Uses the second part of
// `powers`. Writes dA, dW, dh, dC as one partial gradient where `update` looks for them, and 0 for the other groups'
// (=); dL is there already.
#include "shared/params.wgsl"
#include "shared/index.wgsl"
#include "shared/blocked.wgsl"
#include "shared/multiply.wgsl"

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> status: array<Status>;
@group(0) @binding(2) var<storage, read> table: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> sums: array<f32>;
@group(0) @binding(4) var<storage, read_write> powers: array<f32>;
@group(0) @binding(5) var<storage, read_write> partial: array<f32>;

fn collected(e: u32, row: u32, column: u32) -> f32 {
    var sum = 0.0;
    for (var slice = 0u; slice < SLICES; slice++) {
        sum += sums[((e * SLICES + slice) * LEFT + row) * RIGHT + column];
    }
    return sum;
}

// The column of `sums` that drive d of step i takes; d = D is the constant.
fn drive_column(i: u32, d: u32) -> u32 {
    return select(M + 1 + i * D + d, M, d == D);
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(local_invocation_index) lid: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let at = linear_workgroup(group, groups);
    let e = min(at, arrayLength(&status) - 1);
    if at >= arrayLength(&status) || !takes_part(status[e]) {
        return;
    }
    let base = e * POWERS;
    let dB = base + D_AT;

    for (var k = lid; k < MATRICES * M * M; k += THREADS) {
        let end = table[BLOCKS + k / (M * M)].x;
        var sum = 0.0;
        if end > 0 {
            sum = collected(e, J * Y + (end - 1) * M + k / M % M, k % M);
        }
        powers[dB + k] = sum;
    }
    for (var k = lid; k < J * Y * M; k += THREADS) {
        powers[base + DG_AT + Y * M + k] = collected(e, k / M, k % M);
    }
    for (var k = lid; k < J * Y * H; k += THREADS) {
        let l = k / (Y * H);
        let q = k / H % Y;
        var sum = 0.0;
        for (var j = l + 1; j <= J; j++) {
            sum += collected(e, (j - 1) * Y + q, drive_column(j - 1 - l, k % H));
        }
        powers[base + DK_AT + k] = sum;
    }
    for (var k = lid; k < max(LE, 1u) * H * M; k += THREADS) {
        let l = k / (H * M);
        var sum = 0.0;
        for (var end = 0u; end < ENDS; end++) {
            let length = table[BLOCKS + MATRICES + end].x;
            if l < length {
                sum += collected(e, J * Y + end * M + k % M, drive_column(length - 1 - l, k / M % H));
            }
        }
        powers[base + DR_AT + k] = sum;
    }
    storageBarrier();

    multiply_all(lid, base, PULL_AT, PULL);

    let parts = e * PARTIAL;
    for (var k = lid; k < M * M; k += THREADS) {
        var sum = powers[dB + k];
        let j = k % M;
        if j >= M - P {
            sum += powers[base + DR_AT + (j + P - M) * M + k / M];
        }
        partial[parts + k] = sum;
    }
    for (var k = lid; k < GROUPS * M; k += THREADS) {
        let i = k % M;
        let first = k < M;
        let other = parts + GW * M * M + k / M * N_OTHER;
        partial[other + i] = select(0.0, powers[dB + i * (M + 1)], first);
        partial[other + OTHER_H + i] = select(0.0, powers[base + DR_AT + D * M + i], first);
        for (var c = 0u; c < K; c++) {
            partial[other + OTHER_C + i * K + c] = select(0.0, powers[base + DR_AT + (P + c) * M + i], first);
        }
    }
}
