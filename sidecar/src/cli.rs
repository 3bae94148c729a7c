//! The command line: one file a verb.
//!
//! Exit codes: 0 done, 1 the answer is no (problems found, a test failed, the house could not run), 2 the input or the usage
//! is wrong, 130 interrupted.

mod books;
mod check;
mod compare;
mod doctor;
mod exit;
mod explain;
mod guard;
mod migrate;
mod mode;
mod module;
mod policy;
mod probe;
mod render;
mod replay;
mod run;
mod shell;
mod spool;
mod supervise;
mod supplied;
mod test;
mod verdict;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

/// Gatehouse: API protection at an Envoy gateway, without a detour.
#[derive(Parser)]
#[command(name = "gatehouse", version, about, disable_help_subcommand = true)]
struct Arguments {
    /// Print JSON instead of text
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run the sidecar; without a configuration: a Unix socket, a spool and a file sink in the data folder
    Run(run::Arguments),
    /// Run a front for TCP services where Envoy cannot run: who may connect, by workload identity
    Guard(guard::Arguments),
    /// Find every problem of policy documents, each with its place
    Check(check::Arguments),
    /// The account of every worker and every sink; exit code 1: it does not close
    Books(books::Arguments),
    /// The brake: for a time, rules act as in monitor mode
    Mode(gatehouse::mode::Arguments),
    /// How policies differ
    Policy(gatehouse::policy::Arguments),
    /// Who is on which list that the house fills
    Verdict(gatehouse::verdict::Arguments),
    /// Run policy tests: sequences of requests or connections with a clock, and what the policy must say to each
    Test(test::Arguments),
    /// Say what a policy does with a request or a connection, and the whole way to it
    Explain(explain::Arguments),
    /// Say what a policy would have done to recorded traffic
    Replay(replay::Arguments),
    /// Compare the verdicts of one rule, which stands for another product, with those of all others
    Compare(compare::Arguments),
    /// Is this gateway healthy, and if not, what to type next
    Doctor(doctor::Arguments),
    /// Manifests for a place that the gate and the house shall live in, from one file of values
    Render(render::Arguments),
    /// What a spool holds, whether it is whole, how full it is; read only
    Spool(spool::Arguments),
    /// Start a verb again whenever it ends, so that nobody outside sees it end
    Supervise(supervise::Arguments),
    /// Put the gate's module where a gateway reads it, whole or not at all
    Module(module::Arguments),
    /// Is this house live, is it ready: for the probes of its container
    Probe(probe::Arguments),
    /// Print the completions of a shell
    Completions(shell::Completions),
    /// Write the manual pages
    #[command(hide = true)]
    Manual(shell::Manual),
}

/// Reads the arguments and does what they say.
pub(crate) fn main() -> ExitCode {
    let Arguments { json, verb } = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return misused(&error),
    };
    match verb {
        Verb::Run(arguments) => run::run(arguments, json),
        Verb::Guard(arguments) => guard::run(&arguments, json),
        Verb::Check(arguments) => check::check(&arguments, json),
        Verb::Books(arguments) => books::books(&arguments, json),
        Verb::Mode(arguments) => mode::mode(&arguments, json),
        Verb::Policy(arguments) => policy::policy(&arguments, json),
        Verb::Verdict(arguments) => verdict::verdict(&arguments, json),
        Verb::Test(arguments) => test::test(&arguments, json),
        Verb::Explain(arguments) => explain::explain(&arguments, json),
        Verb::Replay(arguments) => replay::replay(&arguments, json),
        Verb::Compare(arguments) => compare::compare(&arguments, json),
        Verb::Doctor(arguments) => doctor::doctor(&arguments, json),
        Verb::Render(arguments) => render::render(&arguments, json),
        Verb::Spool(arguments) => spool::spool(&arguments, json),
        Verb::Supervise(arguments) => supervise::supervise(arguments, json),
        Verb::Module(arguments) => module::module(&arguments, json),
        Verb::Probe(arguments) => probe::probe(&arguments, json),
        Verb::Completions(arguments) => shell::completions(&arguments, json),
        Verb::Manual(arguments) => shell::manual(&arguments, json),
    }
}

/// Help and version are errors to the parser too; they are no misuse.
fn misused(error: &clap::Error) -> ExitCode {
    // There is nobody else to tell.
    let _ = error.print();
    if error.kind() == ErrorKind::InvalidSubcommand {
        let command = Arguments::command();
        let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
        let verbs: Vec<String> = verbs.map(|verb| format!("`{}`", verb.get_name())).collect();
        let _ = writeln!(io::stderr().lock(), "the commands are {}", verbs.join(", "));
    }
    if error.use_stderr() { exit::usage() } else { ExitCode::SUCCESS }
}
