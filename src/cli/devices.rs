use crate::backend::Backend;
use crate::backend::cpu::CpuBackend;
use crate::backend::gpu::{AdapterDescription, adapters};
use crate::cli::args::DevicesArgs;
use crate::cli::output::{print, print_json, table};
use crate::error::Result;

/// Lists what there is to compute on, and what `--backend auto` takes.
pub fn run(args: DevicesArgs) -> Result<()> {
    let adapters = adapters();
    let cpu = CpuBackend::new(None)?.device().name.clone();
    let auto = adapters.iter().position(|adapter| adapter.taken);
    if args.json {
        return print_json(&serde_json::json!({ "cpu": cpu, "adapters": adapters, "auto": auto }));
    }
    let mut text = format!("CPU  {cpu}\n\n");
    if adapters.is_empty() {
        text.push_str("no graphics adapter found (a GPU needs its vendor's Vulkan driver)\n");
    } else {
        let rows = adapters.iter().enumerate().map(|(i, adapter)| row(i, adapter));
        let rows: Vec<Vec<String>> = rows.collect();
        let header = [
            "--device",
            "adapter",
            "kind",
            "API",
            "driver",
            "buffer",
            "workgroup",
            "timers",
            "auto",
        ];
        text.push_str(&table(&header, &rows));
    }
    text.push_str(&match auto {
        Some(i) => format!("\nauto takes adapter {i}: {}\n", adapters[i].reason),
        None => "\nauto takes the CPU: there is no hardware GPU it can use\n".to_owned(),
    });
    print(&text)
}

fn row(i: usize, adapter: &AdapterDescription) -> Vec<String> {
    vec![
        i.to_string(),
        adapter.name.clone(),
        adapter.kind.to_owned(),
        adapter.api.clone(),
        adapter.driver.clone(),
        format!("{} MiB", adapter.max_buffer >> 20),
        format!(
            "{} KiB, {} threads",
            adapter.workgroup_memory >> 10,
            adapter.workgroup_threads
        ),
        if adapter.timestamps { "yes" } else { "no" }.to_owned(),
        adapter.reason.clone(),
    ]
}
