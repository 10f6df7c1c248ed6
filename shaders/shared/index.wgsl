// Where things lie. A *quad* is four sequences, the lanes of a vec4; quad `e * Q + q` holds the sequences
// 4q .. 4q+3 of member e. Lanes beyond S repeat the last sequence and count for nothing.
//   x [E][Q][T+1][N] vec4     s [E][Q][T+1][K] vec4     z [E][Q][T+1][M] vec4     theta [E][A | W | h | L | C]
//   partial [E][ GW x (M*M) of dW | GROUPS x (A | h | L | C) ]

const W_AT: u32 = M;
const H_AT: u32 = M + M * M;
const L_AT: u32 = 2 * M + M * M;
const C_AT: u32 = L_AT + (M - N) * N;
const N_PARAMS: u32 = C_AT + M * K;

// The same without W: A | h | L | C.
const OTHER_H: u32 = M;
const OTHER_L: u32 = 2 * M;
const OTHER_C: u32 = 2 * M + (M - N) * N;
const N_OTHER: u32 = N_PARAMS - M * M;
const PARTIAL: u32 = GW * M * M + GROUPS * N_OTHER;

// What wide kernels read of W and A: [E][ columns of W | rows of W | A ], vectors of PITCH floats in an order that lays
// the entries lane, lane + QUARTER, .. of a thread side by side.
const QUARTER: u32 = (M + 3) / 4;
const PITCH: u32 = 4 * QUARTER;
const COPIES: u32 = (2 * M + 1) * PITCH;

// Place of entry i in such a vector.
fn in_copy(i: u32) -> u32 {
    return 4 * (i % QUARTER) + i / QUARTER;
}

// An entry of x at or above this is a missing observation.
const MISSING: f32 = 0.5e38;

// Workgroups are dispatched as a two-dimensional grid because one dimension ends at 65,535.
fn linear_workgroup(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.y * groups.x + group.x;
}

// 1 where the lane is a sequence of the batch, 0 where it is padding.
fn batch_lanes(q: u32) -> vec4<f32> {
    return select(vec4(0.0), vec4(1.0), vec4(4 * q) + vec4(0u, 1u, 2u, 3u) < vec4(S));
}

// The observation, 0 where it is missing.
fn known(x: vec4<f32>) -> vec4<f32> {
    return select(x, vec4(0.0), x >= vec4(MISSING));
}

// 1 where observed, 0 where missing.
fn observed(x: vec4<f32>) -> vec4<f32> {
    return select(vec4(1.0), vec4(0.0), x >= vec4(MISSING));
}

// Infinite or NaN, told from the bits because a compiler may assume that neither occurs.
fn not_finite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7f800000u) == 0x7f800000u;
}
