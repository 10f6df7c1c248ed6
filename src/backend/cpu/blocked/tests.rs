//! Every way to segment a window comes to the reference's gradient, not only those that [`super::cost`] finds cheapest.

use ndarray::Array3;

use crate::backend::blocked::{MOST_GROWTH, Segments};
use crate::backend::cpu::gradient;
use crate::backend::cpu::layout::Layout;
use crate::backend::cpu::simd::lanes::Lanes;
use crate::backend::cpu::simd::machine::instruction_sets;
use crate::backend::cpu::simd::machine::machine;
use crate::backend::cpu::step::Way;
use crate::backend::golden::relative_error;
use crate::backend::reference::ReferenceBackend;
use crate::backend::{Backend, Form, Gradient, Member, Windows};
use crate::model::{Dims, Shape, Theta};
use crate::rng::{Stream, normals, uniforms};

/// `engine.md`'s bound for f32.
const TOLERANCE: f64 = 1e-4;

struct Case {
    name: &'static str,
    dims: [usize; 3],
    P: usize,
    S: usize,
    T: usize,
    tau: usize,
    alpha: f64,
    gaps: bool,
}

const CASES: [Case; 9] = [
    case("forced, τ does not divide T", [20, 3, 0], 2, 16, 37, 8, 1.0),
    case("forced at the last step too", [20, 3, 0], 2, 5, 32, 8, 1.0),
    case("unforced", [12, 2, 0], 3, 4, 20, 1000, 1.0),
    case("generalised forcing at every step", [8, 3, 0], 2, 7, 12, 1, 0.3),
    case("no ReLU units", [10, 4, 0], 0, 3, 17, 5, 0.7),
    case("ReLU units among the observed", [6, 4, 0], 5, 18, 21, 6, 0.6),
    case("all observed, all ReLU", [5, 5, 0], 5, 4, 15, 4, 1.0),
    Case {
        gaps: true,
        ..case("inputs and gaps", [14, 3, 2], 4, 20, 23, 7, 0.8)
    },
    Case {
        gaps: true,
        ..case("wide, with gaps", [100, 5, 0], 2, 16, 26, 10, 1.0)
    },
];

const fn case(
    name: &'static str,
    dims: [usize; 3],
    P: usize,
    S: usize,
    T: usize,
    tau: usize,
    alpha: f64,
) -> Case {
    Case {
        name,
        dims,
        P,
        S,
        T,
        tau,
        alpha,
        gaps: false,
    }
}

impl Case {
    fn shape(&self) -> Shape {
        let [M, N, K] = self.dims;
        Shape::new(Dims::new(M, N, K).expect("sizes"), self.S, self.T).expect("sizes")
    }

    fn member(&self) -> Member {
        Member {
            seed: 1,
            P: self.P,
            tau: self.tau,
            alpha: self.alpha,
            ..Member::default()
        }
    }

    /// Parameters large enough for ReLU units to switch, and for no state to grow.
    fn theta(&self) -> Theta {
        let dims = self.shape().dims;
        let size = 0.5 / (dims.M as f64).sqrt();
        let values = normals(7, Stream::Noise).map(|n| size * f64::from(n));
        let mut theta = Theta::unpack(dims, &values.take(dims.n_params()).collect::<Vec<_>>());
        theta.A.mapv_inplace(|a| 0.5 + 0.3 * a);
        theta
    }

    fn windows(&self) -> Windows {
        let Shape { dims, S, T } = self.shape();
        let mut missing = uniforms(3, Stream::Noise).map(|u| self.gaps && u < 0.2);
        let mut values = normals(5, Stream::Noise).map(f64::from);
        let x = Array3::from_shape_simple_fn((S, T + 1, dims.N), || {
            let value = values.next().expect("endless");
            if missing.next().expect("endless") {
                f64::NAN
            } else {
                value
            }
        });
        let s = Array3::from_shape_simple_fn((S, T + 1, dims.K), || values.next().expect("endless"));
        Windows { x, s }
    }

    fn reference(&self) -> Gradient {
        ReferenceBackend::new()
            .gradient(
                self.shape(),
                &self.member(),
                Form::Plain,
                &self.theta(),
                &self.windows(),
            )
            .expect("a good case")
    }

    /// Largest relative error of gradient, loss and states for these segments, on every instruction set.
    fn error(&self, segments: &Segments, want: &Gradient) -> f64 {
        let one = |arch| {
            let way = Way {
                arch,
                lanes: Lanes::Whole(arch),
                layout: Layout::new(self.shape(), machine(arch)),
                threads: 1,
            };
            let segments = (Some(segments), f32::INFINITY);
            let got = gradient::gradient(&way, &self.member(), segments, &self.theta(), &self.windows());
            let fields = [
                relative_error(got.theta.iter(), want.theta.iter()),
                relative_error([got.mse], [want.mse]),
                relative_error(got.z.iter().copied(), want.z.iter().copied()),
            ];
            fields.into_iter().fold(0.0, f64::max)
        };
        instruction_sets().into_iter().map(one).fold(0.0, f64::max)
    }
}

#[test]
fn every_block_length_comes_to_the_same_gradient() {
    for case in &CASES {
        let want = case.reference();
        let longest = case.tau.min(case.T);
        let mut worst: f64 = 0.0;
        for k in 1..=longest {
            let segments = Segments::new(case.shape(), case.P, case.tau, k);
            let error = case.error(&segments, &want);
            assert!(error <= TOLERANCE, "{}, k {k} of {longest}: {error:e}", case.name);
            worst = worst.max(error);
        }
        println!("{}: k 1 to {longest}, worst {worst:.1e}", case.name);
    }
}

/// Models that the linear part alone would blow up, were it not for ReLU units that are mostly closed, and what they make
/// of noise; `strength` is how much they hold back.
fn held_back(seed: u32, strength: f64) -> (Theta, Windows) {
    let dims = Dims::new(20, 3, 0).expect("sizes");
    let mut n = normals(seed, Stream::Noise).map(f64::from);
    let mut next = || n.next().expect("endless");
    let mut theta = Theta::zeros(dims);
    theta.W.mapv_inplace(|_| 0.15 * next());
    theta.A.mapv_inplace(|_| 0.1 * next());
    theta.h.mapv_inplace(|_| 0.1 * next());
    theta.L.mapv_inplace(|_| 0.5 * next());
    for p in 18..20 {
        theta.h[p] -= 1.5;
        theta.W.column_mut(p).mapv_inplace(|w| 4.0 * strength * w);
        theta.W[[p, p]] += strength;
    }
    let windows = Windows {
        x: Array3::from_shape_simple_fn((8, 65, 3), || f64::from(next() as f32)),
        s: Array3::zeros((8, 65, 0)),
    };
    (Theta::unpack(dims, &theta.pack()), windows)
}

/// The error that [`MOST_GROWTH`] promises, which blocks without that bound pass by far.
#[test]
fn blocks_that_would_lose_digits_are_not_used() {
    let shape = Shape::new(Dims::new(20, 3, 0).expect("sizes"), 8, 64).expect("sizes");
    let member = Member {
        tau: 16,
        ..CASES[0].member()
    };
    let (mut unbounded, mut in_blocks, mut models) = (0.0f64, 0, 0);
    for (seed, strength) in
        (1..40).flat_map(|seed| [0.3, 0.6, 0.9, 1.2, 1.5].map(|strength| (seed, strength)))
    {
        let (theta, windows) = held_back(seed, strength);
        let want = ReferenceBackend::new()
            .gradient(shape, &member, Form::Plain, &theta, &windows)
            .expect("a good case");
        for arch in instruction_sets() {
            let way = Way {
                arch,
                lanes: Lanes::Whole(arch),
                layout: Layout::new(shape, machine(arch)),
                threads: 1,
            };
            let gradient = |segments: (Option<&Segments>, f32)| {
                gradient::gradient(&way, &member, segments, &theta, &windows)
            };
            let error = |got: &Gradient| relative_error(got.theta.iter(), want.theta.iter());
            let plain = gradient((None, 0.0));
            // Others are ill-conditioned: plain steps have no digits to spare either.
            let error_of_plain = error(&plain);
            if error_of_plain.is_nan() || error_of_plain >= 1e-6 {
                continue;
            }
            models += 1;
            for k in [2, 4, 8, 16] {
                let segments = Segments::new(shape, 2, 16, k);
                let got = gradient((Some(&segments), MOST_GROWTH.into()));
                assert!(
                    error(&got) <= 1e-5,
                    "seed {seed}, strength {strength}, k {k}: {:e}",
                    error(&got)
                );
                in_blocks += usize::from(got != plain);
                unbounded = unbounded.max(error(&gradient((Some(&segments), f32::INFINITY))));
            }
        }
    }
    println!(
        "{models} models, {in_blocks} of {} gradients in blocks, without the bound {unbounded:e}",
        4 * models
    );
    assert!(
        in_blocks > models && unbounded > 1e-2,
        "{in_blocks} of {models}, {unbounded:e}"
    );
}
