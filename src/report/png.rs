//! Pictures as pixels. The font travels in the binary, because bare machines have none.

use std::sync::{Arc, LazyLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

use super::plot::Figure;
use super::theme::Look;
use crate::error::{Error, Result};

/// Pixels per unit of the drawing: sharp on paper and on dense screens.
const SCALE: f32 = 2.0;

static FONTS: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(dejavu::sans_condensed::regular().to_vec());
    fonts.load_font_data(dejavu::sans_condensed::bold().to_vec());
    Arc::new(fonts)
});

/// The picture as PNG bytes, light theme on white, two pixels a unit.
pub fn png(figure: &Figure) -> Result<Vec<u8>> {
    let svg = figure.svg(Look::Raster);
    let failed = |what: &str| Error::runtime(format!("cannot draw the picture {}: {what}", figure.name));
    let options = Options {
        fontdb: Arc::clone(&FONTS),
        ..Options::default()
    };
    let tree = Tree::from_str(&svg, &options).map_err(|e| failed(&e.to_string()))?;
    let size = tree.size().to_int_size();
    let (w, h) = (size.width() * SCALE as u32, size.height() * SCALE as u32);
    let mut pixmap = Pixmap::new(w, h).ok_or_else(|| failed("its size is not drawable"))?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixmap.as_mut());
    pixmap.encode_png().map_err(|e| failed(&e.to_string()))
}
