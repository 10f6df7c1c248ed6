// blocked/forward.wgsl with a block's matrix in workgroup memory: what it computes and writes is the same.
//
// Workgroup = (member, V quads of its sequences), a block in four phases with a barrier after each:
//   1  the ReLU units of all steps as far as the start makes them: thread = (RELU_ROWS rows, quad)
//   2  the recursion: thread = a sequence. Its numbers are single words, because WGSL lets a write to a component access
//      its whole vector
//   3  what it found becomes drives, and goes into `states`
//   4  the linear units of all steps and the block's end: thread = (ROWS rows, quad)
#include "shared/params.wgsl"
#include "shared/index.wgsl"
#include "shared/blocked.wgsl"
#include "shared/reduce.wgsl"

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> members: array<Member>;
@group(0) @binding(2) var<storage, read> status: array<Status>;
@group(0) @binding(3) var<storage, read> table: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> powers: array<f32>;
@group(0) @binding(5) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> states: array<vec4<f32>>;
// (bits of the f32 sum of squares, count)
@group(0) @binding(7) var<storage, read_write> loss: array<vec2<u32>>;

#include "shared/fused.wgsl"

// Tiles of rows: of the linear units of all steps, then of each end; and of the ReLU units.
const LINEAR_TILES: u32 = (J * N + ROWS - 1) / ROWS;
const END_TILES: u32 = (M + ROWS - 1) / ROWS;
const TILES: u32 = LINEAR_TILES + ENDS * END_TILES;
const RELU_TILES: u32 = (J * P + RELU_ROWS - 1) / RELU_ROWS;
#set weight = "f32" if ROWS == 1 else "vec" ~ ROWS ~ "<f32>"
#set relu_weight = "f32" if RELU_ROWS == 1 else "vec" ~ RELU_ROWS ~ "<f32>"

var<workgroup> weights: array<array<$weight$, TILES>, COLUMNS + 1>;
var<workgroup> relu_weights: array<array<$relu_weight$, RELU_TILES>, M + 1>;
var<workgroup> feedback: array<f32, J * P * P>;
// z~ of this block and of the next, in turn.
var<workgroup> z: array<array<vec4<f32>, M>, 2 * V>;
var<workgroup> drive: array<array<vec4<f32>, LENGTH * P>, V>;
// ReLU units before the cut at 0, of the start and of all steps.
var<workgroup> relu: array<array<f32, 4 * V>, (J + 1) * P>;

// Entry of the rows of `weights`.
fn weight_at(base: u32, row: u32, column: u32) -> f32 {
    if row < LINEAR_TILES * ROWS {
        if row >= J * N {
            return 0.0;
        }
        return entry(base, row_of(row / N + 1, row % N), column);
    }
    let of_end = row - LINEAR_TILES * ROWS;
    let m = of_end % (END_TILES * ROWS);
    if m >= M {
        return 0.0;
    }
    return entry(base, row_of_end(of_end / (END_TILES * ROWS), m), column);
}

fn relu_weight_at(base: u32, row: u32, column: u32) -> f32 {
    if row >= J * P {
        return 0.0;
    }
    return entry(base, row_of(row / P + 1, N + row % P), column);
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(local_invocation_index) lid: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    #include "shared/group.wgsl"

    for (var k = lid; k < (COLUMNS + 1) * TILES; k += THREADS) {
        let row = k % TILES * ROWS;
        let column = k / TILES;
        weights[column][k % TILES] = $weight$(
            #for r in range(ROWS)
            weight_at(base, row + $r$, column),
            #endfor
        );
    }
    for (var k = lid; k < (M + 1) * RELU_TILES; k += THREADS) {
        let row = k % RELU_TILES * RELU_ROWS;
        // The constant comes last there as well.
        let column = select(k / RELU_TILES, COLUMNS, k / RELU_TILES == M);
        relu_weights[k / RELU_TILES][k % RELU_TILES] = $relu_weight$(
            #for r in range(RELU_ROWS)
            relu_weight_at(base, row + $r$, column),
            #endfor
        );
    }
    for (var k = lid; k < J * P * P; k += THREADS) {
        feedback[k] = feedback_at(base, k);
    }
    for (var k = lid; k < M * V; k += THREADS) {
        let v = k % V;
        let m = k / V;
        var start = vec4<f32>();
        if m < N {
            start = known(x[(quad + v) * x_step + m]);
        } else {
            for (var n = 0u; n < N; n++) {
                start += powers[base + LL_AT + (m - N) * N + n] * known(x[(quad + v) * x_step + n]);
            }
        }
        z[v][m] = start;
        states[(quad + v) * STATES + m] = start;
    }

    // This invocation's share of the loss.
    var square = vec4<f32>();
    var count = vec4<f32>();
    workgroupBarrier();

    for (var b = 0u; b < BLOCKS; b++) {
        let block = table[b];
        let now = (b & 1) * V;
        let next = V - now;

        if lid < RELU_TILES * V {
            let v = lid % V;
            let tile = lid / V;
            let constant = relu_weights[M][tile];
            #for r in range(RELU_ROWS)
            var sum_$r$ = vec4($"constant" if RELU_ROWS == 1 else "constant[" ~ r ~ "]"$);
            #endfor
            #for c in range(M)
            {
                let w = relu_weights[$c$][tile];
                let value = z[now + v][$c$];
                #for r in range(RELU_ROWS)
                sum_$r$ = fma(vec4($"w" if RELU_ROWS == 1 else "w[" ~ r ~ "]"$), value, sum_$r$);
                #endfor
            }
            #endfor
            #for r in range(RELU_ROWS)
            if tile * RELU_ROWS + $r$ < J * P {
                #for lane in range(4)
                relu[P + tile * RELU_ROWS + $r$][4 * v + $lane$] = sum_$r$[$lane$];
                #endfor
            }
            #endfor
        }
        if lid < P * V {
            let v = lid % V;
            let value = z[now + v][M - P + lid / V];
            #for lane in range(4)
            relu[lid / V][4 * v + $lane$] = value[$lane$];
            #endfor
        }
        workgroupBarrier();

        if lid < 4 * V {
            #for p in range(P)
            let start_$p$ = relu[$p$][lid];
            let u_0_$p$ = max(start_$p$, 0.0) - start_$p$;
            #endfor
            #for j in range(1, J + 1)
            #for p in range(P)
            var z_$j$_$p$ = relu[$j * P + p$][lid];
            #for i in range(j)
            #for d in range(P)
            z_$j$_$p$ = fma(feedback[$((j - 1 - i) * P + p) * P + d$], u_$i$_$d$, z_$j$_$p$);
            #endfor
            #endfor
            relu[$j * P + p$][lid] = z_$j$_$p$;
            let u_$j$_$p$ = max(z_$j$_$p$, 0.0) - z_$j$_$p$;
            #endfor
            #endfor
        }
        workgroupBarrier();

        for (var k = lid; k < LENGTH * P * V; k += THREADS) {
            let v = k % V;
            let row = k / V;
            var u = vec4<f32>();
            if row < block.y * P {
                let value = vec4(
                    #for lane in range(4)
                    relu[row][4 * v + $lane$],
                    #endfor
                );
                states[(quad + v) * STATES + RELU_AT + block.x * P + row] = value;
                u = rectified(value);
            }
            drive[v][row] = u;
        }
        workgroupBarrier();

        let linear = (block.z * N + ROWS - 1) / ROWS;
        let v = lid % V;
        let of_block = lid / V;
        if of_block < linear + select(0u, END_TILES, block.w > 0) {
            let ends = of_block >= linear;
            let tile = select(of_block, LINEAR_TILES + (block.w - 1) * END_TILES + of_block - linear, ends);
            // First row of the tile, and of what stands beside its rows in `x`, which is read before it is needed.
            let row = select(of_block, of_block - linear, ends) * ROWS;
            let t = select(block.x + 1, block.x + block.y, ends);
            let rows = select(block.z * N, N, ends);
            #for r in range(ROWS)
            var target_$r$ = vec4(MISSING);
            if row + $r$ < rows {
                target_$r$ = x[(quad + v) * x_step + t * N + row + $r$];
            }
            #endfor
            let constant = weights[COLUMNS][tile];
            #for r in range(ROWS)
            var sum_$r$ = vec4($"constant" if ROWS == 1 else "constant[" ~ r ~ "]"$);
            #endfor
            #for c in range(M + LENGTH * P)
            {
                let w = weights[$c$][tile];
                let value = $"z[now + v][" ~ c ~ "]" if c < M else "drive[v][" ~ (c - M) ~ "]"$;
                #for r in range(ROWS)
                sum_$r$ = fma(vec4($"w" if ROWS == 1 else "w[" ~ r ~ "]"$), value, sum_$r$);
                #endfor
            }
            #endfor
            let seen = batch_lanes((quad + v) % Q);
            #for r in range(ROWS)
            if row + $r$ < rows {
                let wanted = observed(target_$r$);
                let weight = seen * wanted;
                let d = select(vec4(0.0), sum_$r$ - target_$r$, weight > vec4(0.0));
                states[(quad + v) * STATES + RESIDUAL_AT + (t - 1) * N + row + $r$] = d;
                square += d * d;
                count += weight;
                if ends && t % member.tau == 0 {
                    let a = member.alpha * wanted;
                    sum_$r$ = a * target_$r$ + (1.0 - a) * sum_$r$;
                }
            }
            if ends && row + $r$ < M {
                z[next + v][row + $r$] = sum_$r$;
                states[(quad + v) * STATES + (b + 1) * M + row + $r$] = sum_$r$;
            }
            #endfor
        }
        workgroupBarrier();
    }

    let total = workgroup_sum(lid, square.x + square.y + square.z + square.w);
    let targets = workgroup_sum(lid, count.x + count.y + count.z + count.w);
    if lid == 0 {
        loss[unit] = vec2(bitcast<u32>(total), u32(targets));
    }
}
