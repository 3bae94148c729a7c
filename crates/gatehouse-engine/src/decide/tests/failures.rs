//! Counts of failures: what an answer says, once, and how many tries may be under way.

use super::gate::*;

const LOGIN: &str = "rules: [{ name: login, match: { method: POST, path: /login }, \
     limit: { by: client, count: { status: [401, 403] }, rate: 10 per 1m, blockFor: 10m }, then: limit }]";

fn login() -> Ask {
    Ask::new("POST", "/login")
}

#[test]
fn ten_401s_within_a_minute_then_429_for_ten_minutes_and_successes_never_count() {
    let mut gate = Gate::new(LOGIN);
    for status in [200, 302, 404, 500].into_iter().cycle().take(1000) {
        assert!(passed(&gate.exchange(&login(), status)));
    }
    for n in 0..10 {
        gate.seconds(5);
        let status = if n % 2 == 0 { 401 } else { 403 };
        assert!(passed(&gate.exchange(&login(), status)), "failure {n}");
        assert_eq!(passed(&gate.exchange(&login(), 200)), n < 9, "a success after failure {n}");
    }
    assert!(passed(&gate.ask(&login().from("192.0.2.2"))), "another client");
    assert!(passed(&gate.ask(&Ask::get("/login"))), "another request");
    for second in 0..600 {
        let judged = gate.exchange(&login(), 200);
        assert_eq!(said(&judged), "limit p/login", "after {second} s");
        assert_eq!(answers(&judged, "retry-after"), Some((600 - second).to_string().as_str()));
        gate.seconds(1);
    }
    assert!(passed(&gate.exchange(&login(), 200)));
}

#[test]
fn nine_failures_a_minute_never_block() {
    let mut gate = Gate::new(LOGIN);
    for _ in 0..200 {
        gate.wait(std::time::Duration::from_millis(7100));
        assert!(passed(&gate.exchange(&login(), 401)));
    }
}

#[test]
fn of_200_parallel_logins_at_most_limit_and_in_flight_get_through() {
    for (in_flight, most) in [("", 10), (", inFlight: 5", 5), (", inFlight: 40", 40)] {
        let mut gate = Gate::new(&LOGIN.replace(", blockFor: 10m", &format!(", blockFor: 10m{in_flight}")));
        let mut under_way = Vec::new();
        let mut through = 0;
        // All come at once; answers trickle in while the rest still tries.
        for n in 0..200 {
            let judged = gate.ask(&login());
            if passed(&judged) {
                through += 1;
                under_way.push(judged);
            }
            assert!(under_way.len() <= most);
            if n % 7 == 6 && !under_way.is_empty() {
                let mut judged = under_way.remove(0);
                gate.tell(&mut judged, Some(401));
            }
        }
        for mut judged in under_way {
            gate.tell(&mut judged, Some(401));
        }
        assert!(through <= 10 + most, "{through} for inFlight {most}");
        assert!(through >= 10.min(most), "{through}");
        assert_eq!(said(&gate.ask(&login())), "limit p/login");
    }
}

#[test]
fn a_place_is_given_back_once_whatever_is_told_afterwards() {
    let mut gate = Gate::new(&LOGIN.replace("rate: 10 per 1m", "rate: 10 per 1m, inFlight: 2"));
    let (mut one, two) = (gate.ask(&login()), gate.ask(&login()));
    assert!(passed(&one) && passed(&two) && one.awaits_status());
    let third = gate.ask(&login());
    assert_eq!((said(&third).as_str(), answers(&third, "retry-after")), ("limit p/login", Some("1")));
    for _ in 0..5 {
        gate.tell(&mut one, Some(200));
        gate.tell(&mut one, None);
    }
    assert!(passed(&gate.ask(&login())), "one place is free");
    assert!(!passed(&gate.ask(&login())), "and only one");
}

#[test]
fn a_transaction_that_is_reset_counts_neither_as_success_nor_as_failure() {
    let mut gate = Gate::new(&LOGIN.replace("rate: 10 per 1m", "rate: 2 per 1m"));
    for _ in 0..50 {
        let mut judged = gate.ask(&login());
        assert!(passed(&judged));
        gate.tell(&mut judged, None);
        gate.tell(&mut judged, Some(401));
    }
    gate.exchange(&login(), 401);
    assert!(passed(&gate.exchange(&login(), 401)));
    assert!(!passed(&gate.ask(&login())));
}

#[test]
fn a_try_is_given_back_also_where_its_limit_moved_in_a_new_policy() {
    let rule = LOGIN.strip_prefix("rules: [").and_then(|rest| rest.strip_suffix(']')).unwrap();
    let rule = rule.replace("rate: 10 per 1m", "rate: 2 per 1m");
    let mut gate = Gate::new(&format!("rules: [{rule}]"));
    let mut tries = [(); 2].map(|()| gate.ask(&login()));
    assert!(tries.iter().all(passed) && !passed(&gate.ask(&login())));
    let old = std::mem::replace(
        &mut gate.policy,
        document(&format!(
            "rules: [{{ name: a, match: {{ path: /a }}, limit: {{ rate: 1 per 1m }}, then: limit }}, {rule}]"
        )),
    );
    assert!(!passed(&gate.ask(&login())), "both are still under way");
    for judged in &mut tries {
        crate::exchange::answered(Some(&old), judged, Some(401), &mut gate.state, &crate::limits::NoSlots, gate.now_ns);
    }
    let judged = gate.ask(&login());
    assert_eq!(answers(&judged, "retry-after"), Some("600"), "both failures count");
}

#[test]
fn a_watching_count_of_failures_lets_everything_through_and_counts_what_an_enforced_one_would() {
    let mut gate = Gate::new(&format!("mode: monitor\n{LOGIN}"));
    for n in 0..40 {
        let judged = gate.exchange(&login(), 401);
        assert_eq!((said(&judged).as_str(), would(&judged).is_empty()), ("allow", n < 10), "{n}");
    }
    gate.seconds(600);
    assert!(
        would(&gate.exchange(&login(), 200)).is_empty(),
        "failures during the block were none that an enforced rule would have seen"
    );
}

#[test]
fn failures_that_a_lower_step_lets_through_reach_the_higher_one() {
    let spec = "
rules:
- name: l
  match: { all: true }
  limit: { count: { status: 401 }, rate: 2 per 1m, steps: [{ rate: 5 per 1m, blockFor: 10m, then: limit }] }
  then: { tag: { header: x-suspect, value: \"1\" } }";
    let mut gate = Gate::new(spec);
    let tags: Vec<usize> = (0..5).map(|_| gate.exchange(&Ask::get("/"), 401).verdict.tags.len()).collect();
    assert_eq!(tags, [0, 0, 1, 1, 1]);
    assert_eq!(said(&gate.ask(&Ask::get("/"))), "limit p/l");
}
