// Counts how often runs visit each bin. A row is looked at through AXES, whose AXIS directions in the space of the observed
// units are those units themselves or principal components; rows outside the range, or not finite, are left out.
//
// Workgroup = (model, slice of its rows), thread = every so many rows. Adds to `visits` [model][BINS to the power of AXES].
#include "shared/index.wgsl"
#include "shared/runs.wgsl"

@group(0) @binding(0) var<uniform> params: RunParams;
// [model][N][rows]
@group(0) @binding(1) var<storage, read> x: array<f32>;
// [AXES][N]
@group(0) @binding(2) var<storage, read> axes: array<f32>;
// (low end, bins per unit) of each axis
@group(0) @binding(3) var<storage, read> ranges: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read_write> visits: array<atomic<u32>>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(local_invocation_index) lid: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let unit = linear_workgroup(group, groups);
    let e = unit / params.slices;
    if e >= params.models {
        return;
    }
    for (var t = unit % params.slices * THREADS + lid; t < params.rows; t += params.slices * THREADS) {
        var bin = 0u;
        var inside = true;
        for (var axis = 0u; axis < AXES; axis++) {
            var value = 0.0;
            for (var n = 0u; n < N; n++) {
                let weight = axes[axis * N + n];
                if weight != 0.0 {
                    value = fma(weight, x[(e * N + n) * params.rows + t], value);
                }
            }
            let position = (value - ranges[axis].x) * ranges[axis].y;
            inside = inside && !not_finite(position) && position >= 0.0 && position <= f32(BINS);
            // The upper end belongs to the last bin.
            bin = bin * BINS + min(u32(clamp(position, 0.0, f32(BINS))), BINS - 1);
        }
        if inside {
            atomicAdd(&visits[e * ALL_BINS + bin], 1u);
        }
    }
}
