// Runs the almost-linear form over a window, block by block, and sums the squared error. From z~ at a block's start:
//   y_j = G_j z~ + c_j + sum over i < j of K_{j-1-i} v_i     the units looked at, j = 1..
//   z_l = B^l z~ + g_l + sum over i < l of R_{l-1-i} v_i     all units where another block follows, then forced
//   v_0 = [max(-z~_P, 0) ; s_1],  v_j = [max(-(y_j)_P, 0) ; s_{j+1}]
//
// Workgroup = (member, V quads of its sequences), a block in three phases with a barrier after each:
//   1  G z~ + c of the ReLU units of all steps at once: thread = (unit of a step, quad)
//   2  the recursion over v, all that is sequential. SOLO: thread = quad, no barrier inside; otherwise
//      thread = (ReLU unit, quad) and a barrier a step. Not thread = sequence: WGSL lets a write to a component
//      access its whole vector, so threads that write into one vector race
//   3  the other rows of y and of z_l: thread = R rows for V quads, each weight read serving 4 V multiply-adds
// Matrices are read transposed: neighbouring threads, neighbouring words.
//
// Writes z~ at the starts, z_P and the residuals (= y or z minus x, 0 where nothing is observed) into `states` (=), and
// the sum of squares and the number of observed targets (=).
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
@group(0) @binding(6) var<storage, read> s: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> states: array<vec4<f32>>;
// (bits of the f32 sum of squares, count)
@group(0) @binding(8) var<storage, read_write> loss: array<vec2<u32>>;

const FOURS: u32 = (M + 3) / 4;

// z~ of this block and of the next, in turn.
// Nested by fours, so that loops over them, four turns in the source, have one index that is no constant.
var<workgroup> z: array<array<array<vec4<f32>, V>, 4>, 2 * FOURS>;
// ReLU units [J][P] before the cut at 0, and the drives [LENGTH][D].
var<workgroup> relu: array<array<vec4<f32>, V>, max(J * P, 1u)>;
var<workgroup> drive: array<array<array<vec4<f32>, V>, max(D, 1u)>, LENGTH>;

// This invocation's share of the loss.
var<private> square: vec4<f32>;
var<private> count: vec4<f32>;

// Takes in an unforced observed unit n at time t (from 1 on).
fn compare(quad: u32, v: u32, t: u32, n: u32, value: vec4<f32>) {
    let target_x = x[(quad + v) * (params.T + 1) * N + t * N + n];
    let seen = batch_lanes((quad + v) % Q) * observed(target_x);
    let d = select(vec4(0.0), value - target_x, seen > vec4(0.0));
    states[(quad + v) * STATES + RESIDUAL_AT + (t - 1) * N + n] = d;
    square += d * d;
    count += seen;
}

#if RELU
// Adds the drives so far to ReLU unit p of step j, keeps it, and sets the drive that it gives.
fn recurse(base: u32, quad: u32, v: u32, block: vec4<u32>, j: u32, p: u32) {
    var value = relu[(j - 1) * P + p][v];
    for (var i = 0u; i < j; i++) {
        let weights = base + K_AT + ((j - 1 - i) * Y + NO + p) * H;
        #if D <= 4
        #for d in range(D)
        value = fma(vec4(powers[weights + $d$]), drive[i][$d$][v], value);
        #endfor
        #else
        for (var d = 0u; d < D; d++) {
            value = fma(vec4(powers[weights + d]), drive[i][d][v], value);
        }
        #endif
    }
    relu[(j - 1) * P + p][v] = value;
    if j < block.y {
        states[(quad + v) * STATES + RELU_AT + (block.x + j) * P + p] = value;
        drive[j][p][v] = rectified(value);
    }
}
#endif

@compute @workgroup_size(THREADS)
fn main(
    @builtin(local_invocation_index) lid: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    #include "shared/group.wgsl"

    for (var m = lid; m < M; m += THREADS) {
        #for v in range(V)
        {
            var start = vec4<f32>();
            if m < N {
                start = known(x[(quad + $v$) * x_step + m]);
            } else {
                for (var n = 0u; n < N; n++) {
                    start += powers[base + LL_AT + (m - N) * N + n] * known(x[(quad + $v$) * x_step + n]);
                }
            }
            z[m / 4][m % 4][$v$] = start;
            states[(quad + $v$) * STATES + m] = start;
        }
        #endfor
    }
    workgroupBarrier();

    for (var b = 0u; b < BLOCKS; b++) {
        let block = table[b];
        let now = (b & 1) * FOURS;
        let next = FOURS - now;

        #if RELU
        for (var k = lid; k < block.z * P * V; k += THREADS) {
            let v = k % V;
            let row = k / V;
            var sum = vec4(powers[base + CC_AT + row / P * Y + NO + row % P]);
            let column = base + GP_AT + row;
            for (var m = 0u; m < M / 4; m++) {
                #for u in range(4)
                sum = fma(vec4(powers[column + (4 * m + $u$) * J * P]), z[now + m][$u$][v], sum);
                #endfor
            }
            #for u in range(M % 4)
            sum = fma(vec4(powers[column + (M / 4 * 4 + $u$) * J * P]), z[now + M / 4][$u$][v], sum);
            #endfor
            relu[row][v] = sum;
        }
        for (var k = lid; k < P * V; k += THREADS) {
            let m = M - P + k / V;
            let value = z[now + m / 4][m % 4][k % V];
            states[(quad + k % V) * STATES + RELU_AT + block.x * P + k / V] = value;
            drive[0][k / V][k % V] = rectified(value);
        }
        #endif
        #if INPUTS
        for (var k = lid; k < block.y * K * V; k += THREADS) {
            let i = k / (K * V);
            let input = k / V % K;
            drive[i][P + input][k % V] =
                s[((quad + k % V) * (params.T + 1) + block.x + i + 1) * K + input];
        }
        #endif
        workgroupBarrier();

        #if RELU
        #if SOLO
        if lid < V {
            for (var j = 1u; j <= block.z; j++) {
                for (var p = 0u; p < P; p++) {
                    recurse(base, quad, lid, block, j, p);
                }
            }
        }
        workgroupBarrier();
        #else
        for (var j = 1u; j <= block.z; j++) {
            for (var k = lid; k < P * V; k += THREADS) {
                recurse(base, quad, k % V, block, j, k / V);
            }
            workgroupBarrier();
        }
        #endif
        #endif

        let linear = block.z * NO;
        let rows = linear + select(0u, M, block.w > 0);
        for (var first = lid; first < rows; first += THREADS * R) {
            #for r in range(R)
            let row_$r$ = min(first + $r$ * THREADS, rows - 1);
            // Of an end's row: its columns, its drives (of step l, d at drives + l * by_step + d * by_drive), constant.
            let m_$r$ = row_$r$ - linear;
            var weights_$r$ = base + ET_AT + (block.w - 1) * M * M + m_$r$;
            var pitch_$r$ = M;
            var drives_$r$ = base + RT_AT + m_$r$;
            var by_step_$r$ = H * M;
            var by_drive_$r$ = M;
            var steps_$r$ = block.y;
            var constant_$r$ = base + GE_AT + (block.w - 1) * M + m_$r$;
            #if LINEAR
            if row_$r$ < linear {
                let q = row_$r$ % NO;
                steps_$r$ = row_$r$ / NO + 1;
                weights_$r$ = base + GN_AT + row_$r$;
                pitch_$r$ = J * NO;
                drives_$r$ = base + K_AT + q * H;
                by_step_$r$ = Y * H;
                by_drive_$r$ = 1u;
                constant_$r$ = base + CC_AT + (steps_$r$ - 1) * Y + q;
            }
            #endif
            var sum_$r$ = array<vec4<f32>, V>();
            #for v in range(V)
            sum_$r$[$v$] = vec4(powers[constant_$r$]);
            #endfor
            #endfor
            #macro column(m, u)
            {
                #for r in range(R)
                let w_$r$ = vec4(powers[weights_$r$]);
                weights_$r$ += pitch_$r$;
                #endfor
                #for v in range(V)
                {
                    let zm = z[now + $m$][$u$][$v$];
                    #for r in range(R)
                    sum_$r$[$v$] = fma(w_$r$, zm, sum_$r$[$v$]);
                    #endfor
                }
                #endfor
            }
            #endmacro
            for (var m = 0u; m < M / 4; m++) {
                #for u in range(4)
                $column("m", u)$
                #endfor
            }
            #for u in range(M % 4)
            $column(M // 4, u)$
            #endfor
            #for r in range(R)
            #if DRIVES
            for (var i = 0u; i < steps_$r$; i++) {
                let of_step = drives_$r$ + (steps_$r$ - 1 - i) * by_step_$r$;
                #macro add(d)
                {
                    let w = vec4(powers[of_step + $d$ * by_drive_$r$]);
                    #for v in range(V)
                    sum_$r$[$v$] = fma(w, drive[i][$d$][$v$], sum_$r$[$v$]);
                    #endfor
                }
                #endmacro
                #if D <= 4
                #for d in range(D)
                $add(d)$
                #endfor
                #else
                for (var d = 0u; d < D; d++) {
                    $add("d")$
                }
                #endif
            }
            #endif
            if first + $r$ * THREADS < linear {
                #if LINEAR
                #for v in range(V)
                compare(quad, $v$, block.x + steps_$r$, row_$r$ % NO, sum_$r$[$v$]);
                #endfor
                #endif
            } else if first + $r$ * THREADS < rows {
                let t = block.x + block.y;
                #for v in range(V)
                {
                    var value = sum_$r$[$v$];
                    if m_$r$ < N {
                        compare(quad, $v$, t, m_$r$, value);
                        if t % member.tau == 0 {
                            let xt = x[(quad + $v$) * x_step + t * N + m_$r$];
                            let a = member.alpha * observed(xt);
                            value = a * xt + (1.0 - a) * value;
                        }
                    }
                    z[next + m_$r$ / 4][m_$r$ % 4][$v$] = value;
                    states[(quad + $v$) * STATES + (b + 1) * M + m_$r$] = value;
                }
                #endfor
            }
            #endfor
        }
        #if OVERLAP
        for (var k = lid; k < block.z * (N - NO) * V; k += THREADS) {
            let j = k / ((N - NO) * V) + 1;
            let p = k / V % (N - NO);
            compare(quad, k % V, block.x + j, NO + p, relu[(j - 1) * P + p][k % V]);
        }
        #endif
        workgroupBarrier();
    }

    let total = workgroup_sum(lid, square.x + square.y + square.z + square.w);
    let targets = workgroup_sum(lid, count.x + count.y + count.z + count.w);
    if lid == 0 {
        loss[unit] = vec2(bitcast<u32>(total), u32(targets));
    }
}
