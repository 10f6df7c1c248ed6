// What the host tells the kernels. Mirrors in src/backend/gpu/memory/params.rs; tests/layout.rs compares the two.
// Only 4-byte scalars, sizes a multiple of 16.

// One optimiser step, the same for all members.
struct Params {
    // Optimiser step, counted from 0.
    step: u32,
    // 1 at the first step of an epoch.
    first: u32,
    // 1 to stop after the gradient (nothing is updated).
    gradient_only: u32,
    // Steps predicted per window.
    T: u32,
    // Number of rows at which a window may start.
    starts: u32,
    // Workgroups of `sample` per quad of sequences.
    slices: u32,
    // Bias corrections and rectification of the optimiser, see optimizer.rs.
    m_scale: f32,
    v_scale: f32,
    rect: f32,
    // S * T * N, the number of targets of a batch without gaps.
    targets: f32,
    pad0: u32,
    pad1: u32,
}

// What may differ between the members of an ensemble.
struct Member {
    seed: u32,
    P: u32,
    tau: u32,
    pad0: u32,
    alpha: f32,
    // What observations that states are forced to are multiplied by.
    shrinkage: f32,
    lambda_lat: f32,
    lambda_obs: f32,
    // Largest global gradient norm, where `clips` is 1.
    clip: f32,
    clips: u32,
    pad1: u32,
    pad2: u32,
}

// How a member fares.
struct Status {
    // Optimiser step (counted from 1) that was not finite, 0 while the member trains.
    stopped_at: u32,
    // Sum of the losses of the epoch so far.
    loss_sum: f32,
    // The last step's error and regularisation.
    mse: f32,
    reg: f32,
    // In which form the step is computed: 0, or 1 for the one that blocked/powers.wgsl falls back on.
    form: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

// Whether this kernel has a part in the step of a member.
fn takes_part(status: Status) -> bool {
    return status.stopped_at == 0 && status.form == FORM;
}
