//! Mirrors of the structs of `shaders/shared/params.wgsl`, `shaders/shared/runs.wgsl` and `shaders/free_run.wgsl`. tests/layout.rs compares
//! names, offsets and sizes with naga's reading of the shaders.

use bytemuck::{Pod, Zeroable};

/// Name and offset of the fields of a mirror, for comparison with the shaders.
pub type Fields = Vec<(&'static str, usize)>;

macro_rules! mirrors {
    ($($(#[$about:meta])* struct $name:ident { $($(#[$of:meta])* $field:ident: $kind:ty,)* })*) => {
        $($(#[$about])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
        pub struct $name { $($(#[$of])* pub $field: $kind,)* })*

        /// Every mirrored struct: name in WGSL, its fields with their offsets, its size.
        pub fn mirrors() -> Vec<(&'static str, Fields, usize)> {
            vec![$((
                stringify!($name),
                vec![$((stringify!($field), std::mem::offset_of!($name, $field))),*],
                size_of::<$name>(),
            )),*]
        }
    };
}

mirrors! {
    /// One optimiser step.
    struct Params {
        step: u32,
        first: u32,
        gradient_only: u32,
        T: u32,
        starts: u32,
        slices: u32,
        m_scale: f32,
        v_scale: f32,
        rect: f32,
        targets: f32,
        pad0: u32,
        pad1: u32,
    }

    /// What may differ between members.
    struct Member {
        seed: u32,
        P: u32,
        tau: u32,
        pad0: u32,
        alpha: f32,
        shrinkage: f32,
        lambda_lat: f32,
        lambda_obs: f32,
        clip: f32,
        clips: u32,
        pad1: u32,
        pad2: u32,
    }

    /// How a member fares.
    struct Status {
        /// Optimiser step, counted from 1; 0 while the member trains.
        stopped_at: u32,
        loss_sum: f32,
        mse: f32,
        reg: f32,
        /// Form of the last step: 0, or 1 for the one that is fallen back on.
        form: u32,
        pad0: u32,
        pad1: u32,
        pad2: u32,
    }

    /// One dispatch of the free runs that statistics are made of.
    struct RunParams {
        steps: u32,
        done: u32,
        models: u32,
        rows: u32,
        tangent: u32,
        settled: u32,
        slices: u32,
        pad0: u32,
    }

    /// One dispatch of a free run.
    struct FreeParams {
        steps: u32,
        start: u32,
        runs: u32,
        rows: u32,
        models: u32,
        pad0: u32,
        pad1: u32,
        pad2: u32,
    }
}

impl Member {
    /// A member as the kernels see it; `T` caps the forcing interval, which may be any number that never forces.
    pub fn new(member: &crate::backend::Member, T: usize) -> Self {
        Self {
            seed: member.seed,
            P: member.P as u32,
            tau: member.tau.clamp(1, T.max(1)) as u32,
            alpha: member.alpha as f32,
            shrinkage: member.inflation.recip() as f32,
            lambda_lat: member.lambda_lat as f32,
            lambda_obs: member.lambda_obs as f32,
            clip: member.clip.map_or(0.0, |c| c as f32),
            clips: u32::from(member.clip.is_some()),
            ..Self::default()
        }
    }
}

impl Status {
    /// The step that was not finite, if there was one.
    pub fn stopped_at(&self) -> Option<u32> {
        Some(self.stopped_at).filter(|&step| step > 0)
    }
}
