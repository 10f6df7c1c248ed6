use crate::cli::Status;
use crate::cli::args::MergeArgs;
use crate::error::Result;
use crate::run::merge;

/// Joins the parts of a study; exit status 1 where something is missing from the whole.
pub fn run(args: MergeArgs) -> Result<Status> {
    let merged = merge(&args.runs, &args.out)?;
    for run in &merged.unfinished {
        let run = run.display();
        eprintln!(
            "warning: {run} has not finished; its members are left out (continue it: alrnn-gpu train --resume {run})"
        );
    }
    for run in &merged.absent {
        eprintln!(
            "warning: {} is not a run folder (it has no config.toml)",
            run.display()
        );
    }
    for part in &merged.missing {
        eprintln!("warning: part {part} is not among the runs");
    }
    eprintln!("{} members in {}", merged.members, args.out.display());
    let whole = merged.unfinished.is_empty() && merged.absent.is_empty() && merged.missing.is_empty();
    Ok(Status::from(!whole))
}
