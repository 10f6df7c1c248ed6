//! Pictures: what is drawn is what was given, in the file and in the pixels.
#![allow(non_snake_case, reason = "the paper's symbols")]

mod gallery;
#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::path::Path;

use alrnn_gpu::report::pictures::*;
use alrnn_gpu::report::plot::Figure;
use alrnn_gpu::report::{self, Look};
use ndarray::Array2;
use resvg::tiny_skia::Pixmap;

use gallery::gallery;

/// The light theme's colours, by class.
const COLORS: [(&str, [u8; 3]); 5] = [
    ("c0", [0x00, 0x72, 0xb2]),
    ("c1", [0xd5, 0x5e, 0x00]),
    ("c2", [0x00, 0x9e, 0x73]),
    ("c3", [0xb2, 0x55, 0x9a]),
    ("data", [0x4a, 0x52, 0x5a]),
];

/// A PNG, decoded.
struct Picture(Pixmap);

impl Picture {
    fn of(figure: &Figure) -> Self {
        let png = report::png(figure).expect("png");
        Self(Pixmap::decode_png(&png).expect("the PNG can be read"))
    }

    fn at(&self, x: u32, y: u32) -> [u8; 3] {
        let p = self.0.pixel(x, y).expect("inside").demultiply();
        [p.red(), p.green(), p.blue()]
    }

    fn pixels(&self) -> impl Iterator<Item = (u32, u32, [u8; 3])> {
        let (w, h) = (self.0.width(), self.0.height());
        (0..h).flat_map(move |y| (0..w).map(move |x| (x, y, self.at(x, y))))
    }

    /// Share of the pixels that are not paper.
    fn inked(&self) -> f64 {
        let inked = self
            .pixels()
            .filter(|(_, _, p)| p.iter().any(|v| *v < 230))
            .count();
        inked as f64 / f64::from(self.0.width() * self.0.height())
    }

    /// Where pixels have a class's colour, thinned with paper by at most two thirds; below `top` only.
    fn places(&self, class: &str, top: u32) -> Vec<(u32, u32)> {
        let (_, color) = COLORS
            .iter()
            .find(|(name, _)| *name == class)
            .expect("a known class");
        let away = |p: [u8; 3]| p.map(|v| 255.0 - f64::from(v));
        let dot = |a: [f64; 3], b: [f64; 3]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let c = away(*color);
        self.pixels()
            .filter(|&(_, y, p)| {
                let d = away(p);
                let along = dot(c, d) / dot(c, c);
                y >= top && along > 0.33 && dot(c, d) / (dot(c, c) * dot(d, d)).sqrt() > 0.997
            })
            .map(|(x, y, _)| (x, y))
            .collect()
    }

    fn differs(&self, other: &Self) -> f64 {
        let size = (self.0.width(), self.0.height());
        assert_eq!(size, (other.0.width(), other.0.height()));
        let different = self.pixels().filter(|&(x, y, p)| other.at(x, y) != p).count();
        different as f64 / f64::from(size.0 * size.1)
    }
}

fn middle(places: &[(u32, u32)]) -> (f64, f64) {
    let mean = |of: fn(&(u32, u32)) -> u32| {
        places.iter().map(|p| f64::from(of(p))).sum::<f64>() / places.len() as f64
    };
    (mean(|p| p.0), mean(|p| p.1))
}

/// Elements of a drawing that carry a class.
fn elements(svg: &str, element: &str, class: &str) -> usize {
    svg.matches(&format!("<{element} class=\"{class}\"")).count()
}

/// What the pointer shows.
fn titles(svg: &str) -> Vec<&str> {
    let parts = svg.split("<title>").skip(1);
    parts.filter_map(|p| p.split("</title>").next()).collect()
}

/// Every picture is well formed, small, free of `NaN`, and a PNG of twice its size with ink of every colour that it
/// uses. `REPORT_GALLERY=DIR` keeps them.
#[test]
fn pictures_of_every_kind_can_be_drawn() {
    let keep = std::env::var_os("REPORT_GALLERY");
    for figure in gallery() {
        let name = &figure.name;
        let svg = figure.svg(Look::File);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{name}");
        assert!(svg.len() < 400_000, "{name} takes {} bytes", svg.len());
        let picture = Picture::of(&figure);
        let size = |key: &str| -> f64 {
            let after = svg.split(&format!(" {key}=\"")).nth(1).expect("a size");
            after
                .split('"')
                .next()
                .and_then(|v| v.parse().ok())
                .expect("a number")
        };
        let (w, h) = (f64::from(picture.0.width()), f64::from(picture.0.height()));
        assert!(
            (w - 2.0 * size("width")).abs() <= 2.0 && (h - 2.0 * size("height")).abs() <= 2.0,
            "{name}: {w} × {h}"
        );
        let inked = picture.inked();
        assert!(
            (0.01..0.6).contains(&inked),
            "{name}: {inked} of the picture is inked"
        );
        // All four quarters have something in them.
        for (right, low) in [(false, false), (false, true), (true, false), (true, true)] {
            let inside = |x: u32, y: u32| (f64::from(2 * x) >= w) == right && (f64::from(2 * y) >= h) == low;
            let ink = picture
                .pixels()
                .filter(|&(x, y, p)| inside(x, y) && p[0] < 200)
                .count();
            assert!(
                ink >= 100,
                "{name}: {ink} pixels of ink in a quarter (right {right}, low {low})"
            );
        }
        for (class, _) in COLORS {
            let used = ["path", "circle", "rect"].iter().any(|e| {
                elements(&svg, e, &format!("s {class}")) + elements(&svg, e, &format!("f {class}")) > 0
            });
            let seen = picture.places(class, 0).len();
            assert!(!used || seen >= 20, "{name}: {seen} pixels of {class}");
        }
        if let Some(dir) = &keep {
            let dir = Path::new(dir);
            fs::create_dir_all(dir).expect("folder");
            fs::write(dir.join(format!("{name}.svg")), &svg).expect("svg");
            fs::write(
                dir.join(format!("{name}.png")),
                report::png(&figure).expect("png"),
            )
            .expect("png");
            println!("{name}: svg {} bytes, {w} × {h} ({})", svg.len(), figure.caption);
        }
    }
}

/// Points left of 0 in one region, right of it in another, two marks.
fn halves(shift: f64) -> Figure {
    let x = Array2::from_shape_fn((400, 2), |(t, j)| {
        let angle = 2.4 * t as f64;
        [angle.cos(), (angle + shift).sin()][j]
    });
    let symbols: Vec<u32> = x.rows().into_iter().map(|r| u32::from(r[0] > 0.0)).collect();
    let labels = ["01".to_owned(), "10".to_owned()];
    let mark = |x: f64, real: bool| Mark {
        x: vec![x, 0.0],
        real,
        title: format!("fixed point at {x}"),
    };
    let figure = state_space(&StateSpace {
        name: "halves",
        tracks: vec![Track {
            title: "Free run by region",
            class: "c0",
            x: x.view(),
            symbols: Some(&symbols),
        }],
        behind: None,
        regions: Some(RegionNames {
            labels: &labels,
            share: &[0.5, 0.5],
            total: 2,
        }),
        columns: &[],
        most: 8000,
        marks: &[mark(-0.5, true), mark(0.5, false)],
    });
    figure.expect("picture")
}

#[test]
fn regions_are_coloured_where_they_are() {
    let picture = Picture::of(&halves(0.0));
    // Below the title and the legend.
    let top = picture.0.height() / 4;
    let (left, right) = (picture.places("c0", top), picture.places("c1", top));
    assert!(
        left.len() >= 200 && right.len() >= 200,
        "{} and {} pixels",
        left.len(),
        right.len()
    );
    let ((a, _), (b, _)) = (middle(&left), middle(&right));
    let width = f64::from(picture.0.width());
    assert!(
        b - a >= 0.2 * width,
        "the middles of the regions are at {a} and {b} of {width}"
    );
    let svg = halves(0.0).svg(Look::File);
    assert_eq!(
        titles(&svg)
            .iter()
            .filter(|t| t.starts_with("fixed point at"))
            .count(),
        2
    );
    assert!(svg.contains("01 (50 %)") && svg.contains("10 (50 %)"));
}

#[test]
fn other_data_make_another_picture_and_the_same_data_the_same() {
    let (a, again, b) = (
        Picture::of(&halves(0.0)),
        Picture::of(&halves(0.0)),
        Picture::of(&halves(0.7)),
    );
    assert_eq!(a.differs(&again), 0.0);
    let d = a.differs(&b);
    assert!(d >= 0.005, "{d} of the pixels differ");
    let series = |phase: f64| {
        let x = Array2::from_shape_fn((300, 1), |(t, _)| (0.1 * t as f64 + phase).sin());
        time_series(&Series {
            name: "series",
            data: None,
            model: x.view(),
            columns: &["v".to_owned()],
            dt: None,
            most: 1000,
        })
        .expect("picture")
    };
    let d = Picture::of(&series(0.0)).differs(&Picture::of(&series(1.5)));
    assert!(d >= 0.005, "{d} of the pixels differ");
}

/// A line that rises is higher on the right.
#[test]
fn a_rising_series_rises_in_the_picture() {
    let rising = Array2::from_shape_fn((300, 1), |(t, _)| t as f64);
    let figure = time_series(&Series {
        name: "series",
        data: None,
        model: rising.view(),
        columns: &["v".to_owned()],
        dt: None,
        most: 1000,
    });
    let picture = Picture::of(&figure.expect("picture"));
    let line = picture.places("c0", picture.0.height() / 4);
    let third = picture.0.width() / 3;
    let (left, right): (Vec<_>, Vec<_>) = line.into_iter().partition(|p| p.0 < third);
    let right: Vec<_> = right.into_iter().filter(|p| p.0 > 2 * third).collect();
    assert!(
        left.len() >= 20 && right.len() >= 20,
        "{} and {} pixels",
        left.len(),
        right.len()
    );
    // y counts downwards.
    let ((_, a), (_, b)) = (middle(&left), middle(&right));
    assert!(
        a - b >= 0.2 * f64::from(picture.0.height()),
        "{a} on the left, {b} on the right"
    );
}

/// One mark a value, with the value under the pointer.
#[test]
fn every_value_has_its_mark() {
    let bar = |exponent: f64, positive: bool| LyapunovBar {
        exponent,
        error: 0.01,
        positive,
    };
    let bars = [bar(0.9, true), bar(0.002, false), bar(-1.5, false)];
    let figure = lyapunov("lyapunov", &bars, 3, "step").expect("picture");
    let svg = figure.svg(Look::File);
    let names: Vec<&str> = titles(&svg).into_iter().filter(|t| t.starts_with('λ')).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names[0].contains("0.9") && names[2].contains("−1.5"), "{names:?}");
    assert_eq!(
        (elements(&svg, "circle", "f c1"), elements(&svg, "circle", "f c0")),
        (1, 2)
    );
    let none = lyapunov("lyapunov", &bars[1..], 2, "step").expect("picture");
    assert_eq!(
        Picture::of(&none).places("c1", 0).len(),
        0,
        "no exponent is positive"
    );

    let success = success_by_setting(
        "success",
        &Success {
            setting: "P".into(),
            names: ["0", "1", "2"].map(String::from).to_vec(),
            counts: vec![(0, 10), (5, 10), (10, 10)],
            rule: String::new(),
        },
    )
    .expect("picture")
    .svg(Look::File);
    let shown: Vec<&str> = titles(&success)
        .into_iter()
        .filter(|t| t.contains(" of 10"))
        .collect();
    assert_eq!(shown.len(), 3, "{shown:?}");
    assert!(
        shown[0].starts_with("0 of 10") && shown[2].starts_with("10 of 10"),
        "{shown:?}"
    );

    // Three values outside the unit circle are discs, two inside are rings.
    let set = EigenSet {
        label: "region 01".into(),
        values: vec![(2.0, 0.0), (1.0, 1.0), (1.0, -1.0), (0.5, 0.0), (-0.2, 0.0)],
    };
    let svg = eigenvalues("eigenvalues", &[set])
        .expect("picture")
        .svg(Look::File);
    let shown = titles(&svg)
        .into_iter()
        .filter(|t| t.starts_with("region 01: "))
        .count();
    let rings = elements(&svg, "circle", "s c0");
    assert!(
        shown >= 5 && rings >= 2 && shown - rings == 3,
        "{shown} marks, {rings} rings"
    );
}

/// A node for each region, an arrow for each transition of 2 % or more.
#[test]
fn a_graph_has_its_nodes_and_arrows() {
    let svg = |probability: Vec<Vec<f64>>| {
        let graph = Transitions {
            labels: ["00", "01", "11"].map(String::from).to_vec(),
            share: vec![0.5, 0.3, 0.2],
            probability,
        };
        transition_graph("graph", &graph)
            .expect("picture")
            .svg(Look::File)
    };
    let cycle = svg(vec![
        vec![0.5, 0.5, 0.0],
        vec![0.0, 0.5, 0.5],
        vec![1.0, 0.0, 0.0],
    ]);
    let nodes: Vec<&str> = titles(&cycle)
        .into_iter()
        .filter(|t| t.contains("of all steps"))
        .collect();
    assert_eq!(nodes.len(), 3, "{nodes:?}");
    for (label, share) in [("00", "50.0 %"), ("01", "30.0 %"), ("11", "20.0 %")] {
        assert!(
            nodes.iter().any(|n| n.starts_with(&format!("{label}: {share}"))),
            "{nodes:?}"
        );
    }
    assert_eq!(cycle.matches(">100 %<").count(), 3);
    let both_ways = svg(vec![
        vec![0.5, 0.25, 0.25],
        vec![0.5, 0.5, 0.0],
        vec![1.0, 0.0, 0.0],
    ]);
    assert_eq!(
        (
            both_ways.matches(">50 %<").count(),
            both_ways.matches(">100 %<").count()
        ),
        (2, 2)
    );
}
