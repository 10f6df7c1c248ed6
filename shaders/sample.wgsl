// Draws each member's batch of windows, adds observation noise, and shrinks what states are forced to:
//   x[e][q][t][n] = (data[start_s + t][n] + noise_e * normal) * shrinkage_e        at t = 0, tau, 2 tau, ... < T
//   x[e][q][t][n] = data[start_s + t][n] + noise_e * normal                        elsewhere
//   (a missing entry stays missing)
//   s[e][q][t][k] = inputs[start_s + t][k]
// Window starts are threefry(key = (seed, 0), counter = (step, s)); the normals of elements 2p and 2p+1 of the
// window of sequence s (element t*N + n) come from key (seed, 1), counter (step, p*S + s). See src/rng/mod.rs.
//
// Workgroup = (quad of sequences, slice of the window); thread = one pair of elements of the four sequences.
// Writes x and s (=).
#include "shared/params.wgsl"
#include "shared/index.wgsl"
#include "shared/threefry.wgsl"
#include "shared/normal.wgsl"

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> members: array<Member>;
@group(0) @binding(2) var<storage, read> data: array<f32>;
@group(0) @binding(3) var<storage, read> inputs: array<f32>;
@group(0) @binding(4) var<storage, read> starts: array<u32>;
@group(0) @binding(5) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> s: array<vec4<f32>>;
// Learning rate and noise of the epoch, one pair a member.
@group(0) @binding(7) var<storage, read> rates: array<vec2<f32>>;

var<workgroup> first_row: array<u32, 4>;

fn sequence(q: u32, lane: u32) -> u32 {
    return min(4 * q + lane, S - 1);
}

fn observation(value: f32, noise: f32, shrinkage: f32) -> f32 {
    return select(shrinkage * (value + noise), value, value >= MISSING);
}

// Factor of an element of the window.
fn shrinkage(e: u32, element: u32) -> f32 {
    let t = element / N;
    return select(1.0, members[e].shrinkage, t % members[e].tau == 0 && t < params.T);
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(local_invocation_index) lid: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let at = linear_workgroup(group, groups);
    let quad = at / params.slices;
    let slice = at % params.slices;
    let inside = quad < arrayLength(&members) * Q;
    let e = min(quad / Q, arrayLength(&members) - 1);
    let q = quad % Q;
    let seed = members[e].seed;
    if lid < 4 {
        let word = threefry2x32(vec2(seed, STREAM_WINDOW), vec2(params.step, sequence(q, lid))).x;
        first_row[lid] = starts[uniform_index(word, params.starts)];
    }
    workgroupBarrier();

    let elements = (params.T + 1) * N;
    let pair = slice * THREADS + lid;
    if inside && 2 * pair < elements {
        let noise = rates[e].y;
        let shrink = vec2(shrinkage(e, 2 * pair), shrinkage(e, 2 * pair + 1));
        let out = quad * elements + 2 * pair;
        let both = 2 * pair + 1 < elements;
        var even = vec4<f32>();
        var odd = vec4<f32>();
        #for l in range(4)
        {
            var n = vec2(0.0);
            if noise != 0.0 {
                let counter = vec2(params.step, pair * S + sequence(q, $l$));
                n = noise * normal_pair(threefry2x32(vec2(seed, STREAM_NOISE), counter));
            }
            let row = first_row[$l$] * N + 2 * pair;
            even[$l$] = observation(data[row], n.x, shrink.x);
            if both {
                odd[$l$] = observation(data[row + 1], n.y, shrink.y);
            }
        }
        #endfor
        x[out] = even;
        if both {
            x[out + 1] = odd;
        }
    }
    #if INPUTS
    let length = (params.T + 1) * K;
    if inside {
        for (var k = pair; k < length; k += params.slices * THREADS) {
            var input = vec4<f32>();
            #for l in range(4)
            input[$l$] = inputs[first_row[$l$] * K + k];
            #endfor
            s[quad * length + k] = input;
        }
    }
    #endif
}
