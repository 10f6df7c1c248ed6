//! How many ReLUs do these data need? The fewest with which models reconstruct them, and what is proven of that number.
//!
//! A study of several `P` (all else equal, the same seeds) is judged by held-out data. A model *succeeds* where its last
//! state scores within a tenth of the way from the best `P`'s median to what a run scores that stays in one place, its free
//! run neither rests nor repeats itself nor is too rough, and it has the fixed points that most good models of the best `P`
//! have. A region, where the map is affine, holds one isolated fixed point at most, and `P` ReLUs make `2^P` regions: so many
//! fixed points prove a bound from below, as does chaos, which no linear map has.
//!
//! Models with more ReLUs find the dynamics more often than those with the fewest. [`reduce()`] makes small ones of them: units
//! that tell no fixed points apart become linear (`fit`, `retrain`), or the regions that are left are coded anew with fewer
//! bits (`recode`), each of which becomes a hinge that is fitted to the large model's own run (`hinges`, `recoded`).
#![allow(non_snake_case, reason = "the paper's symbols")]

mod certificate;
mod fit;
mod hinges;
mod judge;
mod recode;
mod recoded;
mod reduce;
mod retrain;
mod separate;
mod text;

pub use certificate::{Certificate, Found, Reduced, Size, Vote};
pub use judge::{Judge, JudgedModel};
pub use reduce::{Outcome, reduce};
pub use retrain::{Parent, retrain};
