// Walks a window back from T to 0. With l_t = gradient of the loss at z_t, f_t = 1 - a on forced observed entries
// and 1 elsewhere, and the error's weight 2 / (number of targets) left out (everything here is linear in it;
// `update` multiplies once):
//   l_T = e_T,   g_t = A o l_{t+1} + d(z~_t) o (W' l_{t+1}),   l_t = e_t + f_t o g_t,   e_t = observed (z_t - x_t)
//   dA += l_{t+1} o z~_t    dW += l_{t+1} phi(z~_t)'    dh += l_{t+1}    dC += l_{t+1} s_{t+1}'    dL = l_0[N:] x_0'
//
// The thread map is that of forward.wgsl, with R *columns* of W (the rows of W') to a thread.
// Narrow: the columns of W and those of dW stay in registers for the whole window; l_{t+1} of all rows goes through workgroup
// memory, each read serving 8 R multiply-adds.
// WIDE: W is streamed row by row from a copy, as in forward.wgsl, l_{t+1} goes to `back` and z~_t
// takes the place of z_t, and outer.wgsl makes dW of them.
//
// Writes the team's partial gradients (=).
#include "shared/params.wgsl"
#include "shared/index.wgsl"

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> members: array<Member>;
@group(0) @binding(2) var<storage, read> status: array<Status>;
#if WIDE
@group(0) @binding(3) var<storage, read> copies: array<vec4<f32>>;
#else
@group(0) @binding(3) var<storage, read> theta: array<f32>;
#endif
@group(0) @binding(4) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> s: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> states: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> partial: array<f32>;
#if WIDE
@group(0) @binding(8) var<storage, read_write> back: array<vec4<f32>>;
#endif

// Nested for the reason given in forward.wgsl.
var<workgroup> shared_lambda: array<array<array<vec4<f32>, GROUP>, (M + GROUP - 1) / GROUP>, 2 * TEAMS>;

// sum + a . b as a chain of fused multiply-adds; sums over sequences are kept in one register.
fn add_dot(a: vec4<f32>, b: vec4<f32>, sum: f32) -> f32 {
    return fma(a.x, b.x, fma(a.y, b.y, fma(a.z, b.z, fma(a.w, b.w, sum))));
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(local_invocation_index) lid: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    #include "shared/team.wgsl"
    #for r in range(R)
    var dA_$r$ = 0.0;
    var dh_$r$ = 0.0;
    #endfor
    #if INPUTS
    var dC = array<array<f32, K>, R>();
    #endif
    #if not WIDE
    var w = array<array<f32, M>, R>();
    var dW = array<array<f32, M>, R>();
    #for r in range(R)
    #for j in range(M)
    w[$r$][$j$] = theta[base + W_AT + $j$ * M + i_$r$];
    #endfor
    #endfor
    #endif

    // l_T, and what step T - 1 reads.
    var l = array<vec4<f32>, R>();
    var next_z = array<vec4<f32>, R>();
    var next_x = array<vec4<f32>, RN>();
    // Nobody but the owner of a row reads its z, because the owner writes there (wide).
    #for r in range(R)
    if row_$r$ < M {
        next_z[$r$] = states[quad * z_step + (params.T - 1) * M + row_$r$];
    }
    #endfor
    #for r in range(RN)
    if row_$r$ < N {
        let target_x = x[quad * x_step + params.T * N + row_$r$];
        let d = states[quad * z_step + params.T * M + row_$r$] - target_x;
        let seen = batch_lanes(unit % GROUPS) * observed(target_x);
        l[$r$] = select(vec4(0.0), d, seen > vec4(0.0));
        next_x[$r$] = x[quad * x_step + (params.T - 1) * N + row_$r$];
    }
    #endfor

    // t mod tau, walked back.
    var phase = (params.T - 1) % member.tau;
    for (var steps = 1u; steps <= params.T; steps++) {
        let t = params.T - steps;
        let forced = t > 0 && phase == 0;
        phase = select(phase, member.tau, phase == 0) - 1;
        let buffer = (t & 1) * TEAMS + team;

        // `now` holds z_t, then z~_t; `error` e_t and `gate` f_t of the observed rows.
        var now: array<vec4<f32>, R> = next_z;
        var error = array<vec4<f32>, RN>();
        var gate = array<vec4<f32>, RN>();
        if running {
            #for r in range(RN)
            {
                let there = observed(next_x[$r$]);
                let seen = batch_lanes(unit % GROUPS) * there;
                let is_target = row_$r$ < N && t > 0;
                let a = select(0.0, member.alpha, row_$r$ < N && forced) * there;
                gate[$r$] = 1.0 - a;
                error[$r$] =
                    select(vec4(0.0), now[$r$] - next_x[$r$], vec4(is_target) & (seen > vec4(0.0)));
                if forced && row_$r$ < N {
                    now[$r$] = a * next_x[$r$] + (1.0 - a) * now[$r$];
                }
            }
            #endfor
            #for r in range(R)
            if row_$r$ < M {
                shared_lambda[buffer][row_$r$ / GROUP][row_$r$ % GROUP] = l[$r$];
                #if WIDE
                back[(quad * params.T + t) * M + row_$r$] = l[$r$];
                states[quad * z_step + t * M + row_$r$] = now[$r$];
                #endif
            }
            #endfor
        }
        workgroupBarrier();

        if running {
            if t > 0 {
                #for r in range(R)
                if row_$r$ < M {
                    next_z[$r$] = states[quad * z_step + (t - 1) * M + row_$r$];
                }
                #endfor
                #for r in range(RN)
                if row_$r$ < N {
                    next_x[$r$] = x[quad * x_step + (t - 1) * N + row_$r$];
                }
                #endfor
            }
            #for r in range(R)
            dA_$r$ = add_dot(l[$r$], now[$r$], dA_$r$);
            dh_$r$ = add_dot(l[$r$], vec4(1.0), dh_$r$);
            #endfor
            #if INPUTS
            #for k in range(K)
            {
                let input = s[quad * s_step + (t + 1) * K + $k$];
                #for r in range(R)
                dC[$r$][$k$] = add_dot(l[$r$], input, dC[$r$][$k$]);
                #endfor
            }
            #endfor
            #endif

            var g = array<vec4<f32>, R>();
            #if WIDE
            #macro row(j, u)
            {
                let w = copies[own + (M + 4 * $j$ + $u$) * QUARTER];
                let lj = shared_lambda[buffer][$j$][$u$];
                #for r in range(R)
                g[$r$] = fma(vec4(w[$r$]), lj, g[$r$]);
                #endfor
            }
            #endmacro
            // Four in the source, because the end that is put to every loop for safety's sake costs as much as one.
            for (var j = 0u; j < M / 4; j++) {
                #for u in range(4)
                $row("j", u)$
                #endfor
            }
            #for u in range(M % 4)
            $row(M // 4, u)$
            #endfor
            #else
            #for r in range(R)
            let phi_$r$ = select(now[$r$], max(now[$r$], vec4(0.0)), row_$r$ >= linear_units);
            #endfor
            #for j in range(M)
            {
                let lj = shared_lambda[buffer][$j$][0];
                #for r in range(R)
                g[$r$] = fma(vec4(w[$r$][$j$]), lj, g[$r$]);
                dW[$r$][$j$] = add_dot(lj, phi_$r$, dW[$r$][$j$]);
                #endfor
            }
            #endfor
            #endif
            #for r in range(R)
            {
                let open = vec4(row_$r$ < linear_units) | (now[$r$] > vec4(0.0));
                l[$r$] = fma(vec4(A_$r$), l[$r$], select(vec4(0.0), g[$r$], open));
            }
            #endfor
            #for r in range(RN)
            l[$r$] = fma(gate[$r$], l[$r$], error[$r$]);
            #endfor
        }
    }

    if running {
        let parts = e * PARTIAL;
        let other = parts + GW * M * M + (unit % GROUPS) * N_OTHER;
        #for r in range(R)
        if row_$r$ < M {
            partial[other + row_$r$] = dA_$r$;
            partial[other + OTHER_H + row_$r$] = dh_$r$;
            #if INPUTS
            #for k in range(K)
            partial[other + OTHER_C + row_$r$ * K + $k$] = dC[$r$][$k$];
            #endfor
            #endif
            #if not WIDE
            #for j in range(M)
            partial[parts + ((unit % GROUPS) * M + $j$) * M + row_$r$] = dW[$r$][$j$];
            #endfor
            #endif
        }
        if row_$r$ >= N && row_$r$ < M {
            for (var n = 0u; n < N; n++) {
                var sum = 0.0;
                sum = add_dot(l[$r$], known(x[quad * x_step + n]), sum);
                partial[other + OTHER_L + (row_$r$ - N) * N + n] = sum;
            }
        }
        #endfor
    }
}
