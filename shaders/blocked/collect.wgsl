// Sums outer products over blocks and sequences: all that the gradient needs is in
//   [y-_1 .. y-_J ; Lambda of each end] ([z~ ; 1 ; v_0 .. v_{LENGTH-1}])'          LEFT x RIGHT
// because G_j takes the rows y-_j times z~, c_j their sum, B^l and g_l the same of the ends' rows; K_l is the sum over j
// of rows y-_j times v_{j-1-l}, R_l that of the ends' rows times v_{l'-1-l}. Nothing here is sequential.
//
// Workgroup = (member, slice of its quads, tile of 4 DOWN x 4 ACROSS); thread (a, b) of the DOWN x ACROSS keeps the
// 4 x 4 entries (a + DOWN i, b + ACROSS j) in registers. STEPS pairs (quad, block) of the tile's rows and columns go
// through workgroup memory at a time. Writes `sums`, one matrix per slice (=).
#include "shared/params.wgsl"
#include "shared/index.wgsl"
#include "shared/blocked.wgsl"

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> status: array<Status>;
@group(0) @binding(2) var<storage, read> table: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> s: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> states: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> back: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> sums: array<f32>;

const HEIGHT: u32 = 4 * DOWN;
const WIDTH: u32 = 4 * ACROSS;
const THREADS: u32 = DOWN * ACROSS;
const TILES: u32 = (LEFT + HEIGHT - 1) / HEIGHT;
const TILES_RIGHT: u32 = (RIGHT + WIDTH - 1) / WIDTH;

// Nested, so that a read's only index that is no constant is the thread's.
var<workgroup> rows: array<array<array<vec4<f32>, DOWN>, 4>, STEPS>;
var<workgroup> columns: array<array<array<vec4<f32>, ACROSS>, 4>, STEPS>;

fn left(quad: u32, b: u32, row: u32) -> vec4<f32> {
    if row < J * Y {
        return back[quad * BACK + b * J * Y + row];
    }
    #if FOLLOWED
    let of_end = row - J * Y;
    if of_end < ENDS * M && table[b].w == of_end / M + 1 {
        return back[quad * BACK + LAMBDA_AT + b * M + of_end % M];
    }
    #endif
    return vec4(0.0);
}

fn right(quad: u32, b: u32, column: u32) -> vec4<f32> {
    if column < M {
        return states[quad * STATES + b * M + column];
    }
    if column == M {
        return vec4(1.0);
    }
    #if DRIVES
    let i = (column - M - 1) / D;
    let d = (column - M - 1) % D;
    if i < table[b].y {
        let t = table[b].x + i;
        #if RELU
        if d < P {
            return rectified(states[quad * STATES + RELU_AT + t * P + d]);
        }
        #endif
        #if INPUTS
        return s[(quad * (params.T + 1) + t + 1) * K + d - P];
        #endif
    }
    #endif
    return vec4(0.0);
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(local_invocation_index) lid: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let at = linear_workgroup(group, groups);
    let tile = at % (TILES * TILES_RIGHT);
    let slice = at / (TILES * TILES_RIGHT) % SLICES;
    let unit = at / (TILES * TILES_RIGHT * SLICES);
    let e = min(unit, arrayLength(&status) - 1);
    if unit >= arrayLength(&status) || !takes_part(status[e]) {
        return;
    }
    let row = tile / TILES_RIGHT * HEIGHT;
    let column = tile % TILES_RIGHT * WIDTH;
    let a = lid / ACROSS;
    let b = lid % ACROSS;

    var sum = array<array<f32, 4>, 4>();
    let pairs = (Q - slice + SLICES - 1) / SLICES * BLOCKS;
    for (var first = 0u; first < pairs; first += STEPS) {
        for (var k = lid; k < STEPS * HEIGHT; k += THREADS) {
            let pair = first + k / HEIGHT;
            let quad = e * Q + slice + pair / BLOCKS * SLICES;
            var value = vec4<f32>();
            if pair < pairs {
                value = left(quad, pair % BLOCKS, row + k % HEIGHT);
            }
            rows[k / HEIGHT][k % HEIGHT / DOWN][k % DOWN] = value;
        }
        for (var k = lid; k < STEPS * WIDTH; k += THREADS) {
            let pair = first + k / WIDTH;
            let quad = e * Q + slice + pair / BLOCKS * SLICES;
            var value = vec4<f32>();
            if pair < pairs {
                value = right(quad, pair % BLOCKS, column + k % WIDTH);
            }
            columns[k / WIDTH][k % WIDTH / ACROSS][k % ACROSS] = value;
        }
        workgroupBarrier();
        #include "shared/tile.wgsl"
        workgroupBarrier();
    }
    let out = (e * SLICES + slice) * LEFT * RIGHT;
    #for i in range(4)
    #for j in range(4)
    if row + a + $i$ * DOWN < LEFT && column + b + $j$ * ACROSS < RIGHT {
        sums[out + (row + a + $i$ * DOWN) * RIGHT + column + b + $j$ * ACROSS] = sum[$i$][$j$];
    }
    #endfor
    #endfor
}
