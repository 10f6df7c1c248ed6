// One optimiser step of a member from the partial gradients of its teams:
//   g = 2 / targets * (sum of the partial gradients) + gradient of the regularisation, clipped to norm `clip`
//   m <- b1 m + (1 - b1) g,   v <- b2 v + (1 - b2) g^2
//   theta <- theta - rate * m_scale m * rect / (sqrt(v_scale v) + eps)      (rect = 0: - rate * m_scale m)
// with the regularisation  lambda_lat |max(A + diag W - 0.05, 0)|_2 + lambda_obs |L|^2.
// A loss, gradient, square of a clipped gradient or new value that is not finite stops the member and leaves its
// parameters as they were: an infinite v would hold a parameter where it is for ever, and nobody would know.
//
// Workgroup = member; threads stride over the parameters. All sums are in a fixed order, so the result has the
// same bits every time. Writes g to the first partial of each parameter (=), then moments and theta, and
// the copies of A and W where wide kernels, perhaps of the form that is fallen back on, read them.
#include "shared/params.wgsl"
#include "shared/index.wgsl"
#include "shared/reduce.wgsl"

// Without a type, so that 1 - b is rounded once.
const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON: f32 = 1e-8;
// Gradients times this have squares that f32 can hold.
const SHRINK: f32 = 0x1p-80f;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> members: array<Member>;
@group(0) @binding(2) var<storage, read_write> status: array<Status>;
// Learning rate and noise of the epoch, one pair a member.
@group(0) @binding(3) var<storage, read> rates: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> loss: array<vec2<u32>>;
@group(0) @binding(5) var<storage, read_write> partial: array<f32>;
@group(0) @binding(6) var<storage, read_write> theta: array<f32>;
// (m, v) of each parameter
@group(0) @binding(7) var<storage, read_write> moments: array<vec2<f32>>;
#if COPIED
@group(0) @binding(8) var<storage, read_write> copies: array<f32>;
#endif

// Where the partial gradients of parameter p lie: (first, distance to the next, how many).
fn parts(e: u32, p: u32) -> vec3<u32> {
    if p >= W_AT && p < H_AT {
        return vec3(e * PARTIAL + p - W_AT, M * M, GW);
    }
    let other = select(p - M * M, p, p < W_AT);
    return vec3(e * PARTIAL + GW * M * M + other, N_OTHER, GROUPS);
}

struct Step {
    m: f32,
    v: f32,
    theta: f32,
    finite: bool,
}

// `clip` holds two factors of the gradient, because one may be too small for f32.
fn advance(e: u32, p: u32, clip: vec2<f32>) -> Step {
    let g = clip.y * (clip.x * partial[parts(e, p).x]);
    let old = moments[e * N_PARAMS + p];
    let m = BETA1 * old.x + (1.0 - BETA1) * g;
    let v = BETA2 * old.y + (1.0 - BETA2) * g * g;
    var change = params.m_scale * m;
    var square = g * g;
    if params.rect != 0.0 {
        let unbiased = params.v_scale * v;
        square = max(square, unbiased);
        change *= params.rect / (sqrt(unbiased) + EPSILON);
    }
    let next = theta[e * N_PARAMS + p] - rates[e].x * change;
    return Step(m, v, next, !(not_finite(m) || not_finite(v) || not_finite(square) || not_finite(next)));
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(local_invocation_index) lid: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let at = linear_workgroup(group, groups);
    let e = min(at, arrayLength(&members) - 1);
    let member = members[e];
    let before = status[e];
    let running = at < arrayLength(&members) && takes_part(before);
    let base = e * N_PARAMS;

    var square = 0.0;
    var count = 0.0;
    for (var k = lid; k < GROUPS; k += THREADS) {
        let part = loss[e * GROUPS + k];
        square += bitcast<f32>(part.x);
        count += f32(part.y);
    }
    square = workgroup_sum(lid, square);
    #if GAPS
    let targets = workgroup_sum(lid, count);
    #else
    let targets = params.targets;
    #endif
    let weight = select(0.0, 2.0 / targets, targets > 0.0);
    let mse = 0.5 * weight * square;

    var excess = 0.0;
    for (var i = lid; i < M; i += THREADS) {
        let d = max(theta[base + i] + theta[base + W_AT + i * (M + 1)] - 0.05, 0.0);
        excess += d * d;
    }
    let norm_lat = sqrt(workgroup_sum(lid, excess));
    var observation = 0.0;
    for (var p = L_AT + lid; p < C_AT; p += THREADS) {
        observation += theta[base + p] * theta[base + p];
    }
    let reg = member.lambda_lat * norm_lat + member.lambda_obs * workgroup_sum(lid, observation);

    var norm2 = 0.0;
    var shrunk2 = 0.0;
    var bad = not_finite(mse + reg);
    if running {
        for (var p = lid; p < N_PARAMS; p += THREADS) {
            let where_ = parts(e, p);
            var g = 0.0;
            for (var k = 0u; k < where_.z; k++) {
                g += partial[where_.x + k * where_.y];
            }
            g *= weight;
            // Row and column of an entry of A or of the diagonal of W.
            var i = M;
            if p < M {
                i = p;
            } else if p < H_AT && (p - W_AT) % (M + 1) == 0 {
                i = (p - W_AT) / (M + 1);
            }
            if i < M && norm_lat > 0.0 {
                let d = max(theta[base + i] + theta[base + W_AT + i * (M + 1)] - 0.05, 0.0);
                g += member.lambda_lat * d / norm_lat;
            }
            if p >= L_AT && p < C_AT {
                g += 2.0 * member.lambda_obs * theta[base + p];
            }
            partial[where_.x] = g;
            norm2 += g * g;
            shrunk2 += (SHRINK * g) * (SHRINK * g);
            bad = bad || not_finite(g);
        }
    }
    // Where the norm's square overflows, the same of the gradient shrunk.
    norm2 = workgroup_sum(lid, norm2);
    shrunk2 = workgroup_sum(lid, shrunk2);
    let overflows = not_finite(norm2);
    let shrink = select(1.0, SHRINK, overflows);
    let norm = sqrt(select(norm2, shrunk2, overflows));
    let clipped = member.clips == 1 && norm > shrink * member.clip;
    let clip = select(vec2(1.0), vec2(shrink, member.clip / norm), clipped);

    let updating = running && params.gradient_only == 0;
    if updating {
        for (var p = lid; p < N_PARAMS; p += THREADS) {
            bad = bad || !advance(e, p, clip).finite;
        }
    }
    let stop = workgroup_any(lid, bad);
    // The regularisation above read what other threads write below.
    storageBarrier();
    if updating && !stop {
        for (var p = lid; p < N_PARAMS; p += THREADS) {
            let next = advance(e, p, clip);
            moments[base + p] = vec2(next.m, next.v);
            theta[base + p] = next.theta;
            #if COPIED
            if p < M {
                copies[e * COPIES + 2 * M * PITCH + in_copy(p)] = next.theta;
            } else if p < H_AT {
                let i = (p - W_AT) / M;
                let j = (p - W_AT) % M;
                copies[e * COPIES + j * PITCH + in_copy(i)] = next.theta;
                copies[e * COPIES + (M + i) * PITCH + in_copy(j)] = next.theta;
            }
            #endif
        }
    }
    if running && lid == 0 {
        let earlier = select(before.loss_sum, 0.0, params.first == 1);
        status[e].stopped_at = select(0u, params.step + 1, stop && updating);
        status[e].loss_sum = earlier + mse + reg;
        status[e].mse = mse;
        status[e].reg = reg;
    }
}
