//! A small writer of SVG: shapes with classes, paths in tenths of a pixel, escaped text.

use std::fmt::Write as _;

use minijinja::HtmlEscape;

use super::theme::{self, Look};
use super::thin::is_finite;

/// Text for an element's content or a quoted attribute.
pub fn escape(text: &str) -> String {
    // Control characters are not allowed in XML at all.
    HtmlEscape(&text.replace(char::is_control, " ")).to_string()
}

/// Where a text's given point lies in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// One drawing: a title, and the shapes drawn so far. Coordinates are pixels, y down; `class` names a tone of `theme`.
#[derive(Clone, Debug, Default)]
pub struct Panel {
    pub title: String,
    pub size: (f64, f64),
    pub body: String,
}

impl Panel {
    pub fn svg(&self, look: Look) -> String {
        document(look, self.size, &self.title, &self.body)
    }

    fn element(&mut self, name: &str, class: &str, attributes: &[(&str, String)], content: &str) {
        self.body += &format!("<{name} class=\"{class}\"");
        for (key, value) in attributes {
            self.body += &format!(" {key}=\"{value}\"");
        }
        self.body += &match content {
            "" => "/>".to_owned(),
            _ => format!(">{content}</{name}>"),
        };
    }

    fn stroke(&mut self, class: &str, d: &str, width: String, more: &[(&str, String)]) {
        let attributes = [&[("d", d.to_owned()), ("stroke-width", width)], more].concat();
        self.element("path", &format!("s {class}"), &attributes, "");
    }

    pub fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64), width: f64) {
        self.path(class, &polyline(&[from, to]), width, 1.0);
    }

    pub fn dashed(&mut self, class: &str, from: (f64, f64), to: (f64, f64), width: f64) {
        let dashes = ("stroke-dasharray", "5 4".to_owned());
        self.stroke(class, &polyline(&[from, to]), px(width), &[dashes]);
    }

    /// A stroked path. Nothing is written for an empty one.
    pub fn path(&mut self, class: &str, d: &str, width: f64, opacity: f64) {
        let translucent = [("stroke-opacity", px2(opacity))];
        if !d.is_empty() {
            let more = if opacity < 1.0 { &translucent[..] } else { &[] };
            self.stroke(class, d, px2(width), more);
        }
    }

    pub fn area(&mut self, class: &str, d: &str, opacity: f64) {
        let attributes = [("d", format!("{d}Z")), ("fill-opacity", px2(opacity))];
        self.element("path", &format!("f {class}"), &attributes, "");
    }

    pub fn rect(&mut self, class: &str, at: (f64, f64), size: (f64, f64), opacity: f64) {
        let attributes = [
            ("x", px(at.0)),
            ("y", px(at.1)),
            ("width", px(size.0)),
            ("height", px(size.1)),
            ("fill-opacity", px2(opacity)),
        ];
        self.element("rect", &format!("f {class}"), &attributes, "");
    }

    fn circle(&mut self, class: &str, at: (f64, f64), radius: f64, more: (&str, String), content: &str) {
        let attributes = [("cx", px(at.0)), ("cy", px(at.1)), ("r", px(radius)), more];
        if is_finite(at) {
            self.element("circle", class, &attributes, content);
        }
    }

    /// A disc; `title` is shown when the pointer rests on it. Like a ring, nothing at a point that is not finite.
    pub fn disc(&mut self, class: &str, at: (f64, f64), radius: f64, opacity: f64, title: Option<&str>) {
        let title = title.map_or_else(String::new, |title| format!("<title>{}</title>", escape(title)));
        let opacity = ("fill-opacity", px2(opacity));
        self.circle(&format!("f {class}"), at, radius, opacity, &title);
    }

    pub fn ring(&mut self, class: &str, at: (f64, f64), radius: f64, width: f64) {
        let width = ("stroke-width", px2(width));
        self.circle(&format!("s {class}"), at, radius, width, "");
    }

    /// Text; `class` is a tone and a size (`t` normal, `b` title, `n` note).
    pub fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, text: &str) {
        let place = [("x", px(at.0)), ("y", px(at.1))];
        let anchor = match anchor {
            Anchor::Start => None,
            Anchor::Middle => Some(("text-anchor", "middle".to_owned())),
            Anchor::End => Some(("text-anchor", "end".to_owned())),
        };
        let attributes: Vec<_> = place.into_iter().chain(anchor).collect();
        self.element("text", &format!("f {class}"), &attributes, &escape(text));
    }

    /// Text read from bottom to top, centred at a point.
    pub fn upward_text(&mut self, class: &str, at: (f64, f64), text: &str) {
        let turned = format!("translate({} {})rotate(-90)", px(at.0), px(at.1));
        let attributes = [("transform", turned), ("text-anchor", "middle".to_owned())];
        self.element("text", &format!("f {class}"), &attributes, &escape(text));
    }
}

/// A whole SVG document (or element, when [`Look::Inline`]).
pub fn document(look: Look, size: (f64, f64), label: &str, body: &str) -> String {
    let (w, h) = (px(size.0), px(size.1));
    let (namespace, background) = match look {
        Look::Inline => (String::new(), String::new()),
        Look::File | Look::Raster => (
            format!(" xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\""),
            format!("<path class=\"f paper\" d=\"M0 0H{w}V{h}H0Z\"/>"),
        ),
    };
    format!(
        "<svg{namespace} viewBox=\"0 0 {w} {h}\" role=\"img\" aria-label=\"{label}\" font-family=\"{font}\">{style}{background}{body}</svg>",
        label = escape(label),
        font = theme::font_family(look),
        style = theme::picture_style(look),
    )
}

/// A number with one decimal at most, as short as SVG allows.
pub fn px(value: f64) -> String {
    tenths((value * 10.0).round() as i64)
}

fn px2(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

fn tenths(v: i64) -> String {
    let (sign, a) = (if v < 0 { "-" } else { "" }, v.abs());
    match (a / 10, a % 10) {
        (whole, 0) => format!("{sign}{whole}"),
        (0, part) => format!("{sign}.{part}"),
        (whole, part) => format!("{sign}{whole}.{part}"),
    }
}

/// Path through points in relative coordinates; a non-finite point breaks it.
///
/// Positions are rounded to tenths before they are subtracted, so that rounding does not add up.
pub fn polyline(points: &[(f64, f64)]) -> String {
    let mut d = String::new();
    let mut last: Option<(i64, i64)> = None;
    for &(x, y) in points {
        if !is_finite((x, y)) {
            last = None;
            continue;
        }
        let here = ((x * 10.0).round() as i64, (y * 10.0).round() as i64);
        match last {
            None => {
                let _ = write!(d, "M{}{}l", tenths(here.0), separated(here.1));
            }
            Some(p) if p == here => continue,
            Some(p) => {
                let lead = if d.ends_with('l') {
                    tenths(here.0 - p.0)
                } else {
                    separated(here.0 - p.0)
                };
                let _ = write!(d, "{lead}{}", separated(here.1 - p.1));
            }
        }
        last = Some(here);
    }
    // A point alone still marks its place: a segment of no length has round ends.
    d.replace("lM", "l0 0M").trim_end_matches('l').to_string() + if d.ends_with('l') { "l0 0" } else { "" }
}

/// Path of one dot a point (a stroke with round ends and next to no length).
pub fn dots(points: &[(f64, f64)]) -> String {
    let dot = |(x, y): (f64, f64)| format!("M{}{}h.1", px(x), separated((y * 10.0).round() as i64));
    let finite = points.iter().copied().filter(|&point| is_finite(point));
    finite.map(dot).collect()
}

/// A number that follows another: the minus sign separates as well as a space.
fn separated(v: i64) -> String {
    if v < 0 {
        tenths(v)
    } else {
        format!(" {}", tenths(v))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_html_would_read() {
        assert_eq!(
            escape("<b a=\"1\">&'\u{7}"),
            "&lt;b a=&quot;1&quot;&gt;&amp;&#x27; "
        );
        let mut panel = Panel::default();
        panel.text("ink t", (1.0, 2.0), Anchor::Start, "</text><script>");
        assert!(!panel.body.contains("<script>"));
    }

    #[test]
    fn paths_are_short_and_do_not_drift() {
        assert_eq!(
            polyline(&[(0.0, 0.0), (1.25, -0.5), (1.25, 10.0)]),
            "M0 0l1.3-.5 0 10.5"
        );
        assert_eq!(polyline(&[(3.0, 4.0)]), "M3 4l0 0");
        assert_eq!(polyline(&[]), "");
        let nan = (f64::NAN, 0.0);
        assert_eq!(
            polyline(&[(0.0, 0.0), (1.0, 1.0), nan, (5.0, 5.0)]),
            "M0 0l1 1M5 5l0 0"
        );
        assert_eq!(
            polyline(&[(1.0, 1.0), nan, (5.0, 5.0), (6.0, 6.0)]),
            "M1 1l0 0M5 5l1 1"
        );
        // 1,000 steps of 0.04 px: each rounds to nothing, together they are 40 px.
        let slow: Vec<(f64, f64)> = (0..=1000).map(|i| (0.04 * f64::from(i), 0.0)).collect();
        let sum: f64 = polyline(&slow)
            .trim_start_matches("M0 0l")
            .split(' ')
            .step_by(2)
            .map(|v| v.parse::<f64>().expect("number"))
            .sum();
        assert!((sum - 40.0).abs() < 0.05, "{sum}");
    }

    #[test]
    fn dots_skip_what_is_not_finite() {
        assert_eq!(
            dots(&[(1.0, 2.0), (f64::NAN, 1.0), (-0.26, -3.0)]),
            "M1 2h.1M-.3-3h.1"
        );
    }
}
