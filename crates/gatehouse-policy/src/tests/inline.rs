//! The inline policy of a gate's bootstrap.

use crate::document::json;
use crate::{MAX_INLINE, inline};

fn document(name: &str, more: &str) -> String {
    format!(r#"{{"apiVersion":"gatehouse.dev/v1","kind":"Policy","metadata":{{"name":"{name}"}},"spec":{{{more}}}}}"#)
}

#[test]
fn one_document_or_a_list_of_them_is_a_policy_of_revision_0() {
    let rule = r#""rules":[{"name":"r","match":{"path":"/admin"},"then":"block"}]"#;
    let one = inline(&json("policy", &document("a", rule)).expect("json")).expect("a policy");
    assert_eq!((one.rules(), one.stamp().revision), (1, 0));
    assert_ne!(one.digest(), [0; 32]);
    let list = format!("[{},{}]", document("a", rule), document("b", r#""hosts":"b.example""#));
    let two = inline(&json("policy", &list).expect("json")).expect("a policy");
    assert_eq!(two.rule_names().collect::<Vec<_>>(), ["a/r"]);
}

#[test]
fn problems_are_told_by_pointer() {
    let text = document("a", r#""rules":[{"name":"r","match":{"path":"/admin"},"then":"blok"}]"#);
    let problems = inline(&json("policy", &text).expect("json")).expect_err("refused");
    assert_eq!(problems.to_string(), "policy.spec.rules[0].then: unknown action `blok`; did you mean `block`?");
}

#[test]
fn a_large_one_is_left_to_the_house() {
    let body = "x".repeat(MAX_INLINE / 2);
    let refusal =
        |name: &str| format!(r#"{{"name":"{name}","match":{{"all":true}},"then":{{"block":{{"body":"{body}"}}}}}}"#);
    let text = document("a", &format!(r#""rules":[{},{}]"#, refusal("a"), refusal("b")));
    let problems = inline(&json("policy", &text).expect("json")).expect_err("refused").to_string();
    assert!(problems.starts_with("policy: the inline policy has "), "{problems}");
}
