//! Limits on random arrivals, against what their words promise.

use proptest::prelude::*;

use super::gate::*;

const SECOND: u64 = 1_000_000_000;
const WINDOW: u64 = 16 * SECOND;

/// Arrivals over ten windows: quiet, busy, and bursts that begin near the edges of sub-windows.
fn arrivals() -> impl Strategy<Value = Vec<u64>> {
    let pause = prop_oneof![
        6 => 0..SECOND / 4,
        2 => 0..2 * SECOND,
        1 => Just(SECOND),
        1 => Just(SECOND - 1),
        1 => 0..2 * WINDOW,
    ];
    prop::collection::vec(pause, 50..600).prop_map(|pauses| {
        let mut now = 0;
        let mut times: Vec<u64> = pauses
            .into_iter()
            .map(|pause| {
                now += pause;
                now
            })
            .collect();
        times.retain(|time| *time < 10 * WINDOW);
        times
    })
}

/// Asks at each of these moments; gives those of what was let through and of what was refused.
fn play(gate: &mut Gate, times: &[u64]) -> (Vec<u64>, Vec<u64>) {
    let start = gate.now_ns;
    times.iter().partition(|time| {
        gate.now_ns = start + **time;
        passed(&gate.ask(&Ask::get("/")))
    })
}

/// How many of `times` lie in the span of that length that ends with `end`, `end` itself left out.
fn before(times: &[u64], end: u64, length: u64) -> usize {
    times.iter().filter(|time| **time < end && end - **time < length).count()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 5, ..ProptestConfig::default() })]

    #[test]
    fn a_window_never_admits_more_and_refuses_only_what_its_error_explains(times in arrivals(), rate in 1_usize..40) {
        let spec = format!("rules: [{{ name: l, match: {{ all: true }}, limit: {{ rate: {rate} per 16s }}, then: limit }}]");
        let (admitted, refused) = play(&mut Gate::new(&spec), &times);
        for (at, time) in admitted.iter().enumerate() {
            // In order: of those up to this one, all but the last `rate` must lie a whole window back.
            prop_assert!(at < rate || time - admitted[at - rate] >= WINDOW, "{} admitted within a window", rate + 1);
        }
        for time in refused {
            prop_assert!(before(&admitted, time + 1, WINDOW + SECOND + 1) >= rate, "refused at {} without a reason", time);
        }
    }

    #[test]
    fn a_burst_and_a_rate_never_admit_more_and_refuse_only_what_is_too_early(times in arrivals(), rate in 1_u64..40, burst in 1_u64..10) {
        let spec = format!("rules: [{{ name: l, match: {{ all: true }}, limit: {{ rate: {rate} per 16s, burst: {burst} }}, then: limit }}]");
        let interval = WINDOW.div_ceil(rate);
        let (admitted, refused) = play(&mut Gate::new(&spec), &times);
        for (first, start) in admitted.iter().enumerate() {
            for (count, end) in admitted[first..].iter().enumerate() {
                prop_assert!((count as u64) < burst + (end - start) / interval);
            }
        }
        // What is refused would have been one too many in some span that ends with it.
        for time in refused {
            let spans = admitted.iter().enumerate().filter(|(_, start)| **start <= time);
            let too_many = |(first, start): (usize, &u64)| {
                let inside = admitted[first..].iter().filter(|other| **other <= time).count() as u64;
                inside + 1 > burst + (time - start) / interval
            };
            prop_assert!(spans.into_iter().any(too_many), "refused at {} without a reason", time);
        }
    }

    #[test]
    fn a_block_lasts_exactly_as_long_as_it_says(times in arrivals(), rate in 1_usize..20) {
        let block = 30 * SECOND;
        let spec = format!("rules: [{{ name: l, match: {{ all: true }}, limit: {{ rate: {rate} per 16s, blockFor: 30s }}, then: limit }}]");
        let (admitted, refused) = play(&mut Gate::new(&spec), &times);
        let mut blocked_until = 0;
        for time in times {
            if time < blocked_until {
                prop_assert!(refused.contains(&time), "let through at {} during a block", time);
            } else if refused.binary_search(&time).is_ok() {
                prop_assert!(before(&admitted, time + 1, WINDOW + SECOND + 1) >= rate);
                blocked_until = time + block;
            }
        }
    }

    #[test]
    fn failures_block_as_soon_as_they_are_too_many_and_not_before(
        answers in prop::collection::vec((0..2 * SECOND, prop::bool::weighted(0.5)), 20..200),
        rate in 1_usize..10,
    ) {
        let spec = format!("rules: [{{ name: l, match: {{ all: true }}, limit: {{ count: {{ status: 401 }}, rate: {rate} per 16s, blockFor: 20s }}, then: limit }}]");
        let mut gate = Gate::new(&spec);
        let (start, mut failures): (u64, Vec<u64>) = (gate.now_ns, Vec::new());
        // Until when it must be blocked, and until when it may be: the window's error counts failures of one sub-window before it.
        let (mut blocked_until, mut perhaps_until) = (0, 0);
        for (pause, failed) in answers {
            gate.now_ns += pause;
            let now = gate.now_ns - start;
            let judged = gate.exchange(&Ask::get("/"), if failed { 401 } else { 200 });
            if now < blocked_until {
                prop_assert!(!passed(&judged), "let through during a block");
                continue;
            }
            if now >= perhaps_until && before(&failures, now + 1, WINDOW + SECOND + 1) < rate {
                prop_assert!(passed(&judged), "refused after {} failures", failures.len());
            }
            prop_assert!(!passed(&judged) || before(&failures, now + 1, WINDOW) < rate);
            if passed(&judged) && failed {
                failures.push(now);
                let until = |too_many| if too_many { now + 20 * SECOND } else { 0 };
                blocked_until = until(before(&failures, now + 1, WINDOW) >= rate);
                perhaps_until = until(before(&failures, now + 1, WINDOW + SECOND + 1) >= rate);
            }
        }
    }
}
