//! Requests with more than one reading.

use super::*;

#[test]
fn ambiguous_paths_are_refused_or_judged_on_every_reading() {
    let spec = |more: &str| format!("{more}{}", rules(&[rule("admin", r#"{"path":"/admin"}"#, r#""block""#)]));
    let default = policy(&[("p", &spec(""))]);
    let refused = get(&default, "/a%2Fb");
    assert_eq!(decided(&refused), (Action::Block, Some("p/ambiguous"), Reason::Ambiguous));
    assert_eq!((answered(&refused).status, refused.verdict.ambiguity), (400, Some("escaped_slash")));
    let judged = get(&default, "/x/../admin");
    assert_eq!(decided(&judged), (Action::Block, Some("p/admin"), Reason::Rule));
    assert_eq!(judged.verdict.ambiguity, Some("dot_segments"));
    assert_eq!(get(&default, "/x/../y").verdict.action(), Action::Allow);

    let strictest = policy(&[("p", &spec(r#""ambiguous":"strictest","#))]);
    assert_eq!(get(&strictest, "/a%2Fb").verdict.action(), Action::Allow);
    assert_eq!(decided(&get(&strictest, "/%2Fadmin")).1, Some("p/admin"));
    let reject = policy(&[("p", &spec(r#""ambiguous":"reject","#))]);
    assert_eq!(decided(&get(&reject, "/x/../y")).2, Reason::Ambiguous);

    let monitor = policy(&[("p", &spec(r#""mode":"monitor","#))]);
    let judged = get(&monitor, "/a%2Fb");
    assert_eq!((judged.verdict.action(), would(&judged)), (Action::Allow, vec![(Action::Block, "p/ambiguous")]));
}

#[test]
fn the_strictest_of_several_readings_wins_over_an_allow() {
    let policy = policy(&[(
        "p",
        &format!(
            r#""otherwise":"block",{}"#,
            rules(&[
                rule("open", r#"{"path":{"prefix":"/open"}}"#, r#""allow""#),
                rule("away", r#"{"path":{"prefix":"/away"}}"#, r#"{"redirect":{"location":"/"}}"#),
            ])
        ),
    )]);
    assert_eq!(get(&policy, "/open/x").verdict.action(), Action::Allow);
    assert_eq!(get(&policy, "/away/x").verdict.action(), Action::Redirect);
    assert_eq!(get(&policy, "/open/../closed").verdict.action(), Action::Block);
}

#[test]
fn an_absolute_target_is_judged_for_both_hosts_that_it_names() {
    let policy = policy(&[("p", r#""hosts":"secret.example","otherwise":"block""#)]);
    let judged = Client { path: "http://secret.example/x", ..Client::default() }.ask(&policy);
    assert_eq!(judged.verdict.action(), Action::Block);
}

#[test]
fn a_path_with_more_readings_than_are_kept_is_refused_also_behind_a_graver_doubt() {
    let policy = policy(&[("p", r#""ambiguous":"strictest""#)]);
    // Each of these alone can be judged; all together have more readings than anybody looks at.
    for path in ["/a//b", "/a/../b", "/a;x/b", "/a%5cb", "/a%2fb"] {
        assert_eq!(get(&policy, path).verdict.action(), Action::Allow, "{path}");
    }
    let judged = get(&policy, "/a%5c..//b;x/../c%252f/%2e%2e//d;y#e/../f");
    assert_eq!(decided(&judged), (Action::Block, Some("p/ambiguous"), Reason::Ambiguous));
}

#[test]
fn double_encoding_is_no_doubt_where_the_application_is_said_to_decode_twice() {
    let spec = |backend: &str| format!("{backend}{}", rules(&[rule("admin", r#"{"path":"/admin"}"#, r#""block""#)]));
    let once = policy(&[("p", &spec(""))]);
    assert_eq!(decided(&get(&once, "/x%2525")).2, Reason::Ambiguous);
    let twice = policy(&[("p", &spec(r#""backend":{"decodes":2},"#))]);
    assert_eq!(get(&twice, "/x%2525").verdict.action(), Action::Allow);
    assert_eq!(decided(&get(&twice, "/%2561dmin")).1, Some("p/admin"), "judged on both readings");
    let reject = policy(&[("p", &spec(r#""ambiguous":"reject","backend":{"decodes":2},"#))]);
    assert_eq!(decided(&get(&reject, "/x%2525")).2, Reason::Ambiguous);
}
