// Runs the forced recurrence over a window and sums the squared error:
//   z~_t = a x_t + (1 - a) z_t on the observed units where t > 0 and t mod tau = 0, z_t elsewhere (a = alpha,
//          0 where x_t is missing)
//   z_{t+1} = A o z~_t + W phi(z~_t) + h + C s_{t+1},   loss = sum over observed entries of (z_t - x_t)^2, t = 1..T
//
// A *team* of TEAM threads advances a quad of one member's sequences; a workgroup holds TEAMS teams. Thread `lane`
// of a team owns the rows lane, lane + TEAM, .. (R of them) and keeps them in registers; phi(z~) of
// all rows goes through workgroup memory, read as vec4 over sequences. Each read serves 4 R multiply-adds.
// Time is a loop here: one barrier a step, because phi is double-buffered.
// M <= 64: the R rows of W are in registers (loops are unrolled in the source, so that no compiler has to prove
// an index constant). WIDE: columns of W are streamed from a copy that holds the entries of one thread side by side.
//
// Writes z_0 .. z_T, unforced (=), and per team the sum of squares and the number of observed targets (=).
#include "shared/params.wgsl"
#include "shared/index.wgsl"

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> members: array<Member>;
@group(0) @binding(2) var<storage, read> status: array<Status>;
@group(0) @binding(3) var<storage, read> theta: array<f32>;
@group(0) @binding(4) var<storage, read> copies: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> s: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> states: array<vec4<f32>>;
// (bits of the f32 sum of squares, count)
@group(0) @binding(8) var<storage, read_write> loss: array<vec2<u32>>;

// Nested, so that all but the first index of a read is a constant: one bounds check a step, not one a read.
var<workgroup> phi: array<array<array<vec4<f32>, GROUP>, (M + GROUP - 1) / GROUP>, 2 * TEAMS>;
var<workgroup> sums: array<f32, THREADS>;
var<workgroup> counts: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(local_invocation_index) lid: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    #include "shared/team.wgsl"
    #for r in range(R)
    let h_$r$ = theta[base + H_AT + i_$r$];
    #endfor
    #include "shared/weights.wgsl"

    var state = array<vec4<f32>, R>();
    var next_x = array<vec4<f32>, RN>();
    var square = vec4<f32>();
    var count = vec4<f32>();
    #for r in range(R)
    if i_$r$ < N {
        state[$r$] = known(x[quad * x_step + i_$r$]);
    } else {
        for (var n = 0u; n < N; n++) {
            let l = theta[base + L_AT + (i_$r$ - N) * N + n];
            state[$r$] += l * known(x[quad * x_step + n]);
        }
    }
    if running && row_$r$ < M {
        states[quad * z_step + row_$r$] = state[$r$];
    }
    #endfor

    var to_forcing = member.tau;
    for (var t = 0u; t < params.T; t++) {
        let buffer = (t & 1) * TEAMS + team;
        if running {
            #for r in range(RN)
            if row_$r$ < N {
                if to_forcing == 0 {
                    let a = member.alpha * observed(next_x[$r$]);
                    state[$r$] = a * next_x[$r$] + (1.0 - a) * state[$r$];
                }
                next_x[$r$] = x[quad * x_step + (t + 1) * N + row_$r$];
            }
            #endfor
            #for r in range(R)
            if row_$r$ < M {
                phi[buffer][row_$r$ / GROUP][row_$r$ % GROUP] =
                    select(state[$r$], max(state[$r$], vec4(0.0)), row_$r$ >= linear_units);
            }
            #endfor
        }
        to_forcing = select(to_forcing, member.tau, to_forcing == 0) - 1;
        workgroupBarrier();

        if running {
            let s_at = t + 1;
            #include "shared/advance.wgsl"
            #for r in range(R)
            if row_$r$ < M {
                states[quad * z_step + (t + 1) * M + row_$r$] = state[$r$];
            }
            #endfor
            #for r in range(RN)
            if row_$r$ < N {
                let lanes = batch_lanes(unit % GROUPS);
                let d = state[$r$] - next_x[$r$];
                #if GAPS
                let seen = lanes * observed(next_x[$r$]);
                square += select(vec4(0.0), d * d, seen > vec4(0.0));
                count += seen;
                #else
                square += lanes * (d * d);
                #endif
            }
            #endfor
        }
    }

    sums[lid] = square.x + square.y + square.z + square.w;
    counts[lid] = count.x + count.y + count.z + count.w;
    workgroupBarrier();
    if running && lane == 0 {
        var total = 0.0;
        var targets = 0.0;
        for (var k = 0u; k < TEAM; k++) {
            total += sums[lid + k];
            targets += counts[lid + k];
        }
        loss[unit] = vec2(bitcast<u32>(total), u32(targets));
    }
}
