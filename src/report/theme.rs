//! Colours. Pictures name classes only, so that one drawing serves a light page, a dark page and paper.

/// How a picture gets its colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Inside the report, whose style sheet has the classes.
    Inline,
    /// A file of its own: carries both themes.
    File,
    /// To be rasterised: the light theme on white.
    Raster,
}

/// Number of categorical colours; class `cK` for `K < COLORS`, `other` beyond.
pub const COLORS: usize = 8;

/// Classes and their colours in the light and in the dark theme.
///
/// The categories are Okabe and Ito's palette (colour-blind safe), yellow and pink darkened to be seen on white, two of
/// Tol's muted set added. The first is the model's.
const TONES: [(&str, [&str; 2]); 6 + COLORS] = [
    ("ink", ["#1d2329", "#e6e9ec"]),
    ("muted", ["#5c6670", "#9aa5af"]),
    ("grid", ["#e3e6e9", "#2c333a"]),
    ("data", ["#4a525a", "#c3cad1"]),
    ("other", ["#a4acb3", "#6b757e"]),
    ("paper", ["#ffffff", "#14181c"]),
    ("c0", ["#0072b2", "#55aee8"]),
    ("c1", ["#d55e00", "#ff8c4b"]),
    ("c2", ["#009e73", "#2fc79a"]),
    ("c3", ["#b2559a", "#e69fcb"]),
    ("c4", ["#d99000", "#f0bd4f"]),
    ("c5", ["#41a3db", "#a5dcff"]),
    ("c6", ["#882255", "#dd8fb3"]),
    ("c7", ["#84841f", "#c6c66b"]),
];
const LIGHT: usize = 0;
const DARK: usize = 1;

/// Class of the `k`-th category.
pub fn color_class(k: usize) -> String {
    if k < COLORS {
        format!("c{k}")
    } else {
        "other".into()
    }
}

/// The report's custom properties: light, dark where the reader prefers it, light again on paper.
pub fn page_variables() -> String {
    let variables = |theme: usize| -> String {
        let all = TONES.iter();
        all.map(|(name, tones)| format!("--{name}:{};", tones[theme]))
            .collect()
    };
    format!(
        ":root{{color-scheme:light dark;{}}}\n\
         @media screen and (prefers-color-scheme:dark){{:root{{{}}}}}",
        variables(LIGHT),
        variables(DARK)
    )
}

/// Rules that turn classes into colours: `s` strokes, `f` fills, both with the name of a tone.
///
/// `value` gives a tone's value (a custom property on the page, a literal in files: many programs that open
/// an SVG know no custom properties).
fn rules(value: impl Fn(&str, &[&str; 2]) -> String) -> String {
    let rule = |(name, tones): &(&str, [&str; 2])| {
        let value = value(name, tones);
        format!(".s.{name}{{stroke:{value}}}.f.{name}{{fill:{value}}}")
    };
    TONES.iter().map(rule).collect()
}

/// Rules that do not depend on the theme.
const SHAPES: &str = ".s{fill:none;stroke-linejoin:round;stroke-linecap:round}\
    .t{font-size:12px}.b{font-size:13px;font-weight:600}.n{font-size:11px}";

/// Picture rules of the report's style sheet.
pub fn page_rules() -> String {
    format!("{}{SHAPES}", rules(|name, _| format!("var(--{name})")))
}

/// The `<style>` of a picture.
pub fn picture_style(look: Look) -> String {
    let literal = |theme: usize| rules(|_, tones| tones[theme].to_owned());
    let dark = match look {
        Look::Inline => return String::new(),
        Look::Raster => String::new(),
        Look::File => format!(
            "@media screen and (prefers-color-scheme:dark){{{}}}",
            literal(DARK)
        ),
    };
    format!("<style>{}{SHAPES}{dark}</style>", literal(LIGHT))
}

/// Fonts of a picture: the system's in a browser, the one that travels in the binary when rasterised.
pub fn font_family(look: Look) -> &'static str {
    match look {
        Look::Raster => "DejaVu Sans",
        Look::Inline | Look::File => "system-ui, sans-serif",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(hex: &str) -> f64 {
        let channel = |i: usize| {
            let v = f64::from(u8::from_str_radix(&hex[i..i + 2], 16).expect("hex colour")) / 255.0;
            if v <= 0.04045 {
                v / 12.92
            } else {
                ((v + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// WCAG: 4.5 for text, and 2.5 asked of coloured marks (3 is theirs; the sky blue and the amber of Okabe and
    /// Ito trade some of it for being told apart).
    #[test]
    fn marks_and_text_stand_out_in_both_themes() {
        for theme in [LIGHT, DARK] {
            let (_, paper) = TONES.iter().find(|(name, _)| *name == "paper").expect("a paper");
            for (name, tones) in TONES {
                let ratio = contrast(tones[theme], paper[theme]);
                let least = match name {
                    "ink" | "muted" => 4.5,
                    name if name.starts_with('c') => 2.5,
                    _ => continue,
                };
                assert!(ratio >= least, "{name} {}: {ratio:.2}", tones[theme]);
            }
        }
    }

    #[test]
    fn a_rasterised_picture_uses_no_custom_property() {
        assert!(!picture_style(Look::Raster).contains("var("));
        assert!(!picture_style(Look::Raster).contains("@media"));
        assert!(picture_style(Look::File).contains("prefers-color-scheme:dark"));
    }
}
