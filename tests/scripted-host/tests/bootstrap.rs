//! The plugin's configuration: an empty one serves, a bad one is refused with every problem named.

use gatehouse_scripted_host::Gate;
use gatehouse_scripted_host::gate::ordinary;

#[test]
fn an_empty_configuration_lets_everything_through_and_counts_that_there_is_no_policy() {
    for configuration in ["", "{}", "null"] {
        let mut gate = Gate::with_config(configuration);
        let answer = gate.get("/", &[]);
        assert!(answer.forwarded && answer.reply.is_none());
        assert_eq!(gate.world().metric("gatehouse_requests_total"), 1);
        assert_eq!(gate.world().metric("gatehouse_requests_without_policy_total"), 1);
        gate.tick_after(std::time::Duration::from_secs(2));
        assert_eq!(gate.world().metric("gatehouse_gate_without_policy"), 1);
        assert!(gate.world().streams.is_empty(), "without a house there is no stream");
    }
}

#[test]
fn a_bad_configuration_is_refused_and_names_all_its_problems() {
    let mut gate = Gate::begin(ordinary(Default::default()));
    let bad = r#"{"hause": {}, "whenNoPolicy": "perhaps", "house": {"authority": "a|b"}, "peer": "x_forwarded_for",
                  "policy": {"apiVersion": "gatehouse.dev/v1", "kind": "Policy", "metadata": {"name": "p"},
                             "spec": {"hosts": ["h"], "rules": [{"name": "r", "match": {"path": "/"}, "then": "blok"}]}}}"#;
    assert!(!gate.configure(bad));
    let said = gate.world().complaints();
    for word in ["hause", "whenNoPolicy", "house.authority", "`cluster`", "peer", "blok"] {
        assert!(said.contains(word), "`{word}` is not named in:\n{said}");
    }
    assert_eq!(gate.world().metric("gatehouse_bootstrap_refusals_total"), 1);
}

#[test]
fn a_refused_update_leaves_the_old_configuration_at_work() {
    let mut gate = Gate::with_config(r#"{"whenNoPolicy": "block"}"#);
    assert!(!gate.configure_context(90, "{"));
    gate.end(90);
    assert!(!gate.get("/", &[]).forwarded, "the old configuration still blocks");
}

#[test]
fn when_no_policy_blocks_it_blocks_without_any_house() {
    let mut gate = Gate::with_config(r#"{"whenNoPolicy": "block", "house": {"cluster": "users"}}"#);
    let answer = gate.get("/", &[]);
    let reply = answer.reply.expect("an answer");
    assert_eq!((answer.forwarded, reply.status), (false, 403));
    assert!(!reply.details.contains(' '), "{}", reply.details);
}
