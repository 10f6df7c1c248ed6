//! Reading a trained model: linear regions and their symbols, transitions, exact fixed points and cycles, periodic orbits of
//! models that stand for flows, Lyapunov spectrum. In f64 on the CPU, from parameters and arrays alone.
//!
//! Inside one region the AL-RNN is the affine map `z' = (diag(A) + W D) z + h`, where `D` switches the last `P`
//! units on or off; a region is named by these `P` bits. Everything here follows from that.
#![allow(non_snake_case, reason = "the paper's symbols")]

mod agreement;
mod analyze;
mod closing;
mod cycles;
mod encode;
mod entropy;
mod fixed_points;
mod free_run;
mod graph;
mod input;
mod linalg;
mod lyapunov;
mod map;
mod match_lengths;
mod orbit;
mod output;
mod periodic;
mod reading;
mod reduce;
mod regions;
mod returns;
mod stability;
mod summary;
mod surrogates;
mod symbols;
mod turns;
mod word_map;
mod words;

pub use agreement::{
    Agreement, ConsensusEdge, ConsensusNode, MatchedPoints, ModelAgreement, PairAgreement, SharedPoint,
    has_all, shared_points,
};
pub use analyze::{Analysis, Attractor, EntropyRates, analyze};
pub use cycles::{Cycle, PeriodSearch};
pub use entropy::{BlockEntropy, SequenceStatistics};
pub use fixed_points::{FixedPoint, FixedPoints};
pub use graph::{GraphNode, TransitionGraph};
pub use input::{AnalysisInput, AnalysisSettings};
pub use linalg::Eigenvalue;
pub use lyapunov::{Lyapunov, Sign};
pub use map::Map;
pub use match_lengths::{EntropyRate, match_length_rate};
pub use periodic::{DataReturn, PeriodicOrbit, PeriodicOrbits};
pub use reading::{Graph, Reading};
pub use reduce::{Reduction, Reductions};
pub use regions::{DataCoverage, Dwell, Region, Regions};
pub use stability::{Stability, StabilityKind};
pub use surrogates::SurrogateBand;
pub use symbols::Code;
pub use turns::TurnCode;
pub use word_map::DegenerateWord;
pub use words::{ForbiddenWord, Word};
