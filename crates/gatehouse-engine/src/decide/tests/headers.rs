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

mod edits {
    use crate::decide::tests::gate::*;

    fn path(spec: &str, path: &str) -> Option<String> {
        let pairs = forwarded(&Gate::new(spec).ask(&Ask::get(path)));
        pairs.map(|pairs| pairs.into_iter().find(|(name, _)| name == ":path").unwrap().1)
    }

    #[test]
    fn the_target_goes_on_byte_for_byte_unless_the_policy_asks_otherwise() {
        let tag = "rules: [{ name: t, match: { all: true }, then: { tag: { header: x-a, value: b } } }]";
        for target in ["/a?", "/a?&&", "/a/../b?x=%zz", "/%61#f?g", "//a;b", "/a??b", "*"] {
            assert_eq!(path("ambiguous: strictest", target), None, "{target}");
            assert_eq!(path(&format!("ambiguous: strictest\n{tag}"), target).as_deref(), Some(target));
        }
    }

    #[test]
    fn where_it_asks_for_it_the_canonical_path_goes_on_with_its_query() {
        let spec = "ambiguous: strictest\nforward: canonical";
        for (target, forwarded) in
            [("/a/../%62//c?q=1", "/b/c?q=1"), ("/%61?", "/a?"), ("/a#x?y=1", "/a"), ("/%41?x=%2e#f", "/A?x=%2e")]
        {
            assert_eq!(path(spec, target).as_deref(), Some(forwarded), "{target}");
        }
        for target in ["/a/b?x=%2e", "/", "*", "http://shop.example.com/a/../b"] {
            assert_eq!(path(spec, target), None, "{target}");
        }
    }

    #[test]
    fn sanitized_parameters_are_removed_in_every_writing_and_nothing_else_is() {
        let spec = "rules: [{ name: s, match: { all: true }, then: { sanitize: { query: [debug, a b] } } }]";
        for (target, forwarded) in [
            ("/x?debug=1", "/x"),
            ("/x?debug", "/x"),
            ("/x?a=1&debug=1&b=2", "/x?a=1&b=2"),
            ("/x?a=1&debug=1", "/x?a=1"),
            ("/x?%64ebug=1&b=2&debug=3", "/x?b=2"),
            ("/x?a=1;debug=2&b=3", "/x?a=1&b=3"),
            ("/x?a+b=1&a%20b=2&c", "/x?c"),
            ("/x;debug=1?b=2;debug=2;c=3", "/x;debug=1?b=2;c=3"),
            ("/x?;debug=1;&;b", "/x?;&;b"),
        ] {
            assert_eq!(path(spec, target).as_deref(), Some(forwarded), "{target}");
        }
        for target in [
            "/x",
            "/x?",
            "/x?a=debug",
            "/x?debugger=1&Debug=2",
            "/debug=1",
            "/x?a=1&",
            "/x;debug=1",
            "/debug=1;debug/y",
        ] {
            assert_eq!(path(spec, target), None, "{target}");
        }
    }

    #[test]
    fn sanitized_headers_are_removed_in_any_case_and_with_underscores() {
        let spec =
            "rules: [{ name: s, match: { path: /x }, then: { sanitize: { headers: [x-debug, authorization] } } }]";
        let mut gate = Gate::new(spec);
        let ask = |path: &str| {
            Ask::get(path)
                .header("X-Debug", "1")
                .header("x_debug", "2")
                .header("authorization", "x")
                .header("x-kept", "1")
        };
        let names: Vec<String> =
            forwarded(&gate.ask(&ask("/x"))).unwrap().into_iter().map(|(n, _)| n).skip(4).collect();
        assert_eq!(names, ["x-kept"]);
        assert_eq!(forwarded(&gate.ask(&ask("/y"))), None);
        assert_eq!(forwarded(&gate.ask(&Ask::get("/x").header("x-kept", "1"))), None, "nothing to remove: no write");
    }
}
