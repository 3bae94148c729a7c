//! `make bench`: what the gate costs a real Envoy, in one run on one machine beside what else could stand there.
//!
//! ```text
//!   core 1: load ─► core 0: one Envoy a variant, one worker ─► core 1: application
//!                                    └► core 1: its house or service
//! ```
//! All variants run at once and are measured in turn, round after round, so that what else the machine does strikes all of them. First
//! with the application behind them: a closed loop, for CPU time of the Envoy process (user and system, from /proc) by answered requests,
//! and for the rate; then half of the slowest one's rate as an open loop, for latencies; then as many requests as are missing to a
//! million, for memory. Then all anew with Envoy itself answering: a closed loop of the mix, and one of what is refused. Every answer is
//! compared with the verdict of the engine in this process. Of the rounds the first is left out; told are medians, with bootstrap
//! intervals of 95 %.

mod cores;
mod drive;
mod figures;
mod frame;
mod mix;
mod picture;
mod plan;
mod report;
mod rivals;
mod service;
mod upstream;
mod variants;

use std::process::ExitCode;

use drive::{Until, closed, open};
use figures::{Measured, Round, median, quantiles};
use frame::Answers;
use mix::Mix;
use plan::Plan;
use variants::{Material, Variant};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some((service::COMMAND, words)) = words.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return service::run(words).map_or(ExitCode::from(2), |()| ExitCode::SUCCESS);
    }
    let Some(plan) = Plan::read(&words) else {
        eprintln!("{}", plan::USAGE);
        return ExitCode::from(2);
    };
    // Load and application share a thread: together they are lighter than Envoy, and a second one would need a third core.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a thread");
    runtime.block_on(run(&plan));
    ExitCode::SUCCESS
}

async fn run(plan: &Plan) {
    let material = Material::new().expect("the policies compile");
    let application = upstream::start().await;
    let (proxied, rate) = with_application(plan, &material, Answers::Application(application)).await;
    let direct = by_itself(plan, &material).await;
    report::tell(plan, &material, rate, &proxied, &direct);
}

/// Those that the plan asks for; the others end at once.
async fn chosen(plan: &Plan, material: &Material, answers: Answers) -> Vec<Variant> {
    let mut variants = variants::start(material, answers).await;
    variants.retain(|variant| plan.takes(variant.name));
    variants
}

/// What was measured of each, and the rate of the open loop.
async fn with_application(plan: &Plan, material: &Material, answers: Answers) -> (Vec<Told>, f64) {
    let variants = chosen(plan, material, answers).await;
    cores::pin_self();
    let mut measured: Vec<Measured> = variants.iter().map(|_| Measured::default()).collect();
    let mut answered = vec![0; variants.len()];
    let before = closed_rounds(plan, &variants, &mut measured, &mut answered).await;
    let slowest = measured.iter().map(|of| median(&of.closed, |round| round.rate).value).fold(f64::MAX, f64::min);
    let rate = (slowest / 2.0).clamp(10.0, 50_000.0);
    open_rounds(plan, rate, &variants, &mut measured, &mut answered).await;
    fill_up(plan, &variants, &mut measured, answered).await;
    for ((variant, measured), before) in variants.iter().zip(&mut measured).zip(before) {
        let now = variant.memory().await;
        measured.growth = now.zip(before).map(|(now, before)| now.saturating_sub(before));
    }
    (Told::all(&variants, measured), rate)
}

/// Counts what was answered; gives the memories of the modules after the first round.
async fn closed_rounds(
    plan: &Plan,
    variants: &[Variant],
    measured: &mut [Measured],
    answered: &mut [usize],
) -> Vec<Option<u64>> {
    let mut memories = Vec::new();
    for number in 0..plan.rounds {
        for ((variant, measured), answered) in variants.iter().zip(&mut *measured).zip(&mut *answered) {
            let (round, sent) = closed_round(plan, variant, &variant.mix).await;
            *answered += sent;
            if number > 0 {
                measured.closed.push(round);
            } else {
                memories.push(variant.memory().await);
            }
        }
        eprintln!("proxied, closed loop: round {} of {}", number + 1, plan.rounds);
    }
    memories
}

async fn open_rounds(plan: &Plan, rate: f64, variants: &[Variant], measured: &mut [Measured], answered: &mut [usize]) {
    for number in 0..plan.rounds {
        for ((variant, measured), answered) in variants.iter().zip(&mut *measured).zip(&mut *answered) {
            let driven = open::run(variant.address(), &variant.mix, rate, plan.length).await;
            variant.check(&variant.mix, &driven);
            *answered += driven.sent;
            if number > 0 {
                measured.open.push(quantiles(&driven));
            }
        }
        eprintln!("proxied, {rate:.0} requests a second: round {} of {}", number + 1, plan.rounds);
    }
}

/// Sends each what is missing to as many requests as the plan says, and reads its memory then.
async fn fill_up(plan: &Plan, variants: &[Variant], measured: &mut [Measured], answered: Vec<usize>) {
    for ((variant, measured), answered) in variants.iter().zip(measured).zip(answered) {
        let missing = plan.requests.saturating_sub(answered);
        let driven = closed(variant.address(), &variant.mix, Until::Count(missing)).await;
        variant.check(&variant.mix, &driven);
        measured.resident = variant.resident();
        measured.dropped = variant.recorded(answered + driven.sent).await;
        eprintln!("{}: {} requests answered", variant.name, answered + driven.sent);
    }
}

/// The same with Envoy itself answering what goes on.
async fn by_itself(plan: &Plan, material: &Material) -> Vec<Told> {
    let variants = chosen(plan, material, Answers::Envoy).await;
    let mut measured: Vec<Measured> = variants.iter().map(|_| Measured::default()).collect();
    for number in 0..plan.rounds {
        for (variant, measured) in variants.iter().zip(&mut measured) {
            let (round, _) = closed_round(plan, variant, &variant.mix).await;
            let refused = variant.mix.only_refused();
            let only =
                if refused.requests.is_empty() { None } else { Some(closed_round(plan, variant, &refused).await) };
            if number > 0 {
                measured.closed.push(round);
                measured.refused.extend(only.map(|(round, _)| round));
            }
        }
        eprintln!("answered by Envoy: round {} of {}", number + 1, plan.rounds);
    }
    Told::all(&variants, measured)
}

async fn closed_round(plan: &Plan, variant: &Variant, mix: &Mix) -> (Round, usize) {
    let before = (variant.cpu(), variant.beside_cpu());
    let driven = closed(variant.address(), mix, Until::Time(plan.length)).await;
    let used = variant.cpu().saturating_sub(before.0);
    variant.check(mix, &driven);
    (Round::of(&driven, used, variant.beside_cpu().saturating_sub(before.1)), driven.sent)
}

/// A variant that is gone, and what was measured of it.
struct Told {
    name: &'static str,
    what: &'static str,
    measured: Measured,
}

impl Told {
    fn all(variants: &[Variant], measured: Vec<Measured>) -> Vec<Self> {
        let both = variants.iter().zip(measured);
        both.map(|(variant, measured)| Self { name: variant.name, what: variant.what, measured }).collect()
    }
}
