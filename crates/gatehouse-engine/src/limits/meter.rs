//! What a policy says of a limit, in the words of the meter.

use gatehouse_meter::{Count, Ladder, Limit, LimitSpec as Meter, Step};
use gatehouse_policy::{Count as Counted, LimitSpec, StepSpec};

/// The limit; `None`: no such limit can be. The policy's reader refuses it by name, so it came by another way.
pub(super) fn limit(spec: &LimitSpec) -> Option<Limit> {
    let step = |step: &StepSpec| Step { limit: step.burst.unwrap_or(step.rate), block_for: step.block_for_ns };
    let steps: Vec<Step> = spec.steps.iter().map(step).collect();
    let count = count(spec, spec.steps.first()?);
    Limit::try_new(Meter { count, steps: Ladder::new(&steps).ok()? }).ok()
}

fn count(spec: &LimitSpec, first: &StepSpec) -> Count {
    let (window, rate) = (first.per_ns, first.rate);
    match (&spec.count, first.burst) {
        (Counted::Distinct(_), _) => Count::Distinct { window },
        (Counted::Failures(_), _) => Count::Failures { window, in_flight: spec.in_flight },
        (Counted::Requests, Some(_)) => Count::Rate { rate, per: window },
        (Counted::Requests, None) => Count::Window { window },
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_policy::{Format, Source, compile};

    use super::*;

    /// The limit that a document says, if the reader takes it.
    fn said(limit: &str) -> Option<LimitSpec> {
        let text = format!(
            r#"{{"apiVersion":"gatehouse.dev/v1","kind":"Policy","metadata":{{"name":"p"}},"spec":{{"hosts":["a.example"],
               "rules":[{{"name":"r","match":{{"path":"/a"}},"limit":{{"by":"host",{limit}}},"then":"limit"}}]}}}}"#
        );
        let compiled = compile(&[Source { name: "p", text: &text, format: Format::Json }]).ok()?;
        gatehouse_policy::Policy::load(compiled.image, 1).ok()?.limits().first().cloned()
    }

    /// Every kind by the least, the greatest and numbers between, with windows, bursts, blocks and steps.
    fn every() -> Vec<String> {
        let numbers = [1_u32, 2, 1536, 1537, 12_700, 100_000, 1_000_000];
        let mut all = Vec::new();
        for window in ["1s", "5m", "1d"] {
            for number in numbers {
                let rate = format!(r#""rate":"{number} per {window}""#);
                let over = format!(r#""distinct":{{"of":"address","over":"{number} per {window}"}}"#);
                all.extend([1, 1000, 213_504, 213_505, 1_000_000].map(|burst| format!(r#"{rate},"burst":{burst}"#)));
                for kind in [rate.clone(), format!(r#"{rate},"count":{{"status":401}},"inFlight":3"#), over] {
                    all.push(format!(r#"{kind},"blockFor":"7d""#));
                    for higher in numbers {
                        for block in ["", r#","blockFor":"1m""#] {
                            let step = format!(r#"{{"rate":"{higher} per {window}"{block},"then":"block"}}"#);
                            all.push(format!(r#"{kind},"blockFor":"30s","steps":[{step}]"#));
                            all.push(format!(r#"{kind},"steps":[{step}]"#));
                        }
                    }
                }
            }
        }
        all
    }

    #[test]
    fn every_limit_that_the_reader_takes_is_one_that_the_meter_has() {
        let (mut taken, mut refused) = (0, 0);
        for text in every() {
            match said(&text) {
                Some(spec) => {
                    taken += 1;
                    assert!(limit(&spec).is_some(), "{text}");
                }
                None => refused += 1,
            }
        }
        assert!(taken > 400 && refused > 400, "{taken} taken, {refused} refused");
    }

    #[test]
    fn a_higher_step_that_names_no_block_keeps_that_of_the_step_below() {
        let second = 1_000_000_000;
        let spec =
            said(r#""rate":"10 per 1m","blockFor":"10m","steps":[{"rate":"20 per 1m","then":"block"}]"#).unwrap();
        let ladder = Ladder::new(&[10, 20].map(|limit| Step { limit, block_for: 600 * second })).unwrap();
        let same = Limit::try_new(Meter { count: Count::Window { window: 60 * second }, steps: ladder }).unwrap();
        assert_eq!(limit(&spec), Some(same));
    }
}
