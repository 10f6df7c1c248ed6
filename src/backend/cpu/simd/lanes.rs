//! Vectors as wide as the instruction set's, or half as wide.

use pulp::{Arch, Simd, WithSimd};

use crate::backend::cpu::simd::machine::{Machine, machine};

/// Vectors of sequences: those of an instruction set, or of half its width.
#[derive(Clone, Copy)]
pub enum Lanes {
    Whole(Arch),
    /// Eight lanes with the instructions and registers of AVX-512.
    #[cfg(target_arch = "x86_64")]
    Half(pulp::x86::V4, pulp::x86::V3),
}

impl Lanes {
    /// Half as many as `arch` has, where there is such a thing.
    pub fn half(arch: Arch) -> Option<Self> {
        match arch {
            #[cfg(target_arch = "x86_64")]
            Arch::V4(wide) => Some(Self::Half(wide, *wide)),
            _ => None,
        }
    }

    pub fn machine(self) -> Machine {
        match self {
            Self::Whole(arch) => machine(arch),
            #[cfg(target_arch = "x86_64")]
            Self::Half(wide, narrow) => Machine {
                lanes: machine(Arch::V3(narrow)).lanes,
                ..machine(Arch::V4(wide))
            },
        }
    }

    /// Runs `op`. What it does must not leave for a function compiled for its own instruction set.
    pub fn dispatch<Op: WithSimd>(self, op: Op) -> Op::Output {
        match self {
            Self::Whole(arch) => arch.dispatch(op),
            #[cfg(target_arch = "x86_64")]
            Self::Half(wide, narrow) => Simd::vectorize(wide, WithHalf { narrow, op }),
        }
    }
}

/// An operation on half vectors in a function compiled for whole ones.
#[cfg(target_arch = "x86_64")]
struct WithHalf<Op> {
    narrow: pulp::x86::V3,
    op: Op,
}

#[cfg(target_arch = "x86_64")]
impl<Op: WithSimd> WithSimd for WithHalf<Op> {
    type Output = Op::Output;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _wide: S) -> Op::Output {
        self.op.with_simd(self.narrow)
    }
}
