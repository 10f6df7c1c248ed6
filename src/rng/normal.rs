//! Standard normals by the Box–Muller transform from `+ × sqrt` and bit operations only, so that WGSL
//! (which promises little accuracy for `log`, `sin`, `cos`) computes the same values to rounding.

/// `ln(1+f)/f` on `[√½−1, √2−1]`: near-minimax, relative error 3e-8, lowest power first.
pub const LOG: [f32; 9] = [
    1.0,
    -0.499_999_88,
    0.333_341_84,
    -0.250_021_55,
    0.199_569_78,
    -0.165_606_96,
    0.149_490_95,
    -0.143_773_3,
    0.087_439_455,
];
/// `sin(√y)/√y` on `[0, (π/4)²]`: relative error 4e-9.
pub const SIN: [f32; 4] = [1.0, -0.166_666_51, 0.008_332_036, -0.000_195_039_63];
/// `cos(√y)` on `[0, (π/4)²]`: relative error 4e-8.
pub const COS: [f32; 4] = [1.0, -0.499_998_57, 0.041_655_023, -0.001_358_584_4];
/// Bits of √½: where the mantissa range of the logarithm is cut.
pub const SQRT_HALF_BITS: i32 = 0x3f35_04f3;
/// A signed 32-bit angle, shifted right by 8, times this is an angle in `[−π/4, π/4)`.
pub const QUARTER_TURN: f32 = std::f32::consts::FRAC_PI_2 / 16_777_216.0;

fn polynomial<const D: usize>(c: [f32; D], x: f32) -> f32 {
    c[..D - 1]
        .iter()
        .rev()
        .fold(c[D - 1], |acc, &ck| acc.mul_add(x, ck))
}

/// Two independent standard normals from two random words; |n| ≤ 5.77.
///
/// `r = √(−2 ln u)` with `u = (w₀>>8 + 1)·2⁻²⁴ ∈ (0, 1]`, angle `2π w₁/2³²`: `(r cos, r sin)`.
pub fn normal_pair(words: [u32; 2]) -> [f32; 2] {
    let u = ((words[0] >> 8) + 1) as f32 * (1.0 / 16_777_216.0);
    let shifted = u.to_bits() as i32 - SQRT_HALF_BITS;
    let exponent = (shifted >> 23) as f32;
    let f = f32::from_bits(((shifted & 0x007f_ffff) + SQRT_HALF_BITS) as u32) - 1.0;
    let ln_u = exponent.mul_add(std::f32::consts::LN_2, f * polynomial(LOG, f));
    let r = (-2.0 * ln_u).max(0.0).sqrt();

    // The top two bits pick the quadrant; the rest, read as a signed number, is the angle about its middle.
    let angle = (((words[1] << 2) as i32) >> 8) as f32 * QUARTER_TURN;
    let y = angle * angle;
    let (sin, cos) = (angle * polynomial(SIN, y), polynomial(COS, y));
    let quadrant = words[1] >> 30;
    let (a, b) = if quadrant & 1 == 0 { (cos, sin) } else { (sin, cos) };
    let a = if quadrant == 1 || quadrant == 2 { -a } else { a };
    let b = if quadrant >= 2 { -b } else { b };
    [r * a, r * b]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Stream, normals};

    #[test]
    fn moments_and_tails_are_gaussian() {
        const COUNT: usize = 1 << 22;
        let mut moments = [0.0f64; 4];
        let mut beyond = [0u32; 3];
        for n in normals(3, Stream::Noise).take(COUNT).map(f64::from) {
            (1..=4).for_each(|k| moments[k - 1] += n.powi(k as i32));
            (2..=4).for_each(|k| beyond[k - 2] += u32::from(n.abs() > k as f64));
        }
        // (expected, variance of one draw): E n^k and E n^2k - (E n^k)^2.
        for (k, (expected, variance)) in [(0.0, 1.0), (1.0, 2.0), (0.0, 15.0), (3.0, 96.0)]
            .into_iter()
            .enumerate()
        {
            let mean = moments[k] / COUNT as f64;
            let error = (variance / COUNT as f64).sqrt();
            assert!(
                (mean - expected).abs() <= 4.0 * error,
                "moment {} is {mean}",
                k + 1
            );
        }
        for (k, p) in [0.045_500_263_9, 0.002_699_796_06, 6.334_248e-5]
            .into_iter()
            .enumerate()
        {
            let expected = p * COUNT as f64;
            assert!(
                (f64::from(beyond[k]) - expected).abs() <= 4.0 * expected.sqrt(),
                "{} draws beyond {} sd, expected {expected:.0}",
                beyond[k],
                k + 2
            );
        }
    }

    /// Kolmogorov–Smirnov distance to the normal distribution; 1.63/√n is its 1 % point.
    #[test]
    fn kolmogorov_smirnov_distance_is_that_of_a_sample() {
        const COUNT: usize = 200_000;
        let mut draws: Vec<f64> = normals(11, Stream::Noise).take(COUNT).map(f64::from).collect();
        draws.sort_by(f64::total_cmp);
        let distance = draws
            .iter()
            .enumerate()
            .map(|(i, &n)| {
                let p = normal_cdf(n);
                let step = 1.0 / COUNT as f64;
                (p - i as f64 * step).abs().max((p - (i + 1) as f64 * step).abs())
            })
            .fold(0.0, f64::max);
        assert!(distance < 1.63 / (COUNT as f64).sqrt(), "KS distance {distance}");
    }

    /// Φ by Simpson's rule: accurate to 1e-9 for |x| < 6.
    fn normal_cdf(x: f64) -> f64 {
        let steps = 200;
        let width = x / f64::from(steps);
        let density = |t: f64| (-0.5 * t * t).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let weighted: f64 = (0..=steps)
            .map(|i| {
                let weight = if i == 0 || i == steps {
                    1.0
                } else if i % 2 == 1 {
                    4.0
                } else {
                    2.0
                };
                weight * density(f64::from(i) * width)
            })
            .sum();
        0.5 + weighted * width / 3.0
    }

    #[test]
    fn agrees_with_the_exact_transform() {
        for i in 0..100_000u32 {
            let words = crate::rng::threefry2x32([1, 2], [i, 3]);
            let [a, b] = normal_pair(words);
            let u = (f64::from(words[0] >> 8) + 1.0) / 16_777_216.0;
            let quadrant = f64::from(words[1] >> 30);
            let within = f64::from(((words[1] << 2) as i32) >> 8) / 16_777_216.0;
            let angle = std::f64::consts::FRAC_PI_2 * (quadrant + within);
            let r = (-2.0 * u.ln()).sqrt();
            assert!((f64::from(a) - r * angle.cos()).abs() < 2e-6, "{words:?}");
            assert!((f64::from(b) - r * angle.sin()).abs() < 2e-6, "{words:?}");
        }
    }
}
