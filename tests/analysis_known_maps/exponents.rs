//! Exponents that are 0: what is decided by their sign does not turn on rounding.

use alrnn_gpu::analysis::{Analysis, AnalysisSettings, Attractor, Sign};
use alrnn_gpu::model::Theta;

use super::{run, run_case, settings, theta};

fn quick() -> AnalysisSettings {
    AnalysisSettings {
        steps: 5000,
        surrogates: 0,
        ..settings()
    }
}

fn signs(analysis: &Analysis) -> Vec<Sign> {
    analysis.lyapunov.as_ref().expect("bounded").signs.clone()
}

fn dimension(analysis: &Analysis) -> f64 {
    analysis.lyapunov.as_ref().expect("bounded").kaplan_yorke
}

#[test]
fn rotations_have_dimension_2() {
    use Sign::{Negative, Zero};
    for name in ["kaplan-yorke/rotation-0.3", "kaplan-yorke/rotation-0.7"] {
        let analysis = run_case(name, &quick());
        assert_eq!(dimension(&analysis), 2.0, "{name}");
        assert_eq!(signs(&analysis), [Zero, Zero, Negative], "{name}");
        assert_eq!(analysis.attractor, Attractor::Regular, "{name}");
        let text = analysis.summary();
        assert!(text.contains("0 positive, 2 zero, 1 negative"), "{text}");
    }
}

/// Rotation by `angle` times `r`, in coordinates sheared by `shear`, beside a direction that shrinks by 0.6.
fn spiral(angle: f64, r: f64, shear: f64) -> Theta {
    let (sin, cos) = angle.sin_cos();
    // S R S⁻¹ with S = [[1, shear], [0, 1]].
    let matrix = [
        [cos + shear * sin, -sin * (1.0 + shear * shear)],
        [sin, cos - shear * sin],
    ]
    .map(|row| row.map(|v| r * v));
    theta(
        [matrix[0][0], matrix[1][1], 0.6],
        [[0.0, matrix[0][1], 0.0], [matrix[1][0], 0.0, 0.0], [0.0; 3]],
        [0.0; 3],
    )
}

#[test]
fn whatever_the_angle_and_the_coordinates_a_rotation_has_dimension_2() {
    for i in 1..=30 {
        let analysis = run(
            &spiral(0.1 * f64::from(i), 1.0, 0.2 * f64::from(i % 7)),
            0,
            1.0,
            &quick(),
        );
        assert_eq!(dimension(&analysis), 2.0, "angle 0.1 · {i}");
        assert_eq!(analysis.lyapunov.as_ref().map(|l| l.positive_sum), Some(0.0));
    }
}

/// A spiral that shrinks clearly has dimension 0, and the verdict says that it contracts.
#[test]
fn a_spiral_that_shrinks_has_dimension_0() {
    for r in [1.0 - 1e-4, 0.9999, 0.999] {
        let analysis = run(&spiral(0.3, r, 0.0), 0, 1.0, &quick());
        assert_eq!(dimension(&analysis), 0.0, "r {r}");
        assert_eq!(signs(&analysis), [Sign::Negative; 3], "r {r}");
        assert!(
            matches!(analysis.attractor, Attractor::Settling | Attractor::FixedPoint),
            "r {r}: {:?}",
            analysis.attractor
        );
    }
}
