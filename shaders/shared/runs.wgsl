// What the host tells the kernels of statistics/. Mirror in src/backend/gpu/memory/params.rs.
struct RunParams {
    // Steps of this dispatch, and those done before.
    steps: u32,
    done: u32,
    models: u32,
    // Rows of a run: the start and all steps.
    rows: u32,
    // Steps that a tangent vector follows; its growth counts from step `settled` on.
    tangent: u32,
    settled: u32,
    // Workgroups of visits.wgsl to a model.
    slices: u32,
    pad0: u32,
}
