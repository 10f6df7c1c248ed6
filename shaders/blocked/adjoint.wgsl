// Walks a window back block by block. With Lambda the gradient of the loss at a block's end, unforced (0 at the last
// block's), e the residuals that forward.wgsl left, and the weight 2 / targets left out as in adjoint.wgsl of the
// plain form, from the block's last step to its first
//   u-_i = sum over j > i of K_{j-1-i}' y-_j + R_{l-1-i}' Lambda        y-_j = e_j - [z_P <= 0] u-_j  (on the ReLU units)
// and at its start, z~,  G' y- + (B^l)' Lambda - [z_P <= 0] u-_0,  which forcing and the residual there turn into the
// Lambda of the block before. At the first block that is dL = l_0[N:] x_0'.
//
// Workgroup = (member, V quads of its sequences), a block in three phases with a barrier after each:
//   1  y- of the linear units; R' Lambda and their part of u-: thread = (entry, quad)
//   2  the recursion over u-, mapped as in forward.wgsl
//   3  the start's gradient: thread = (unit, VT quads); G and B^l are read along their rows, neighbouring threads on
//      neighbouring words
//
// Writes y- and Lambda into `back` (=), and the group's dL into the partial gradients (=).
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
@group(0) @binding(7) var<storage, read_write> back: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> partial: array<f32>;

const FOURS: u32 = (M + 3) / 4;

// Lambda of this block and of the one before, in turn.
// Nested for the reason given in forward.wgsl.
var<workgroup> lambda: array<array<array<vec4<f32>, V>, 4>, 2 * FOURS>;
// y- [J][Y] and u- [LENGTH][P].
var<workgroup> y_bar: array<array<array<vec4<f32>, V>, Y>, J>;
var<workgroup> u_bar: array<array<vec4<f32>, V>, max(LENGTH * P, 1u)>;

// Residual of observed unit n at time t (from 1 on).
fn residual(quad: u32, t: u32, n: u32) -> vec4<f32> {
    return states[quad * STATES + RESIDUAL_AT + (t - 1) * N + n];
}

#if RELU
// Adds the later steps' y- of the ReLU units to u-_i and takes it into y-_i where the unit is off.
fn recurse(base: u32, quad: u32, v: u32, block: vec4<u32>, i: u32, p: u32) {
    var value = u_bar[i * P + p][v];
    for (var j = i + 1; j <= block.z; j++) {
        let weights = base + K_AT + ((j - 1 - i) * Y + NO) * H + p;
        #if P <= 4
        #for k in range(P)
        value = fma(vec4(powers[weights + $k$ * H]), y_bar[j - 1][NO + $k$][v], value);
        #endfor
        #else
        for (var k = 0u; k < P; k++) {
            value = fma(vec4(powers[weights + k * H]), y_bar[j - 1][NO + k][v], value);
        }
        #endif
    }
    u_bar[i * P + p][v] = value;
    if i > 0 {
        y_bar[i - 1][NO + p][v] -= where_off(quad + v, block.x + i, p, value);
    }
}

// `value` where ReLU unit p is off at time t, else 0.
fn where_off(quad: u32, t: u32, p: u32, value: vec4<f32>) -> vec4<f32> {
    return select(value, vec4(0.0), states[quad * STATES + RELU_AT + t * P + p] > vec4(0.0));
}
#endif

@compute @workgroup_size(THREADS)
fn main(
    @builtin(local_invocation_index) lid: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    #include "shared/group.wgsl"

    for (var b = BLOCKS; b > 0; b--) {
        let block = table[b - 1];
        let now = (b & 1) * FOURS;
        let next = FOURS - now;
        // Of the transposed B^l; not read where no block follows.
        let power = base + table[BLOCKS + MATRICES + max(block.w, 1u) - 1].y * M * M;

        for (var k = lid; k < J * Y * V; k += THREADS) {
            let q = k / V % Y;
            let j = k / (V * Y) + 1;
            var value = vec4<f32>();
            if q < N && j <= block.z {
                value = residual(quad + k % V, block.x + j, q);
            }
            y_bar[j - 1][q][k % V] = value;
        }
        #if RELU
        for (var k = lid; k < block.y * P * V; k += THREADS) {
            let v = k % V;
            let p = k / V % P;
            let i = k / (V * P);
            var value = vec4<f32>();
            if block.w > 0 {
                let column = base + R_AT + (block.y - 1 - i) * P + p;
                for (var m = 0u; m < M / 4; m++) {
                    #for u in range(4)
                    value = fma(vec4(powers[column + (4 * m + $u$) * LE * P]), lambda[now + m][$u$][v], value);
                    #endfor
                }
                #for u in range(M % 4)
                value = fma(vec4(powers[column + (M / 4 * 4 + $u$) * LE * P]), lambda[now + M / 4][$u$][v], value);
                #endfor
            }
            for (var j = i + 1; j <= block.z; j++) {
                let weights = base + K_AT + (j - 1 - i) * Y * H + p;
                for (var q = 0u; q < NO; q++) {
                    value = fma(vec4(powers[weights + q * H]), residual(quad + v, block.x + j, q), value);
                }
            }
            u_bar[k / V][v] = value;
        }
        #endif
        workgroupBarrier();

        #if RELU
        #if SOLO
        if lid < V {
            for (var i = block.y; i > 0; i--) {
                for (var p = 0u; p < P; p++) {
                    recurse(base, quad, lid, block, i - 1, p);
                }
            }
        }
        workgroupBarrier();
        #else
        for (var i = block.y; i > 0; i--) {
            for (var k = lid; k < P * V; k += THREADS) {
                recurse(base, quad, k % V, block, i - 1, k / V);
            }
            workgroupBarrier();
        }
        #endif
        #endif

        for (var k = lid; k < J * Y * V; k += THREADS) {
            back[(quad + k % V) * BACK + (b - 1) * J * Y + k / V] = y_bar[k / V / Y][k / V % Y][k % V];
        }
        for (var k = lid; k < M * (V / VT); k += THREADS) {
            let m = k / (V / VT);
            let v = k % (V / VT) * VT;
            var sum = array<vec4<f32>, VT>();
            #macro add(weight, vectors)
            {
                let w = vec4(powers[$weight$ * M]);
                #for v in range(VT)
                sum[$v$] = fma(w, $vectors$[v + $v$], sum[$v$]);
                #endfor
            }
            #endmacro
            for (var j = 0u; j < block.z; j++) {
                let first = base + G_AT + (j + 1) * Y * M + m;
                #if Y <= 8
                #for q in range(Y)
                $add("first + " ~ q, "y_bar[j][" ~ q ~ "]")$
                #endfor
                #else
                for (var q = 0u; q < Y; q++) {
                    $add("first + q", "y_bar[j][q]")$
                }
                #endif
            }
            if block.w > 0 {
                for (var i = 0u; i < M / 4; i++) {
                    #for u in range(4)
                    $add("power + m + (4 * i + " ~ u ~ ")", "lambda[now + i][" ~ u ~ "]")$
                    #endfor
                }
                #for u in range(M % 4)
                $add("power + m + (M / 4 * 4 + " ~ u ~ ")", "lambda[now + M / 4][" ~ u ~ "]")$
                #endfor
            }
            #for v in range(VT)
            {
                let own = quad + v + $v$;
                var value = sum[$v$];
                #if RELU
                if m >= M - P {
                    value -= where_off(own, block.x, m + P - M, u_bar[m + P - M][v + $v$]);
                }
                #endif
                if b > 1 {
                    if m < N {
                        if block.x % member.tau == 0 {
                            value *= 1.0 - member.alpha * observed(x[own * x_step + block.x * N + m]);
                        }
                        value += residual(own, block.x, m);
                    }
                    back[own * BACK + LAMBDA_AT + (b - 2) * M + m] = value;
                }
                lambda[next + m / 4][m % 4][v + $v$] = value;
            }
            #endfor
        }
        workgroupBarrier();
    }

    // The last block that was walked is the first: its `next` is 0.
    let other = e * PARTIAL + GW * M * M + (unit % GROUPS) * N_OTHER;
    for (var k = lid; k < (M - N) * N; k += THREADS) {
        var sum = 0.0;
        #for v in range(V)
        sum += dot(lambda[(N + k / N) / 4][(N + k / N) % 4][$v$], known(x[(quad + $v$) * x_step + k % N]));
        #endfor
        partial[other + OTHER_L + k] = sum;
    }
}
