use nalgebra::DMatrix;

use super::linalg::{Eigenvalue, eigenvalues};

/// An eigenvalue within this of the unit circle is called marginal: parameters trained in f32 (relative
/// precision 6e-8) cannot tell.
const MARGINAL: f64 = 1e-6;

/// What the eigenvalues of a fixed point or cycle say.
///
/// *Focus*: the eigenvalue of largest modulus (the slowest-decaying or fastest-growing one) is a complex pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StabilityKind {
    StableNode,
    StableFocus,
    UnstableNode,
    UnstableFocus,
    /// Grows and decays; grows along a real eigenvector.
    Saddle,
    /// Grows and decays; grows in a spiral.
    SaddleFocus,
    /// Nothing grows and a complex pair on the unit circle rotates.
    Center,
    /// Nothing grows and a real eigenvalue is on the unit circle.
    Marginal,
    /// The eigenvalues could not be computed.
    Unknown,
}

impl StabilityKind {
    pub fn text(self) -> &'static str {
        match self {
            Self::StableNode => "stable node",
            Self::StableFocus => "stable focus",
            Self::UnstableNode => "unstable node",
            Self::UnstableFocus => "unstable focus",
            Self::Saddle => "saddle",
            Self::SaddleFocus => "saddle focus",
            Self::Center => "centre",
            Self::Marginal => "marginal",
            Self::Unknown => "unknown",
        }
    }
}

/// Linear stability of a fixed point (Jacobian) or a cycle (product of Jacobians along it).
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Stability {
    #[serde(rename = "type")]
    pub kind: StabilityKind,
    /// By falling modulus; empty where they could not be computed.
    pub eigenvalues: Vec<Eigenvalue>,
    /// Number of eigenvalues outside the unit circle: the dimension of the unstable manifold.
    pub unstable_dimension: usize,
    /// Number of eigenvalues on the unit circle (within 1e-6).
    pub marginal_dimension: usize,
}

impl Stability {
    pub fn of(jacobian: &DMatrix<f64>) -> Self {
        let found = eigenvalues(jacobian);
        let unknown = found.is_none();
        let eigenvalues = found.unwrap_or_default();
        let moduli = eigenvalues.iter().map(Eigenvalue::modulus);
        let unstable_dimension = moduli.clone().filter(|m| *m > 1.0 + MARGINAL).count();
        let stable_dimension = moduli.filter(|m| *m < 1.0 - MARGINAL).count();
        let marginal_dimension = eigenvalues.len() - unstable_dimension - stable_dimension;
        let spirals = eigenvalues.first().is_some_and(|e| e.im != 0.0);
        let kind = match (unstable_dimension > 0, marginal_dimension > 0, spirals) {
            _ if unknown => StabilityKind::Unknown,
            (true, _, true) if stable_dimension > 0 => StabilityKind::SaddleFocus,
            (true, _, false) if stable_dimension > 0 => StabilityKind::Saddle,
            (true, _, true) => StabilityKind::UnstableFocus,
            (true, _, false) => StabilityKind::UnstableNode,
            (false, true, true) => StabilityKind::Center,
            (false, true, false) => StabilityKind::Marginal,
            (false, false, true) => StabilityKind::StableFocus,
            (false, false, false) => StabilityKind::StableNode,
        };
        Self {
            kind,
            eigenvalues,
            unstable_dimension,
            marginal_dimension,
        }
    }

    /// Attracts everything near it.
    pub fn is_stable(&self) -> bool {
        self.unstable_dimension == 0 && self.marginal_dimension == 0 && self.kind != StabilityKind::Unknown
    }

    /// For example `saddle focus, 2 unstable` or `centre, 2 on the unit circle`.
    pub fn text(&self) -> String {
        let mut text = self.kind.text().to_owned();
        if self.unstable_dimension > 0 {
            text += &format!(", {} unstable", self.unstable_dimension);
        }
        if self.marginal_dimension > 0 {
            text += &format!(", {} on the unit circle", self.marginal_dimension);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_known_matrices() {
        use StabilityKind::*;
        let rotation = |r: f64, rest: f64| {
            let (sin, cos) = 0.7f64.sin_cos();
            DMatrix::from_row_slice(
                3,
                3,
                &[r * cos, -r * sin, 0.0, r * sin, r * cos, 0.0, 0.0, 0.0, rest],
            )
        };
        let diagonal = |values: &[f64]| DMatrix::from_diagonal(&nalgebra::DVector::from_column_slice(values));
        let cases = [
            (rotation(0.9, 0.5), StableFocus, 0, 0),
            (rotation(0.5, 0.9), StableNode, 0, 0),
            (rotation(1.1, 0.5), SaddleFocus, 2, 0),
            (rotation(0.5, -1.1), Saddle, 1, 0),
            (rotation(1.0, 0.3), Center, 0, 2),
            (rotation(1.2, 1.1), UnstableFocus, 3, 0),
            (diagonal(&[1.5, -2.0]), UnstableNode, 2, 0),
            (diagonal(&[1.0 - 1e-7, 0.2]), Marginal, 0, 1),
        ];
        for (matrix, kind, unstable, marginal) in cases {
            let found = Stability::of(&matrix);
            assert_eq!(
                (found.kind, found.unstable_dimension, found.marginal_dimension),
                (kind, unstable, marginal),
                "{matrix}"
            );
        }
        assert_eq!(
            Stability::of(&DMatrix::from_element(2, 2, f64::NAN)).kind,
            Unknown
        );
    }
}
