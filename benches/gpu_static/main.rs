//! What real compilers make of the kernels, without a card.
//!
//! Mesa's RADV compiles compute pipelines for AMD families that are not there (`RADV_FORCE_FAMILY`): registers, spills,
//! workgroup memory, subgroups a SIMD, instructions, and what the loop that most multiply-adds are spent in consists of. The
//! same shaders are translated to MSL and HLSL, as wgpu does for Metal and DX12.
//!
//! ```text
//! cargo bench --bench gpu_static                            all shapes on two families, as Markdown
//! cargo bench --bench gpu_static -- lorenz63 ecg --family navi21
//! cargo bench --bench gpu_static -- --checks none           as if wgpu inserted no run-time checks
//! cargo bench --bench gpu_static -- --out DIR               keeps SPIR-V, MSL and HLSL; benches/gpu_static/nvidia.py reads them
//! ```
//!
//! A spill, scratch memory or more than 8 storage buffers is said and ends with exit code 1. `cargo test` looks at a few shapes; without RADV it says NOT RUN, and `ALRNN_REQUIRE_GPU=1` makes
//! that a failure.
#![allow(non_snake_case, reason = "the paper's symbols")]

mod assembly;
mod radv;
mod shapes;
mod translate;

use std::path::PathBuf;
use std::process::ExitCode;

use alrnn_gpu::backend::gpu::shader::reflect::Binding;
use clap::Parser;
use libtest_mimic::{Arguments, Trial};

use radv::{Job, Report};
use shapes::{SHAPES, Source};
use translate::Checks;

/// AMD families that Mesa has had registers enough for since 2022.
const FAMILIES: [&str; 2] = ["navi21", "vega20"];

/// Static figures of the kernels.
#[derive(Debug, Parser)]
struct Options {
    /// Shapes by their names; all by default.
    shapes: Vec<String>,
    /// AMD families as RADV names them, with commas between them.
    #[arg(long, value_delimiter = ',', default_values = FAMILIES)]
    family: Vec<String>,
    /// Run-time checks: those of wgpu, all of them but an end to every loop, or none.
    #[arg(long, value_enum, default_value_t = Checks::All)]
    checks: Checks,
    /// Keep every source and translation here.
    #[arg(long)]
    out: Option<PathBuf>,
    /// cargo says so when it runs a benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let is_given = |flag: &str| std::env::args().any(|argument| argument == flag);
    let done = if is_given(radv::CHILD) {
        radv::child()
    } else if is_given("--bench") {
        tables(&Options::parse())
    } else {
        return as_tests();
    };
    match done {
        Ok(complaints) if complaints.is_empty() => ExitCode::SUCCESS,
        Ok(complaints) => {
            println!("{}", complaints.join("\n"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A narrow, a middling and a wide shape on every family.
fn as_tests() -> ExitCode {
    let arguments = Arguments::from_args();
    let required = std::env::var_os("ALRNN_REQUIRE_GPU").is_some_and(|value| value == "1");
    let missing = !radv::is_installed();
    let trial = |family: &'static str| {
        let test = move || {
            let sources = sources(&["lorenz63", "fmri", "ecg"])?;
            let reports = radv::compile(family, &jobs(&sources, Checks::All, None)?)?;
            let complaints = complaints(&sources, &reports.1);
            complaints
                .is_empty()
                .then_some(())
                .ok_or_else(|| complaints.join("\n").into())
        };
        Trial::test(format!("{family} spills nothing"), test).with_ignored_flag(missing && !required)
    };
    let counts = Trial::test("the loop counts without what is in it", || {
        assembly::the_loop_counts_without_what_is_in_it();
        Ok(())
    });
    let trials = FAMILIES.map(trial).into_iter().chain([counts]).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if missing {
        println!("NOT RUN: what compilers make of the kernels; {}", radv::INSTALL);
    }
    conclusion.exit_code()
}

/// Prints the tables; what is wrong.
fn tables(options: &Options) -> Result<Vec<String>, String> {
    let named: Vec<&str> = options.shapes.iter().map(String::as_str).collect();
    let sources = sources(&named)?;
    let jobs = jobs(&sources, options.checks, options.out.as_deref())?;
    println!(
        "{} kernels translated to SPIR-V, MSL and HLSL; run-time checks: {:?}\n",
        sources.len(),
        options.checks
    );
    if !radv::is_installed() {
        return Err(format!("NOT RUN: {}", radv::INSTALL));
    }
    let mut all = Vec::new();
    for family in &options.family {
        let (device, reports) = radv::compile(family, &jobs)?;
        println!("### {family} ({device})\n");
        print(&sources, &reports);
        all.extend(complaints(&sources, &reports));
    }
    Ok(all)
}

/// The kernels of the shapes of these names, of all where there are none.
fn sources(names: &[&str]) -> Result<Vec<Source>, String> {
    if let Some(name) = names
        .iter()
        .find(|&&name| SHAPES.iter().all(|shape| shape.name != name))
    {
        let known: Vec<&str> = SHAPES.iter().map(|shape| shape.name).collect();
        return Err(format!(
            "there is no shape {name}; there are {}",
            known.join(", ")
        ));
    }
    let wanted = SHAPES
        .iter()
        .filter(|shape| names.is_empty() || names.contains(&shape.name));
    Ok(wanted.flat_map(shapes::sources).collect())
}

fn jobs(sources: &[Source], checks: Checks, keep: Option<&std::path::Path>) -> Result<Vec<Job>, String> {
    let job = |source: &Source| {
        let translated = translate::all(source, checks)?;
        if let Some(folder) = keep {
            translated.keep(folder, source)?;
        }
        let bindings = source.shader.bindings.iter();
        Ok(Job {
            name: source.name(),
            uniform: bindings.map(|(_, kind)| *kind == Binding::Uniform).collect(),
            spirv: translated.spirv,
        })
    };
    sources.iter().map(job).collect()
}

fn print(sources: &[Source], reports: &[Report]) {
    println!(
        "| kernel | threads | buffers | workgroup memory | VGPRs | spilled | subgroups a SIMD | instructions | hottest loop: instructions | \
         multiply-adds | instructions each | workgroup reads | memory reads | compiled in s |"
    );
    println!("| --- |{}", " --- |".repeat(13));
    for (source, report) in sources.iter().zip(reports) {
        let hot = &report.hottest;
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {:.2} |",
            source.name(),
            source.shader.workgroup_size,
            source.storage_buffers(),
            source.shader.workgroup_memory,
            report.statistic("VGPRs"),
            report.spilled(),
            report.statistic("Subgroups per SIMD"),
            report.statistic("Instructions"),
            hot.instructions,
            hot.multiply_adds,
            hot.each(),
            hot.workgroup_reads,
            hot.memory_reads,
            report.seconds,
        );
    }
    println!();
}

/// What no kernel should do.
fn complaints(sources: &[Source], reports: &[Report]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (source, report) in sources.iter().zip(reports) {
        let mut complain = |wrong: bool, what: String| {
            if wrong {
                complaints.push(format!("{} {what}", source.name()));
            }
        };
        let (spilled, scratch) = (report.spilled(), report.statistic("Scratch size"));
        complain(
            spilled + scratch > 0,
            format!("spills {spilled} registers and uses {scratch} bytes of scratch memory"),
        );
        let buffers = source.storage_buffers();
        complain(buffers > 8, format!("binds {buffers} storage buffers"));
    }
    complaints
}
