//! `tests/golden/*.npz` and `tests/golden/data/*.npz`.

use alrnn_gpu::backend::golden::{GoldenCase, check_case, load_cases};
use alrnn_gpu::backend::{Backend, Form, Gradient};

use super::parity::difference;

pub fn all_cases() -> Vec<GoldenCase> {
    let folder = super::checkout().join("tests/golden");
    let mut cases = load_cases(&folder).expect("the golden cases load");
    cases.extend(load_cases(folder.join("data")).expect("the golden cases with gaps and inputs load"));
    assert!(cases.len() >= 16, "only {} golden cases found", cases.len());
    cases
}

/// Fails with every case's errors where one is above `tolerance` (or not a number).
pub fn check(backend: &dyn Backend, form: Form, tolerance: f64) {
    check_cases(backend, form, tolerance, all_cases());
}

/// [`check`] of some cases.
pub fn check_cases(backend: &dyn Backend, form: Form, tolerance: f64, cases: Vec<GoldenCase>) {
    let mut failures = String::new();
    for case in cases {
        let errors = check_case(backend, &case, form).expect("the backend computes the case");
        println!("{:12} {form:?} {errors:?}", case.name);
        if !errors.within(tolerance) {
            failures += &format!("\n{} {form:?}: {errors:?}", case.name);
            let got = backend
                .gradient(case.shape, &case.member, form, &case.theta, &case.windows)
                .expect("as before");
            for (what, got, want) in fields(&got, &case.expected) {
                failures += &format!("\n  {what}: {}", difference(&got, &want));
            }
        }
    }
    assert!(
        failures.is_empty(),
        "relative errors above {tolerance:e}:{failures}"
    );
}

/// What is compared of two gradients, by name.
pub fn fields(got: &Gradient, want: &Gradient) -> Vec<(&'static str, Vec<f64>, Vec<f64>)> {
    let of = |g: &Gradient| {
        [
            ("loss", vec![g.mse, g.reg]),
            ("z", g.z.iter().copied().collect()),
            ("dA", g.theta.A.to_vec()),
            ("dW", g.theta.W.iter().copied().collect()),
            ("dh", g.theta.h.to_vec()),
            ("dL", g.theta.L.iter().copied().collect()),
            ("dC", g.theta.C.iter().copied().collect()),
        ]
    };
    let pairs = of(got).into_iter().zip(of(want));
    pairs.map(|((what, got), (_, want))| (what, got, want)).collect()
}
