//! `make bench`: what the gate costs a real Envoy, in one run on one machine beside what else could stand there.
//!
//! ```text
//!   core 1: load, one connection after the other ─► core 0: one Envoy a variant, one worker ─► core 1: application
//! ```
//! All variants run at once and are measured in turn, round after round, so that what else the machine does strikes all of them. The
//! figure is CPU time of the Envoy process (user and system, from /proc) divided by the requests that were answered; the rate in a
//! closed loop stands beside it. Of the rounds the first is left out; told are medians, with bootstrap intervals of 95 %.

mod cores;
mod drive;
mod figures;
mod report;
mod upstream;
mod variants;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use figures::Round;
use variants::Variant;

const USAGE: &str = "usage: gatehouse-bench-gateway [ROUNDS] [SECONDS]   (of each variant; usual: 11 rounds of 5 s)";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, usual: u64| words.get(at).map_or(Ok(usual), |word| word.parse::<u64>());
    let (Ok(rounds @ 2..), Ok(seconds @ 1..), true) = (number(0, 11), number(1, 5), words.len() <= 2) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    // Load and application share a thread: together they are lighter than Envoy, and a second one would need a third core.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a thread");
    runtime.block_on(run(rounds, Duration::from_secs(seconds)));
    ExitCode::SUCCESS
}

async fn run(rounds: u64, length: Duration) {
    let application = upstream::start().await;
    let variants = variants::start(application).await;
    cores::pin_self();
    let requests = Arc::new(drive::requests());
    let mut measured: Vec<Vec<Round>> = variants.iter().map(|_| Vec::new()).collect();
    for number in 0..rounds {
        for (variant, rounds) in variants.iter().zip(&mut measured) {
            let round = measure(variant, &requests, length).await;
            if number > 0 {
                rounds.push(round);
            }
        }
        eprintln!("round {} of {rounds}", number + 1);
    }
    report::tell(&variants, &measured, rounds - 1);
}

async fn measure(variant: &Variant, requests: &Arc<Vec<Vec<u8>>>, length: Duration) -> Round {
    let house = || variant.house_cpu().unwrap_or_default();
    let before = (variant.cpu(), house());
    let driven = drive::closed_loop(variant.address(), requests, length).await;
    let used = variant.cpu().saturating_sub(before.0);
    variant.check(&driven);
    Round::of(&driven, used, house().saturating_sub(before.1))
}
