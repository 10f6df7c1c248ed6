// blocked/adjoint.wgsl and blocked/collect.wgsl in one, with a block's matrix in workgroup memory: what a block gives to
// the sums over blocks and sequences is added up in registers over all of the window.
//
// Workgroup = (member, V quads of its sequences), a block, the last first, in five phases with a barrier after each:
//   1  residuals, states and drives of the block from `states`; the Lambda of its end, where it has this length
//   2  u- as far as the linear units and Lambda make it: thread = (DRIVE_ROWS drives, quad)
//   3  the recursion over u-, as in forward.wgsl: thread = a sequence
//   4  y- of the ReLU units that it found, beside the others'
//   5  the start's gradient: thread = (START_ROWS units, quad); then [y- ; Lambda] [z~ ; u ; 1]' of the block: thread
//      (a, b) of DOWN x ACROSS adds to the TALL x BROAD entries (a + DOWN i, b + ACROSS j)
//
// Writes `sums`, a matrix per group, and the group's dL into the partial gradients (=).
#include "shared/params.wgsl"
#include "shared/index.wgsl"
#include "shared/blocked.wgsl"

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> members: array<Member>;
@group(0) @binding(2) var<storage, read> status: array<Status>;
@group(0) @binding(3) var<storage, read> table: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> powers: array<f32>;
@group(0) @binding(5) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> states: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> sums: array<f32>;
@group(0) @binding(8) var<storage, read_write> partial: array<f32>;

#include "shared/fused.wgsl"

const START_TILES: u32 = (M + START_ROWS - 1) / START_ROWS;
const DRIVE_TILES: u32 = (LENGTH * P + DRIVE_ROWS - 1) / DRIVE_ROWS;
#set start_weight = "f32" if START_ROWS == 1 else "vec" ~ START_ROWS ~ "<f32>"
#set drive_weight = "f32" if DRIVE_ROWS == 1 else "vec" ~ DRIVE_ROWS ~ "<f32>"

// The matrix transposed: its columns of z~, and those of the ReLU drives but for the rows of ReLU units.
var<workgroup> to_start: array<array<$start_weight$, START_TILES>, J * Y>;
var<workgroup> end_to_start: array<array<array<$start_weight$, START_TILES>, M>, max(ENDS, 1u)>;
var<workgroup> to_drives: array<array<$drive_weight$, DRIVE_TILES>, J * N>;
var<workgroup> end_to_drives: array<array<array<$drive_weight$, DRIVE_TILES>, M>, max(ENDS, 1u)>;
// As in forward.wgsl.
var<workgroup> feedback: array<f32, J * P * P>;
// [y-_1 .. y-_J ; Lambda of each end] and [z~ ; u ; 1], nested as the threads of phase 5 read them.
var<workgroup> left: array<array<array<vec4<f32>, DOWN>, TALL>, V>;
var<workgroup> right: array<array<array<vec4<f32>, ACROSS>, BROAD>, V>;
// Lambda of this block and of the one before, in turn.
var<workgroup> lambda: array<array<vec4<f32>, M>, 2 * V>;
// A bit for each sequence of a quad in which a ReLU unit is on.
var<workgroup> is_on: array<array<u32, V>, LENGTH * P>;
// u- of the start, y- of all steps.
var<workgroup> u_bar: array<array<f32, 4 * V>, LENGTH * P>;

// Residuals of observed units from unit n at time t (from 1 on).
fn residual(quad: u32, t: u32, n: u32) -> vec4<f32> {
    return states[quad * STATES + RESIDUAL_AT + (t - 1) * N + n];
}

fn start_weight_at(base: u32, row: u32, m: u32) -> f32 {
    if m >= M {
        return 0.0;
    }
    return entry(base, row, m);
}

fn drive_weight_at(base: u32, row: u32, drive: u32) -> f32 {
    if drive >= LENGTH * P {
        return 0.0;
    }
    return entry(base, row, M + drive);
}

fn bits(on: vec4<bool>) -> u32 {
    return select(0u, 1u, on.x) | select(0u, 2u, on.y) | select(0u, 4u, on.z) | select(0u, 8u, on.w);
}

// Adds a column of a product to the rows that this thread makes of it.
#macro add(w, value, rows)
{
    let w = $w$[tile];
    let value = $value$;
    #for r in range(rows)
    sum_$r$ = fma(vec4($"w" if rows == 1 else "w[" ~ r ~ "]"$), value, sum_$r$);
    #endfor
}
#endmacro

@compute @workgroup_size(THREADS)
fn main(
    @builtin(local_invocation_index) lid: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    #include "shared/group.wgsl"

    for (var k = lid; k < LEFT * START_TILES; k += THREADS) {
        let tile = k % START_TILES;
        let row = k / START_TILES;
        let w = $start_weight$(
            #for r in range(START_ROWS)
            start_weight_at(base, row, tile * START_ROWS + $r$),
            #endfor
        );
        if row < J * Y {
            to_start[row][tile] = w;
        } else {
            end_to_start[(row - J * Y) / M][(row - J * Y) % M][tile] = w;
        }
    }
    for (var k = lid; k < (J * N + ENDS * M) * DRIVE_TILES; k += THREADS) {
        let tile = k % DRIVE_TILES;
        let column = k / DRIVE_TILES;
        let of_end = max(column, J * N) - J * N;
        let row = select(J * Y + of_end, row_of(column / N + 1, column % N), column < J * N);
        let w = $drive_weight$(
            #for r in range(DRIVE_ROWS)
            drive_weight_at(base, row, tile * DRIVE_ROWS + $r$),
            #endfor
        );
        if column < J * N {
            to_drives[column][tile] = w;
        } else {
            end_to_drives[of_end / M][of_end % M][tile] = w;
        }
    }
    for (var k = lid; k < J * P * P; k += THREADS) {
        feedback[k] = feedback_at(base, k);
    }

    #for i in range(TALL)
    #for j in range(BROAD)
    var sum_$i$_$j$ = 0.0;
    #endfor
    #endfor
    let a = min(lid, DOWN * ACROSS - 1) / ACROSS;
    let c = min(lid, DOWN * ACROSS - 1) % ACROSS;

    for (var b = BLOCKS; b > 0; b--) {
        let block = table[b - 1];
        let now = (b & 1) * V;
        let next = V - now;

        for (var k = lid; k < LEFT * V; k += THREADS) {
            let v = k % V;
            let row = k / V;
            var value = vec4<f32>();
            if row < J * Y {
                // 0 of the ReLU units, until phase 4.
                if row % Y < N && row < block.z * Y {
                    value = residual(quad + v, block.x + row / Y + 1, row % Y);
                }
            } else if (row - J * Y) / M + 1 == block.w {
                value = lambda[now + v][(row - J * Y) % M];
            }
            left[v][row / DOWN][row % DOWN] = value;
        }
        for (var k = lid; k < (COLUMNS + 1) * V; k += THREADS) {
            let v = k % V;
            let column = k / V;
            var value = vec4(1.0);
            if column < M {
                value = states[(quad + v) * STATES + (b - 1) * M + column];
            } else if column < COLUMNS {
                let drive = column - M;
                value = vec4(0.0);
                if drive < block.y * P {
                    value = states[(quad + v) * STATES + RELU_AT + block.x * P + drive];
                }
                is_on[drive][v] = bits(value > vec4(0.0));
                value = rectified(value);
            }
            right[v][column / ACROSS][column % ACROSS] = value;
        }
        workgroupBarrier();

        if lid < DRIVE_TILES * V {
            let v = lid % V;
            let tile = lid / V;
            #for r in range(DRIVE_ROWS)
            var sum_$r$ = vec4(0.0);
            #endfor
            #for j in range(J)
            #for n in range(N)
            #set row = j * Y + n
            $add("to_drives[" ~ (j * N + n) ~ "]", "left[v][" ~ row // DOWN ~ "][" ~ row % DOWN ~ "]", DRIVE_ROWS)$
            #endfor
            #endfor
            #if FOLLOWED
            if block.w > 0 {
                #for m in range(M)
                $add("end_to_drives[block.w - 1][" ~ m ~ "]", "lambda[now + v][" ~ m ~ "]", DRIVE_ROWS)$
                #endfor
            }
            #endif
            #for r in range(DRIVE_ROWS)
            if tile * DRIVE_ROWS + $r$ < LENGTH * P {
                #for lane in range(4)
                u_bar[tile * DRIVE_ROWS + $r$][4 * v + $lane$] = sum_$r$[$lane$];
                #endfor
            }
            #endfor
        }
        workgroupBarrier();

        if lid < 4 * V {
            let v = lid / 4;
            let bit = 1u << (lid % 4);
            #for back in range(LENGTH)
            #set i = LENGTH - 1 - back
            #for p in range(P)
            #set drive = i * P + p
            var u_$i$_$p$ = u_bar[$drive$][lid];
            #for j in range(i + 1, LENGTH)
            #for q in range(P)
            u_$i$_$p$ = fma(feedback[$((j - 1 - i) * P + q) * P + p$], y_$j$_$q$, u_$i$_$p$);
            #endfor
            #endfor
            let y_$i$_$p$ = select(-u_$i$_$p$, 0.0, (is_on[$drive$][v] & bit) > 0);
            u_bar[$drive$][lid] = y_$i$_$p$;
            #endfor
            #endfor
        }
        workgroupBarrier();

        for (var k = lid; k < (LENGTH - 1) * P * V; k += THREADS) {
            let v = k % V;
            let drive = k / V + P;
            let row = (drive / P - 1) * Y + N + drive % P;
            left[v][row / DOWN][row % DOWN] = vec4(
                #for lane in range(4)
                u_bar[drive][4 * v + $lane$],
                #endfor
            );
        }
        workgroupBarrier();

        if lid < START_TILES * V {
            let v = lid % V;
            let tile = lid / V;
            let own = quad + v;
            // What the start takes in where another block precedes, read before it is needed.
            #for r in range(START_ROWS)
            let m_$r$ = tile * START_ROWS + $r$;
            var sum_$r$ = vec4(0.0);
            var missed_$r$ = vec4(0.0);
            var left_$r$ = vec4(1.0);
            if b > 1 && m_$r$ < N {
                missed_$r$ = residual(own, block.x, m_$r$);
                if block.x % member.tau == 0 {
                    left_$r$ -= member.alpha * observed(x[own * x_step + block.x * N + m_$r$]);
                }
            }
            #endfor
            #for row in range(J * Y)
            $add("to_start[" ~ row ~ "]", "left[v][" ~ row // DOWN ~ "][" ~ row % DOWN ~ "]", START_ROWS)$
            #endfor
            #if FOLLOWED
            if block.w > 0 {
                #for m in range(M)
                $add("end_to_start[block.w - 1][" ~ m ~ "]", "lambda[now + v][" ~ m ~ "]", START_ROWS)$
                #endfor
            }
            #endif
            #for r in range(START_ROWS)
            if m_$r$ >= M - P && m_$r$ < M {
                sum_$r$ += vec4(
                    #for lane in range(4)
                    u_bar[m_$r$ + P - M][4 * v + $lane$],
                    #endfor
                );
            }
            if m_$r$ < M {
                lambda[next + v][m_$r$] = fma(left_$r$, sum_$r$, missed_$r$);
            }
            #endfor
        }
        if lid < DOWN * ACROSS {
            #for v in range(V)
            {
                #for i in range(TALL)
                let l_$i$ = left[$v$][$i$][a];
                #endfor
                #for j in range(BROAD)
                let r_$j$ = right[$v$][$j$][c];
                #endfor
                #for i in range(TALL)
                #for j in range(BROAD)
                sum_$i$_$j$ = fma(l_$i$.x, r_$j$.x, fma(l_$i$.y, r_$j$.y, fma(l_$i$.z, r_$j$.z, fma(l_$i$.w, r_$j$.w, sum_$i$_$j$))));
                #endfor
                #endfor
            }
            #endfor
        }
        workgroupBarrier();
    }

    if lid < DOWN * ACROSS {
        let out = unit * LEFT * RIGHT;
        #for j in range(BROAD)
        {
            // Where pull_back.wgsl looks for this column: [z~ ; 1 ; u_0 .. u_{LENGTH-1}].
            let column = c + $j$ * ACROSS;
            let place = select(select(column + 1, M, column == COLUMNS), column, column < M);
            #for i in range(TALL)
            if a + $i$ * DOWN < LEFT && column <= COLUMNS {
                sums[out + (a + $i$ * DOWN) * RIGHT + place] = sum_$i$_$j$;
            }
            #endfor
        }
        #endfor
    }
    // The last block that was walked is the first: its `next` is 0.
    let other = e * PARTIAL + GW * M * M + (unit % GROUPS) * N_OTHER;
    for (var k = lid; k < (M - N) * N; k += THREADS) {
        var sum = 0.0;
        #for v in range(V)
        sum += dot(lambda[$v$][N + k / N], known(x[(quad + $v$) * x_step + k % N]));
        #endfor
        partial[other + OTHER_L + k] = sum;
    }
}
