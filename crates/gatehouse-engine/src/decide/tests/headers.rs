//! What reaches the application: tags, and nothing that a client may not say.

use super::*;

#[test]
fn tags_and_record_add_up_and_the_walk_goes_on() {
    let tag = |value: &str| format!(r#"{{"tag":{{"header":"x-gatehouse-class","value":"{value}"}}}}"#);
    let policy = policy(&[(
        "p",
        &rules(&[
            rule("a", r#"{"all":true}"#, &tag("one")),
            rule("b", r#"{"all":true}"#, &tag("two")),
            rule("c", r#"{"all":true}"#, r#""record""#),
            rule("d", r#"{"path":"/admin"}"#, r#""block""#),
        ]),
    )]);
    let judged = get(&policy, "/");
    assert_eq!((judged.verdict.tags.len(), judged.verdict.record, judged.verdict.reference.clone()), (2, true, None));
    let written = written(&judged).expect("written");
    assert_eq!(written[..2], [(":method".into(), "GET".into()), (":path".into(), "/".into())]);
    let tags: Vec<&str> = written.iter().filter(|(n, _)| n == "x-gatehouse-class").map(|(_, v)| v.as_str()).collect();
    assert_eq!(tags, ["one", "two"]);
    assert_eq!(get(&policy, "/admin").verdict.tags, Vec::<String>::new());
}

#[test]
fn a_client_gains_nothing_by_headers_of_ours_or_by_those_that_a_policy_sets() {
    let forged: &[(&str, &str)] = &[
        ("X-Gatehouse-Class", "crawler"),
        ("x_gatehouse_reference", "x"),
        ("x-bot", "no"),
        ("x_bot", "no"),
        ("x-kept", "1"),
    ];
    let client = Client { headers: forged, ..Client::default() };
    let names = |judged: &Judged| -> Vec<String> {
        written(judged).expect("written").into_iter().map(|(n, _)| n).skip(4).collect()
    };
    assert_eq!(names(&client.ask_with(None, WhenNoPolicy::Allow)), ["x-bot", "x_bot", "x-kept"]);

    let tag = rule("t", r#"{"path":"/never"}"#, r#"{"tag":{"header":"x-bot","value":"yes"}}"#);
    let trick = rule("trick", r#"{"headers":{"x-gatehouse-class":"crawler"}}"#, r#""allow""#);
    let block = rule("b", r#"{"path":"/admin"}"#, r#""block""#);
    for mode in ["monitor", "enforce"] {
        let spec = format!(r#""mode":"{mode}",{}"#, rules(&[tag.clone(), trick.clone(), block.clone()]));
        let policy = policy(&[("p", &spec)]);
        assert_eq!(names(&client.ask(&policy)), ["x-kept"], "{mode}");
        let admin = Client { path: "/admin", ..client }.ask(&policy);
        assert_eq!(admin.verdict.rule.as_deref(), (mode == "enforce").then_some("p/b"));
    }
    let elsewhere = policy(&[("p", &format!(r#""hosts":"other.example",{}"#, rules(&[tag])))]);
    assert_eq!(names(&client.ask(&elsewhere)), ["x-kept"]);
}
