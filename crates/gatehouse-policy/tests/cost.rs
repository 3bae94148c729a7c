//! What a decision costs does not grow with rules that cannot match: counted, not timed; times are printed.
//!
//! `cargo test --release -p gatehouse-policy --features yaml --test cost -- --nocapture` prints nanoseconds a decision.

mod shapes;

use std::time::Instant;

use gatehouse_policy::{Candidates, Phase, Policy, Truth};
use shapes::{CORPORA, Corpus, Request};

/// A rule that is asked counts as much as so many steps of the index.
const ASKED: u64 = 8;

/// What one size of a corpus costs a request, on average.
#[derive(Debug, Clone, Copy)]
struct Cost {
    steps: f64,
    asked: f64,
    held: f64,
    ns: f64,
    image: usize,
}

impl Cost {
    fn work(&self) -> f64 {
        self.steps + self.asked * ASKED as f64
    }
}

fn decide(policy: &Policy, request: &Request, candidates: &mut Candidates) -> (u64, usize, usize) {
    request.with_facts(|facts| {
        let Some(scope) = policy.for_host(facts.host) else { return (0, 0, 0) };
        scope.candidates(facts, Phase::Request, candidates);
        let held = candidates.iter().filter(|index| policy.rule(*index).holds(facts) == Truth::True).count();
        (candidates.work(), candidates.len(), held)
    })
}

/// Requests that meet rules all over the policy, and as many that meet none.
fn requests(corpus: &Corpus, count: usize) -> Vec<Request> {
    let met = (0..32).map(|i| (corpus.request)(i * count / 32));
    let unmet = (0..32).map(|i| (corpus.request)(20_000 + i));
    met.chain(unmet).collect()
}

fn measure(corpus: &Corpus, count: usize) -> Cost {
    let policy = corpus.policy(count);
    let requests = requests(corpus, count);
    let mut candidates = Candidates::default();
    let mut cost = decide_all(&policy, &requests, &mut candidates);
    cost.ns = time(&policy, &requests, &mut candidates);
    cost
}

/// Nanoseconds a decision, from the host to the rules that hold: the best of several rounds for each request, since others
/// use the machine too.
fn time(policy: &Policy, requests: &[Request], candidates: &mut Candidates) -> f64 {
    if cfg!(debug_assertions) {
        return 0.0;
    }
    let (rounds, times) = (40, 200);
    let (mut spent, mut held) = (0, 0);
    for request in requests {
        request.with_facts(|facts| {
            let mut best = u128::MAX;
            for _ in 0..rounds {
                let begin = Instant::now();
                for _ in 0..times {
                    if let Some(scope) = policy.for_host(std::hint::black_box(facts.host)) {
                        scope.candidates(facts, Phase::Request, candidates);
                        held +=
                            candidates.iter().filter(|index| policy.rule(*index).holds(facts) == Truth::True).count();
                    }
                }
                best = best.min(begin.elapsed().as_nanos());
            }
            spent += best;
        });
    }
    std::hint::black_box(held);
    spent as f64 / (times * requests.len()) as f64
}

/// The shared generator's policy and requests.
fn shared(corpus: &gatehouse_corpora::Corpus) -> (Policy, Vec<Request>) {
    let policy = shapes::load(&corpus.documents);
    (policy, corpus.asks.iter().map(Request::of).collect())
}

#[inline(never)]
fn decide_all(policy: &Policy, requests: &[Request], candidates: &mut Candidates) -> Cost {
    let mut cost = Cost { steps: 0.0, asked: 0.0, held: 0.0, ns: 0.0, image: policy.image().len() };
    for request in requests {
        let (steps, asked, held) = decide(policy, request, candidates);
        cost.steps += steps as f64 / requests.len() as f64;
        cost.asked += asked as f64 / requests.len() as f64;
        cost.held += held as f64 / requests.len() as f64;
    }
    cost
}

fn print(name: &str, size: usize, cost: &Cost) {
    let Cost { steps, asked, held, ns, image } = cost;
    println!("{name:<32} {size:>6} {steps:>8.1} {asked:>7.2} {held:>6.2} {ns:>9.0} {image:>8}");
}

#[test]
fn the_standard_case_costs_little() {
    let entries = if cfg!(debug_assertions) { 1_000 } else { 100_000 };
    let (policy, requests) = shared(&gatehouse_corpora::standard_of(1_000, entries));
    let mut candidates = Candidates::default();
    let mut cost = decide_all(&policy, &requests, &mut candidates);
    cost.ns = time(&policy, &requests[..400], &mut candidates);
    print("standard", policy.rules(), &cost);
    assert!(cost.held > 1.0 && cost.asked < cost.held + 4.0, "{cost:?}");
}

#[test]
fn shapes_of_all_cost_at_most_twice_as_much_with_most_rules() {
    let mut grown = Vec::new();
    for shape in gatehouse_corpora::Shape::ALL {
        let most = if cfg!(debug_assertions) { shape.most() / 5 } else { shape.most() };
        let costs = [100, most].map(|size| {
            let (policy, requests) = shared(&shape.corpus(size));
            let mut candidates = Candidates::default();
            let mut cost = decide_all(&policy, &requests, &mut candidates);
            cost.ns = time(&policy, &requests, &mut candidates);
            print(shape.as_str(), size, &cost);
            cost
        });
        let ratio = costs[1].work() / costs[0].work();
        if ratio > 2.0 {
            grown.push(format!("{}: {ratio:.2}", shape.as_str()));
        }
    }
    assert!(grown.is_empty(), "{grown:?}");
}

#[test]
fn ten_thousand_rules_cost_at_most_twice_what_a_hundred_cost() {
    println!("{:<32} {:>6} {:>8} {:>7} {:>6} {:>9} {:>8}", "corpus", "rules", "steps", "asked", "held", "ns", "image");
    let mut grown = Vec::new();
    for corpus in &CORPORA {
        let sizes = match (cfg!(debug_assertions), corpus.most) {
            (true, 10_000) => vec![100, 1_000],
            (true, _) => vec![100, 300],
            (false, 10_000) => vec![100, 1_000, 10_000],
            _ => vec![100, 300, 1_000],
        };
        let costs: Vec<Cost> = sizes.iter().map(|size| measure(corpus, *size)).collect();
        for (size, cost) in sizes.iter().zip(&costs) {
            print(corpus.name, *size, cost);
            assert!(cost.held >= 0.4, "{}: requests meet their rules", corpus.name);
        }
        let ratio = costs[costs.len() - 1].work() / costs[0].work();
        if ratio > 2.0 {
            grown.push(format!("{}: {ratio:.2}", corpus.name));
        }
    }
    assert!(grown.is_empty(), "{grown:?}");
}
