// The gradient of W where M is too wide for adjoint.wgsl to keep it in registers:
//   dW = sum over sequences and t of l_{t+1} phi(z~_t)'      (weight 2 / targets left out as in adjoint.wgsl)
// a matrix product whose inner dimension is sequences x time, so nothing here is sequential.
//
// Workgroup = (member, slice of the member's quads, tile of dW of 4 BLOCK x 4 BLOCK); thread (a, b) of the
// BLOCK x BLOCK keeps the 4 x 4 entries (a + BLOCK i, b + BLOCK j) in registers. STEPS time steps of the tile's rows of
// lambda and phi go through workgroup memory at a time.
//
// Reads z~ as adjoint.wgsl leaves it. Writes dW's part of `partial`, one per slice (=).
#import params
#import index

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> members: array<Member>;
@group(0) @binding(2) var<storage, read> status: array<Status>;
@group(0) @binding(3) var<storage, read> lambda: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> z: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> partial: array<f32>;

const SIDE: u32 = 4 * BLOCK;
const THREADS: u32 = BLOCK * BLOCK;

var<workgroup> rows: array<vec4<f32>, STEPS * SIDE>;
var<workgroup> columns: array<vec4<f32>, STEPS * SIDE>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(local_invocation_index) lid: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let at = linear_workgroup(group, groups);
    let tile = at % (TILES * TILES);
    let slice = (at / (TILES * TILES)) % GW;
    let e = min(at / (TILES * TILES * GW), arrayLength(&members) - 1);
    let running = at < arrayLength(&members) * TILES * TILES * GW && takes_part(status[e]);
    let row = (tile / TILES) * SIDE;
    let column = (tile % TILES) * SIDE;
    let a = lid / BLOCK;
    let b = lid % BLOCK;
    let linear_units = M - members[e].P;

    var sum: array<array<f32, 4>, 4>;
    let chunks = (params.T + STEPS - 1) / STEPS;
    for (var chunk = 0u; chunk < SLICE_QUADS * chunks; chunk++) {
        let quad = e * Q + slice * SLICE_QUADS + chunk / chunks;
        let first = (chunk % chunks) * STEPS;
        for (var k = lid; k < STEPS * SIDE; k += THREADS) {
            let t = first + k / SIDE;
            let i = row + k % SIDE;
            let j = column + k % SIDE;
            var l = vec4(0.0);
            var p = vec4(0.0);
            if running && t < params.T {
                if i < M {
                    l = lambda[(quad * params.T + t) * M + i];
                }
                if j < M {
                    p = z[(quad * (params.T + 1) + t) * M + j];
                    p = select(p, max(p, vec4(0.0)), j >= linear_units);
                }
            }
            rows[k] = l;
            columns[k] = p;
        }
        workgroupBarrier();
        for (var k = 0u; k < STEPS; k++) {
            #for i in 0..4
            let l_@i = rows[k * SIDE + a + @i * BLOCK];
            let p_@i = columns[k * SIDE + b + @i * BLOCK];
            #end
            #for i in 0..4
            #for j in 0..4
            sum[@i][@j] = fma(l_@i.x, p_@j.x, fma(l_@i.y, p_@j.y, fma(l_@i.z, p_@j.z, fma(l_@i.w, p_@j.w, sum[@i][@j]))));
            #end
            #end
        }
        workgroupBarrier();
    }
    if running {
        let out = e * PARTIAL + slice * M * M;
        #for i in 0..4
        #for j in 0..4
        if row + a + @i * BLOCK < M && column + b + @j * BLOCK < M {
            partial[out + (row + a + @i * BLOCK) * M + column + b + @j * BLOCK] = sum[@i][@j];
        }
        #end
        #end
    }
}
