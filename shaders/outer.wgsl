// The gradient of W where M is too wide for adjoint.wgsl to keep it in registers:
//   dW = sum over sequences and t of l_{t+1} phi(z~_t)'      (weight 2 / targets left out as in adjoint.wgsl)
// a matrix product whose inner dimension is sequences x time, so nothing here is sequential.
//
// Workgroup = (member, slice of the member's quads, tile of dW of 4 DOWN x 4 ACROSS, a square); thread (a, b) of the
// DOWN x ACROSS keeps the 4 x 4 entries (a + DOWN i, b + ACROSS j) in registers. STEPS time steps of the tile's rows of
// l and phi go through workgroup memory at a time.
//
// Reads `back` (l_{t+1}) and `states` (z~_t) as adjoint.wgsl leaves it. Writes dW's part of `partial`, one per slice (=).
#include "shared/params.wgsl"
#include "shared/index.wgsl"

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> members: array<Member>;
@group(0) @binding(2) var<storage, read> status: array<Status>;
@group(0) @binding(3) var<storage, read> back: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> states: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> partial: array<f32>;

const HEIGHT: u32 = 4 * DOWN;
const WIDTH: u32 = 4 * ACROSS;
const THREADS: u32 = DOWN * ACROSS;

// Nested, so that a read's only index that is no constant is the thread's.
var<workgroup> rows: array<array<array<vec4<f32>, DOWN>, 4>, STEPS>;
var<workgroup> columns: array<array<array<vec4<f32>, ACROSS>, 4>, STEPS>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(local_invocation_index) lid: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let at = linear_workgroup(group, groups);
    let tile = at % (TILES * TILES);
    let slice = (at / (TILES * TILES)) % GW;
    let unit = at / (TILES * TILES * GW);
    let e = min(unit, arrayLength(&members) - 1);
    if unit >= arrayLength(&members) || !takes_part(status[e]) {
        return;
    }
    let row = (tile / TILES) * HEIGHT;
    let column = (tile % TILES) * WIDTH;
    let a = lid / ACROSS;
    let b = lid % ACROSS;
    let linear_units = M - members[e].P;

    var sum = array<array<f32, 4>, 4>();
    let chunks = (params.T + STEPS - 1) / STEPS;
    for (var chunk = 0u; chunk < SLICE_QUADS * chunks; chunk++) {
        let quad = e * Q + slice * SLICE_QUADS + chunk / chunks;
        let first = (chunk % chunks) * STEPS;
        for (var k = lid; k < STEPS * HEIGHT; k += THREADS) {
            let t = first + k / HEIGHT;
            let i = row + k % HEIGHT;
            let j = column + k % WIDTH;
            var l = vec4(0.0);
            var p = vec4(0.0);
            if t < params.T {
                if i < M {
                    l = back[(quad * params.T + t) * M + i];
                }
                if j < M {
                    p = states[(quad * (params.T + 1) + t) * M + j];
                    p = select(p, max(p, vec4(0.0)), j >= linear_units);
                }
            }
            rows[k / HEIGHT][k % HEIGHT / DOWN][k % DOWN] = l;
            columns[k / WIDTH][k % WIDTH / ACROSS][k % ACROSS] = p;
        }
        workgroupBarrier();
        #include "shared/tile.wgsl"
        workgroupBarrier();
    }
    let out = e * PARTIAL + slice * M * M;
    #for i in range(4)
    #for j in range(4)
    if row + a + $i$ * DOWN < M && column + b + $j$ * ACROSS < M {
        partial[out + (row + a + $i$ * DOWN) * M + column + b + $j$ * ACROSS] = sum[$i$][$j$];
    }
    #endfor
    #endfor
}
