use crate::backend::Form;
use crate::backend::golden::{TOLERANCE, built_in_cases, check_case, load_cases};
use crate::cli::args::SelftestArgs;
use crate::cli::output::{print, print_json, table};
use crate::error::{Error, Result};

/// Runs golden gradient cases on the device and prints the relative error of each answer.
pub fn run(args: SelftestArgs) -> Result<()> {
    let backend = args.device.open()?;
    let cases = match &args.cases {
        Some(folder) => load_cases(folder)?,
        None => built_in_cases(),
    };
    if cases.is_empty() {
        return Err(Error::input("there are no cases (.npz) to run")
            .with_hint("name a folder that holds some: --cases DIR"));
    }
    let mut rows = Vec::new();
    let mut json = Vec::new();
    let mut failed = 0;
    for case in &cases {
        for (word, form) in [
            ("plain", Form::Plain),
            ("blocked", Form::Blocked),
            ("fused", Form::Fused),
        ] {
            let errors = check_case(backend.as_ref(), case, form)?;
            let passed = errors.within(TOLERANCE);
            failed += usize::from(!passed);
            let mut row = vec![case.name.clone(), word.to_owned()];
            row.extend(errors.0.iter().map(|(_, error)| format!("{error:.1e}")));
            row.push(if passed { "ok" } else { "FAILED" }.to_owned());
            rows.push(row);
            let errors: serde_json::Map<_, _> = errors
                .0
                .iter()
                .map(|&(name, error)| (name.to_owned(), error.into()))
                .collect();
            json.push(serde_json::json!({
                "case": case.name, "form": word, "passed": passed, "errors": errors
            }));
        }
    }
    let device = &backend.device().name;
    if args.json {
        print_json(&serde_json::json!({ "device": device, "tolerance": TOLERANCE, "cases": json }))?;
    } else {
        let header = ["case", "form", "loss", "dA", "dW", "dh", "dL", "dC", "z", ""];
        let verdict = match failed {
            0 => format!("all {} within {TOLERANCE:.0e} (relative L2 error)\n", rows.len()),
            _ => format!(
                "{failed} of {} beyond {TOLERANCE:.0e} (relative L2 error)\n",
                rows.len()
            ),
        };
        print(&format!("{device}\n{}{verdict}", table(&header, &rows)))?;
    }
    if failed > 0 {
        return Err(Error::runtime(format!("{device} computes {failed} cases wrong"))
            .with_hint("update its driver, choose another --device, or use --backend cpu"));
    }
    Ok(())
}
