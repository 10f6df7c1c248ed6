//! Mirrors of the structs of `shaders/shared/params.wgsl` and `shaders/free_run.wgsl`. tests/layout.rs compares
//! names, offsets and sizes with naga's reading of the shaders.

use bytemuck::{Pod, Zeroable};

/// One optimiser step.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct Params {
    pub step: u32,
    pub first: u32,
    pub gradient_only: u32,
    pub T: u32,
    pub starts: u32,
    pub slices: u32,
    pub m_scale: f32,
    pub v_scale: f32,
    pub rect: f32,
    pub targets: f32,
    pub pad0: u32,
    pub pad1: u32,
}

/// What may differ between members.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct Member {
    pub seed: u32,
    pub P: u32,
    pub tau: u32,
    pub pad0: u32,
    pub alpha: f32,
    pub noise: f32,
    pub lambda_lat: f32,
    pub lambda_obs: f32,
    pub clip: f32,
    pub clips: u32,
    pub pad1: u32,
    pub pad2: u32,
}

impl Member {
    /// A member as the kernels see it; `T` caps the forcing interval, which may be any number that never forces.
    pub fn new(member: &crate::backend::Member, T: usize) -> Self {
        Self {
            seed: member.seed,
            P: member.P as u32,
            tau: member.tau.clamp(1, T.max(1)) as u32,
            alpha: member.alpha as f32,
            noise: member.noise as f32,
            lambda_lat: member.lambda_lat as f32,
            lambda_obs: member.lambda_obs as f32,
            clip: member.clip.map_or(0.0, |c| c as f32),
            clips: u32::from(member.clip.is_some()),
            ..Self::default()
        }
    }
}

/// How a member fares.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct Status {
    /// Optimiser step, counted from 1; 0 while the member trains.
    pub stopped_at: u32,
    pub loss_sum: f32,
    pub mse: f32,
    pub reg: f32,
    /// Form of the last step: 0, or 1 for the one that is fallen back on.
    pub form: u32,
    pub pad0: u32,
    pub pad1: u32,
    pub pad2: u32,
}

/// One dispatch of a free run.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct FreeParams {
    pub steps: u32,
    pub start: u32,
    pub runs: u32,
    pub rows: u32,
    pub models: u32,
    pub pad0: u32,
    pub pad1: u32,
    pub pad2: u32,
}

/// Name, offset and size of the fields of each mirror, for comparison with the shaders.
pub type Fields = Vec<(&'static str, usize)>;

macro_rules! offsets {
    ($type:ident: $($field:ident),*) => {
        (stringify!($type), vec![$((stringify!($field), std::mem::offset_of!($type, $field))),*], size_of::<$type>())
    };
}

/// Every mirrored struct: name in WGSL, its fields with their offsets, its size.
pub fn mirrors() -> [(&'static str, Fields, usize); 4] {
    [
        offsets!(Params: step, first, gradient_only, T, starts, slices, m_scale, v_scale, rect, targets, pad0, pad1),
        offsets!(Member: seed, P, tau, pad0, alpha, noise, lambda_lat, lambda_obs, clip, clips, pad1, pad2),
        offsets!(Status: stopped_at, loss_sum, mse, reg, form, pad0, pad1, pad2),
        offsets!(FreeParams: steps, start, runs, rows, models, pad0, pad1, pad2),
    ]
}
