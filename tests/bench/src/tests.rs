//! The measured cases are what the tables say they are.

use gatehouse_corpora::Shape;
use gatehouse_policy::Policy;

use crate::images::{Image, compiled};
use crate::worker::{Seen, Worker};

fn worker(image: Image) -> Worker {
    let corpus = image.corpus();
    let policy = Policy::load(compiled(&corpus).unwrap_or_else(|problems| panic!("{problems}")), 1).expect("loads");
    assert_eq!(policy.rules(), corpus.rules, "{}", corpus.name);
    Worker::new(Some(policy), corpus.asks.into_iter().map(Seen::keep).collect())
}

fn mitigated(worker: &mut Worker) -> usize {
    (0..worker.asks()).filter_map(|_| worker.judge_next()).filter(|judged| judged.verdict.mitigates()).count()
}

#[test]
fn the_standard_case_has_its_rules_and_limits_and_one_request_in_twenty_is_mitigated() {
    let mut worker = worker(Image::Standard);
    let policy = worker.policy().expect("there is one");
    assert_eq!((policy.rules(), policy.limits().len()), (1000, 50));
    assert!(policy.image().len() < 4 << 20, "{}", policy.image().len());
    for _ in 0..3 {
        let (found, all) = (mitigated(&mut worker), worker.asks());
        assert!((all / 25..all * 6 / 100).contains(&found), "{found} of {all}");
    }
}

#[test]
fn half_of_the_requests_of_each_shape_meet_a_rule_whatever_its_size() {
    for shape in Shape::ALL {
        for rules in [100, 500] {
            let mut worker = worker(Image::Growing(shape, rules));
            assert_eq!(mitigated(&mut worker) * 2, worker.asks(), "{} {rules}", shape.as_str());
        }
    }
}
