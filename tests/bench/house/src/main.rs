//! `make bench-house`, `make bench-loop` and a part of `make bench-growth`: what an event costs the house, how late a word of the house
//! is, and what an event costs at several rates.
//!
//! `house`: two workers send records, such as the gate makes of the standard requests, through the gate's own half of the stream as
//! fast as the house grants credit; the house is the release build, Kafka a real broker on the same machine, the collector a server of
//! ours by TLS. What is told is the CPU time of the house's process alone (user and system, from /proc), so that the peers and the
//! workers, which share the cores, do not count. Each run ends when the sinks have delivered everything, and every peer is asked
//! whether it has every record.
//!
//! | module | holds |
//! |---|---|
//! | [`plan`] | the command line |
//! | [`throughput`], [`shapes`] | one run of a house, and the houses that are run |
//! | [`threads`], [`stages`] | where its time goes: by thread, and by stage |
//! | [`collector`] | the peer of the HTTPS and OTLP sinks |
//! | [`drain`] | a sink is away, a backlog grows; it comes back |
//! | [`latency`] | from a response to Kafka |
//! | [`reach`] | `loop`: from a verdict, or a policy file, to every worker of an Envoy |
//! | [`growth`] | an event's cost by the rate of events |
//! | [`report`] | tables and files |

mod collector;
mod drain;
mod figures;
mod growth;
mod latency;
mod plan;
mod reach;
mod report;
mod shapes;
mod stages;
mod threads;
mod throughput;
mod worker;

use std::process::ExitCode;

use plan::{Plan, What};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some(plan) = Plan::read(&words) else {
        eprintln!("{}", plan::USAGE);
        return ExitCode::from(2);
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
    let told = runtime.block_on(async {
        match plan.what {
            What::House { events, rounds, seconds } => {
                report::house(&plan.out, events, rounds, seconds).await;
                Ok(())
            }
            What::Loop { repetitions } => {
                report::round(&plan.out, repetitions).await;
                Ok(())
            }
            What::Growth { seconds } => growth::run(&plan.out, seconds).await,
        }
    });
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gatehouse-bench-house: {error}");
            ExitCode::FAILURE
        }
    }
}
