//! Training: from settings and data to a run folder ([`run()`]). All ensembles of a study advance epoch by epoch; every so
//! often their members are scored and the run folder is brought up to date.
#![allow(non_snake_case, reason = "the paper's symbols")]

mod data;
mod observer;
mod place;
mod polish;
mod robust;
mod room;
mod run;
mod task;
mod trainer;

pub use data::Data;
pub use observer::{Ending, Evaluation, Observer, Progress, Start};
pub use place::Place;
pub use polish::polish;
pub use robust::{Said, robust};
pub use run::{Outcome, run, run_on};
pub use task::Task;
