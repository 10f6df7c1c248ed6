//! Every kernel over a spread of shapes, as Chromium's compiler sees it.

use std::collections::BTreeMap;
use std::sync::Arc;

use alrnn_gpu::backend::gpu::layout::Arrangement;
use alrnn_gpu::backend::gpu::layout::blocked::Blocked;
use alrnn_gpu::backend::gpu::layout::plain::{Capacity, Layout, Team};
use alrnn_gpu::backend::gpu::schedule::step::{free_run_constants, step};
use alrnn_gpu::backend::gpu::shader::reflect::{Binding, Shader};
use alrnn_gpu::backend::gpu::shader::source::Constants;
use alrnn_gpu::model::{Dims, Shape};
use serde_json::{Value, json};

use crate::browser::Browser;

/// Sources by what they are of, each once.
#[derive(Default)]
struct Sources {
    made: usize,
    distinct: BTreeMap<String, Value>,
}

impl Sources {
    fn add(&mut self, kernel: &'static str, constants: &Constants, context: &str) {
        let shader = Shader::of_kernel(kernel, constants).unwrap_or_else(|e| panic!("{context}: {e}"));
        let storage = shader
            .bindings
            .iter()
            .filter(|(_, kind)| *kind != Binding::Uniform);
        assert!(
            storage.count() <= 8,
            "{kernel} of {context} has more storage buffers than WebGPU promises"
        );
        let bindings: Vec<Binding> = shader.bindings.iter().map(|(_, kind)| *kind).collect();
        let value = json!({ "name": format!("{kernel} of {context}"), "source": shader.source, "bindings": bindings });
        self.made += 1;
        self.distinct.entry(shader.source).or_insert(value);
    }

    fn add_form(&mut self, form: &Arrangement, context: &str) {
        for launch in step(form) {
            self.add(launch.kernel, &launch.constants, context);
        }
    }

    fn kernels(self) -> Vec<Value> {
        self.distinct.into_values().collect()
    }
}

/// M 2 … 256, observed units few and all, with and without inputs and gaps, batches that are no multiple of four; blocks
/// with no, few, many and only ReLU units.
fn sources() -> Sources {
    let mut sources = Sources::default();
    for M in [2, 3, 20, 33, 50, 64, 65, 100, 133, 200, 256] {
        for (N, K, S, T) in [(1, 0, 16, 20), (3, 2, 5, 20), (M, 0, 16, 12)] {
            for gaps in [false, true] {
                let N = N.min(M);
                let shape = Shape::new(Dims::new(M, N, K).expect("valid"), S, T).expect("valid");
                let context = format!("M {M} N {N} K {K} S {S} gaps {gaps}");
                let layout = Layout::new(shape, gaps, Capacity::FLOOR);
                sources.add_form(&Arrangement::Plain(layout), &context);
                for D in [N, M] {
                    sources.add(
                        "free_run",
                        &free_run_constants(&layout, Team::of_free_run(layout.dims.M, Capacity::FLOOR), D),
                        &context,
                    );
                }
                for P in [0, 1, 2, M] {
                    for (tau, longest) in [(5, 2), (16, 8)] {
                        let context = format!("{context} P {P} tau {tau} blocks of {longest}");
                        for fused in [false, true] {
                            let blocked =
                                Blocked::with_length(shape, gaps, Capacity::FLOOR, (P, tau), longest)
                                    .find(|blocked| blocked.fused.is_some() == fused);
                            let Some(blocked) = blocked else { continue };
                            sources.add_form(&Arrangement::Blocked(Box::new(blocked)), &context);
                        }
                    }
                }
            }
        }
    }
    sources
}

pub fn every_source_compiles(browser: &Arc<Browser>) {
    let sources = sources();
    let made = sources.made;
    let kernels = sources.kernels();
    let names: Vec<&str> = kernels.iter().filter_map(|k| k["name"].as_str()).collect();
    for kernel in [
        "sample",
        "forward",
        "adjoint",
        "outer",
        "update",
        "free_run",
        "blocked/powers",
        "blocked/forward",
        "blocked/adjoint",
        "blocked/collect",
        "blocked/pull_back",
        "fused/forward",
        "fused/adjoint",
    ] {
        let of = format!("{kernel} of ");
        assert!(
            names.iter().any(|name| name.starts_with(&of)),
            "no source of {kernel}"
        );
    }
    let begun = std::time::Instant::now();
    let answer = browser.ask(&json!({ "kind": "compile", "kernels": kernels, "pipelines": false }));
    println!(
        "{made} sources, {} distinct, in {:?}",
        kernels.len(),
        begun.elapsed()
    );
    assert_eq!(answer["complaints"], json!([]), "{:#}", answer["complaints"]);
}

/// What the compiler is trusted with above.
pub fn barriers_in_branches_are_refused(browser: &Arc<Browser>) {
    let source = |condition: &str| {
        format!(
            "@group(0) @binding(0) var<storage, read_write> out: array<u32>;\n\
             var<workgroup> shared_: array<u32, 64>;\n\
             @compute @workgroup_size(64)\n\
             fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {{\n\
                 shared_[lid] = lid;\n\
                 if {condition} {{ workgroupBarrier(); }}\n\
                 out[lid] = shared_[63 - lid];\n\
             }}"
        )
    };
    let kernel =
        |name: &str, condition| json!({ "name": name, "source": source(condition), "bindings": ["storage"] });
    let kernels = [kernel("uniform", "group.x < 7"), kernel("divergent", "lid < 7")];
    let answer = browser.ask(&json!({ "kind": "compile", "kernels": kernels, "pipelines": true }));
    let complaints = answer["complaints"].as_array().expect("a list");
    assert_eq!(complaints.len(), 1, "{complaints:#?}");
    assert_eq!(complaints[0]["name"], "divergent");
    assert!(complaints[0].to_string().contains("uniform"), "{complaints:#?}");
}
