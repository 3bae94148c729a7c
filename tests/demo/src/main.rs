//! The `gatehouse-demo` binary: arguments, failures, exit codes. `tests/demo/run` calls it.

use std::process::ExitCode;

use gatehouse_demo::arguments::{Arguments, USAGE};
use gatehouse_demo::failure::Failure;
use gatehouse_demo::report::Report;
use gatehouse_demo::run::{Ending, run};
use gatehouse_demo::terminal::{Foreground, Terminal};

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("gatehouse-demo: {problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    // The processes' keeper panics with a message for people where a part cannot even be started.
    std::panic::set_hook(Box::new(|panic| {
        let what = panic.payload_as_str().unwrap_or("an error of the demo itself");
        eprintln!("{}", Failure::new(what, "run it again; if it stays, please report it"));
    }));
    let _foreground = Foreground::take();
    std::panic::catch_unwind(|| play(&arguments)).unwrap_or(ExitCode::FAILURE)
}

fn play(arguments: &Arguments) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("{}", Failure::new(format!("cannot start threads: {error}"), "raise the limits of this user"));
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(arguments, Report(Terminal::detect()))) {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::Interrupted) => ExitCode::from(130),
        Ok(Ending::Unbalanced) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("\n{failure}");
            ExitCode::FAILURE
        }
    }
}
