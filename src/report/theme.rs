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

/// Okabe and Ito's palette (colour-blind safe), yellow and pink darkened to be seen on white, two of Tol's muted
/// set added. The first is the model's.
const LIGHT: [&str; COLORS] = [
    "#0072b2", "#d55e00", "#009e73", "#b2559a", "#d99000", "#41a3db", "#882255", "#84841f",
];
const DARK: [&str; COLORS] = [
    "#55aee8", "#ff8c4b", "#2fc79a", "#e69fcb", "#f0bd4f", "#a5dcff", "#dd8fb3", "#c6c66b",
];

struct Tones {
    paper: &'static str,
    ink: &'static str,
    muted: &'static str,
    grid: &'static str,
    data: &'static str,
    other: &'static str,
    colors: [&'static str; COLORS],
}

const LIGHT_TONES: Tones = Tones {
    paper: "#ffffff",
    ink: "#1d2329",
    muted: "#5c6670",
    grid: "#e3e6e9",
    data: "#4a525a",
    other: "#a4acb3",
    colors: LIGHT,
};
const DARK_TONES: Tones = Tones {
    paper: "#14181c",
    ink: "#e6e9ec",
    muted: "#9aa5af",
    grid: "#2c333a",
    data: "#c3cad1",
    other: "#6b757e",
    colors: DARK,
};

/// Class of the `k`-th category.
pub fn color_class(k: usize) -> String {
    if k < COLORS {
        format!("c{k}")
    } else {
        "other".into()
    }
}

fn variables(tones: &Tones) -> String {
    let mut out = format!(
        "--paper:{};--ink:{};--muted:{};--grid:{};--data:{};--other:{};",
        tones.paper, tones.ink, tones.muted, tones.grid, tones.data, tones.other
    );
    for (k, color) in tones.colors.iter().enumerate() {
        out += &format!("--c{k}:{color};");
    }
    out
}

/// The report's custom properties: light, dark where the reader prefers it, light again on paper.
pub fn page_variables() -> String {
    format!(
        ":root{{color-scheme:light dark;{light}}}\n\
         @media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}",
        light = variables(&LIGHT_TONES),
        dark = variables(&DARK_TONES)
    )
}

/// Rules that turn classes into colours: `s` strokes, `f` fills, both with the name of a tone.
///
/// `tone` gives a tone's value (a custom property on the page, a literal in files: many programs that open
/// an SVG know no custom properties).
fn rules(tone: impl Fn(&str) -> String) -> String {
    let mut out = String::new();
    let names = ["ink", "muted", "grid", "data", "other", "paper"].map(String::from);
    for name in names.into_iter().chain((0..COLORS).map(|k| format!("c{k}"))) {
        let value = tone(&name);
        out += &format!(".s.{name}{{stroke:{value}}}.f.{name}{{fill:{value}}}");
    }
    out
}

/// Rules that do not depend on the theme.
const SHAPES: &str = ".s{fill:none;stroke-linejoin:round;stroke-linecap:round}\
    .t{font-size:12px}.b{font-size:13px;font-weight:600}.n{font-size:11px}";

fn literal(tones: &Tones) -> impl Fn(&str) -> String {
    |name| {
        match name {
            "paper" => tones.paper,
            "ink" => tones.ink,
            "muted" => tones.muted,
            "grid" => tones.grid,
            "data" => tones.data,
            _ => name
                .strip_prefix('c')
                .and_then(|k| k.parse::<usize>().ok())
                .and_then(|k| tones.colors.get(k).copied())
                .unwrap_or(tones.other),
        }
        .to_string()
    }
}

/// Picture rules of the report's style sheet.
pub fn page_rules() -> String {
    format!("{}{SHAPES}", rules(|name| format!("var(--{name})")))
}

/// The `<style>` of a picture.
pub fn picture_style(look: Look) -> String {
    match look {
        Look::Inline => String::new(),
        Look::Raster => format!("<style>{}{SHAPES}</style>", rules(literal(&LIGHT_TONES))),
        Look::File => format!(
            "<style>{}{SHAPES}@media screen and (prefers-color-scheme:dark){{{}}}</style>",
            rules(literal(&LIGHT_TONES)),
            rules(literal(&DARK_TONES))
        ),
    }
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
        for tones in [&LIGHT_TONES, &DARK_TONES] {
            for text in [tones.ink, tones.muted] {
                assert!(contrast(text, tones.paper) >= 4.5, "{text} on {}", tones.paper);
            }
            for color in tones.colors {
                let ratio = contrast(color, tones.paper);
                assert!(ratio >= 2.5, "{color} on {}: {ratio:.2}", tones.paper);
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
