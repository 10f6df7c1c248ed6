// Free runs z_{t+1} = A o z_t + W phi(z_t) + h + C s_{t+1} from z_0 = [x_0 ; L x_0], for a bounded number of steps a
// dispatch; the state is carried from one to the next. The thread map is that of forward.wgsl: four
// runs of one model are the lanes of a quad.
//
// Writes rows [model][run][t][D] of this dispatch's steps (=) and the state (=).
#include "shared/index.wgsl"

struct FreeParams {
    // Steps of this dispatch.
    steps: u32,
    // 1 in the first dispatch: start from x_0 and write z_0 as row 0.
    start: u32,
    // Runs per model.
    runs: u32,
    // Rows of this dispatch in `out`: steps, and one more with `start`.
    rows: u32,
    models: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(0) var<uniform> params: FreeParams;
// P of each model
@group(0) @binding(1) var<storage, read> relus: array<u32>;
@group(0) @binding(2) var<storage, read> theta: array<f32>;
@group(0) @binding(3) var<storage, read> copies: array<f32>;
// x_0: [Q][N], missing entries 0
@group(0) @binding(4) var<storage, read> x: array<vec4<f32>>;
// s_{t+1} of this dispatch's steps: [Q][steps][K]
@group(0) @binding(5) var<storage, read> s: array<vec4<f32>>;
// [models][Q][M]
@group(0) @binding(6) var<storage, read_write> carried: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> out: array<f32>;

var<workgroup> phi: array<array<array<vec4<f32>, GROUP>, (M + GROUP - 1) / GROUP>, 2 * TEAMS>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(local_invocation_index) lid: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let lane = lid % TEAM;
    let team = lid / TEAM;
    let quads = (params.runs + 3) / 4;
    let unit = linear_workgroup(group, groups) * TEAMS + team;
    let running = unit < params.models * quads;
    let e = min(unit / quads, params.models - 1);
    let quad = unit % quads;
    let s_step = params.steps * K;
    let base = e * N_PARAMS;
    let linear_units = M - relus[e];

    #if WIDE
    let own = e * COPIES + in_copy(min(lane, M - 1));
    #endif
    #for r in range(R)
    let row_$r$ = lane + $r$ * TEAM;
    let i_$r$ = min(row_$r$, M - 1);
    let A_$r$ = theta[base + i_$r$];
    let h_$r$ = theta[base + H_AT + i_$r$];
    #endfor
    #include "shared/weights.wgsl"
    var state = array<vec4<f32>, R>();

    if running {
        #for r in range(R)
        if params.start == 0 {
            state[$r$] = carried[unit * M + i_$r$];
        } else {
            if i_$r$ < N {
                state[$r$] = x[quad * N + i_$r$];
            } else {
                for (var n = 0u; n < N; n++) {
                    state[$r$] += theta[base + L_AT + (i_$r$ - N) * N + n] * x[quad * N + n];
                }
            }
            if row_$r$ < D {
                #for l in range(4)
                if 4 * quad + $l$ < params.runs {
                    out[(e * params.runs + 4 * quad + $l$) * params.rows * D + row_$r$] = state[$r$][$l$];
                }
                #endfor
            }
        }
        #endfor
    }

    for (var t = 0u; t < params.steps; t++) {
        let buffer = (t & 1) * TEAMS + team;
        if running {
            #for r in range(R)
            if row_$r$ < M {
                phi[buffer][row_$r$ / GROUP][row_$r$ % GROUP] = select(state[$r$], max(state[$r$], vec4(0.0)), row_$r$ >= linear_units);
            }
            #endfor
        }
        workgroupBarrier();
        if running {
            let s_at = t;
            #include "shared/advance.wgsl"
            let row = t + params.start;
            #for r in range(R)
            if row_$r$ < D {
                #for l in range(4)
                if 4 * quad + $l$ < params.runs {
                    out[((e * params.runs + 4 * quad + $l$) * params.rows + row) * D + row_$r$] = state[$r$][$l$];
                }
                #endfor
            }
            #endfor
        }
    }
    if running {
        #for r in range(R)
        if row_$r$ < M {
            carried[unit * M + row_$r$] = state[$r$];
        }
        #endfor
    }
}
