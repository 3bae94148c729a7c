//! The `gatehouse` binary. What it does is in the library; how it is asked is in [`cli`].

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
