// Sums over a workgroup of THREADS (a power of two) in a fixed order. Every invocation must call.

var<workgroup> reduce_scratch: array<f32, THREADS>;

fn workgroup_sum(lid: u32, value: f32) -> f32 {
    reduce_scratch[lid] = value;
    workgroupBarrier();
    for (var half = THREADS / 2; half > 0; half = half / 2) {
        if lid < half {
            reduce_scratch[lid] += reduce_scratch[lid + half];
        }
        workgroupBarrier();
    }
    let total = reduce_scratch[0];
    workgroupBarrier();
    return total;
}

// Whether the condition holds for any invocation of the workgroup.
fn workgroup_any(lid: u32, condition: bool) -> bool {
    return workgroup_sum(lid, select(0.0, 1.0, condition)) > 0.0;
}
