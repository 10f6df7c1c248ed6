// How far the data's visits to bins are from a run's: sum over bins of (c + a) ln((c + a) / (g + a)), c and g being the visits and a
// their pseudo-count (metrics/dstsp_bins.rs), and how many rows of the run were counted.
//
// Workgroup = model. Writes the first entries of its `answers`: both, and the sum of ln |v| of rollout.wgsl (=).
#include "shared/index.wgsl"
#include "shared/runs.wgsl"
#include "shared/reduce.wgsl"

@group(0) @binding(0) var<uniform> params: RunParams;
// Of the data: visits and pseudo-count together.
@group(0) @binding(1) var<storage, read> data_visits: array<f32>;
@group(0) @binding(2) var<storage, read> visits: array<u32>;
@group(0) @binding(3) var<storage, read> growth: array<f32>;
@group(0) @binding(4) var<storage, read_write> answers: array<f32>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(local_invocation_index) lid: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let e = linear_workgroup(group, groups);
    if e >= params.models {
        return;
    }
    // The pseudo-count is what stands where the data never were.
    let pseudo = data_visits[ALL_BINS];
    var terms = 0.0;
    var inside = 0u;
    for (var bin = lid; bin < ALL_BINS; bin += THREADS) {
        let c = data_visits[bin];
        let g = visits[e * ALL_BINS + bin];
        terms += c * log(c / (f32(g) + pseudo));
        inside += g;
    }
    let all_terms = workgroup_sum(lid, terms);
    // Whole numbers below 2^24.
    let all_inside = workgroup_sum(lid, f32(inside));
    if lid == 0 {
        answers[e * ANSWERS] = all_terms;
        answers[e * ANSWERS + 1] = all_inside;
        answers[e * ANSWERS + 2] = growth[e];
    }
}
