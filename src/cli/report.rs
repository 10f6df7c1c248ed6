use crate::cli::args::ReportArgs;
use crate::cli::output::print;
use crate::error::Result;
use crate::report::{ReportOptions, write_report};

pub fn options(args: &ReportArgs) -> ReportOptions {
    let defaults = ReportOptions::default();
    ReportOptions {
        steps: args.steps.unwrap_or(defaults.steps),
        success_factor: args.success_factor.unwrap_or(defaults.success_factor),
    }
}

/// Writes the report of a run and prints its path.
pub fn run(args: ReportArgs) -> Result<()> {
    let path = write_report(&args.run, &options(&args))?;
    print(&format!("{}\n", path.display()))
}
