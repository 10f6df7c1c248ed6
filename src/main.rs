#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    alrnn_gpu::cli::main()
}
