//! The `assay` command; see [`assay_experiments::cli`].

fn main() -> std::process::ExitCode {
    assay_experiments::cli::main()
}
