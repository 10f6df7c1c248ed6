// Free runs of many models, each from a start of its own, with a tangent vector along their first steps:
//   z' = A o z + W phi(z) + h      v' = A o v + W (d(z) o v)      v divided by its length every STRETCH steps
// for a bounded number of steps a dispatch; both are carried from one to the next.
//
// Workgroup = TEAMS models, thread = a unit of one; a read of workgroup memory serves z and v.
// Writes the observed units column by column, x [model][N][rows] (=), z and v (=), and the sum of ln |v| so far (=).
#include "shared/index.wgsl"
#include "shared/runs.wgsl"

@group(0) @binding(0) var<uniform> params: RunParams;
// P of each model
@group(0) @binding(1) var<storage, read> relus: array<u32>;
@group(0) @binding(2) var<storage, read> theta: array<f32>;
// (z, v): [models][M]; z_0 and v_0 at first
@group(0) @binding(3) var<storage, read_write> carried: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read_write> growth: array<f32>;
@group(0) @binding(5) var<storage, read_write> x: array<f32>;

// What ReLUs let pass of z and v, of this step and the next in turn.
var<workgroup> passed: array<array<vec2<f32>, M>, 2 * TEAMS>;
var<workgroup> squares: array<array<f32, M>, TEAMS>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(local_invocation_index) lid: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let i = lid % M;
    let team = lid / M;
    let unit = linear_workgroup(group, groups) * TEAMS + team;
    let running = unit < params.models;
    let e = min(unit, params.models - 1);
    let base = e * N_PARAMS;
    let rectifies = i >= M - relus[e];
    let A = theta[base + i];
    let h = theta[base + H_AT + i];
    #if not WIDE
    #for j in range(M)
    let w_$j$ = theta[base + W_AT + i * M + $j$];
    #endfor
    #endif
    let column = (e * N + min(i, N - 1)) * params.rows;

    var now = carried[e * M + i];
    var sum_of_logs = growth[e];
    if running && params.done == 0 && i < N {
        x[column] = now.x;
    }
    for (var step = 0u; step < params.steps; step++) {
        let t = params.done + step;
        let buffer = (step & 1) * TEAMS + team;
        passed[buffer][i] = select(now, vec2(0.0), rectifies && now.x <= 0.0);
        workgroupBarrier();
        var next = vec2(fma(A, now.x, h), A * now.y);
        #if WIDE
        for (var j = 0u; j < M; j++) {
            next = fma(vec2(theta[base + W_AT + i * M + j]), passed[buffer][j], next);
        }
        #else
        #for j in range(M)
        next = fma(vec2(w_$j$), passed[buffer][$j$], next);
        #endfor
        #endif
        now = next;
        if running && i < N {
            x[column + t + 1] = now.x;
        }
        if t < params.tangent && (t + 1) % STRETCH == 0 {
            squares[team][i] = now.y * now.y;
            workgroupBarrier();
            var square = 0.0;
            #for j in range(M)
            square += squares[team][$j$];
            #endfor
            let length = sqrt(square);
            now.y /= length;
            if t >= params.settled {
                sum_of_logs += log(length);
            }
        }
    }
    if running {
        carried[e * M + i] = now;
        if i == 0 {
            growth[e] = sum_of_logs;
        }
    }
}
