//! `page`: the settings of `train`, for a page that trains in a browser.

use std::path::PathBuf;

use toml::Table;

use crate::cli::args::{PageArgs, layer};
use crate::cli::output::{count, print};
use crate::cli::train::resolved;
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::fs::{folder_of, write_bytes};
use crate::page::{check, page};
use crate::train::{Data, Task};

/// What the arguments ask for.
pub struct Request {
    pub settings: Settings,
    pub data: Data,
    out: PathBuf,
}

impl Request {
    pub fn new(args: &PageArgs) -> Result<Self> {
        let out = args.out.clone();
        if out.is_dir() || !folder_of(&out).is_dir() {
            return Err(
                Error::input(format!("--out {}: no file can be written there", out.display()))
                    .with_hint("name a file in a folder that is there, such as page.html"),
            );
        }
        let (settings, data) = resolved(layer(args)?, &args.from, &Table::new(), Some(0), check)?;
        // The page trains; what a preset says of polishing is not for it.
        let settings = Settings {
            polish: 0,
            ..settings
        };
        let data = match data {
            Some(data) => data,
            None => Data::load(&settings)?,
        };
        Ok(Self { settings, data, out })
    }
}

pub fn run(args: &PageArgs) -> Result<()> {
    let Request { settings, data, out } = Request::new(args)?;
    let page = page(&Task::new(&settings, &data)?)?;
    write_bytes(&out, &page)?;
    eprintln!(
        "{} KB; open it in a browser that has WebGPU",
        count(page.len() as u64 / 1000)
    );
    print(&format!("{}\n", out.display()))
}
