//! Reading of documents: what is accepted, what is refused and with which words.

use std::time::Duration;

use super::*;

fn refused(text: &str) -> String {
    yaml("f.yaml", text).expect_err("refused").to_string()
}

fn one(text: &str) -> Node {
    let mut documents = yaml("f.yaml", text).expect("read");
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

fn value_of(text: &str) -> Value {
    match one(&format!("k: {text}\n")).value {
        Value::Map(mut entries) => entries.remove(0).value.value,
        other => panic!("not a map: {other:?}"),
    }
}

#[test]
fn plain_scalars_follow_the_core_schema_of_yaml_1_2() {
    assert_eq!(value_of("true"), Value::Bool(true));
    assert_eq!(value_of("12"), Value::Integer(12));
    assert_eq!(value_of("-3"), Value::Integer(-3));
    assert_eq!(value_of("0x1F"), Value::Integer(31));
    assert_eq!(value_of("1.5e3"), Value::Float(1500.0));
    assert_eq!(value_of("~"), Value::Null);
    assert_eq!(value_of(""), Value::Null);
    assert_eq!(value_of("'12'"), Value::String("12".into()));
    assert_eq!(value_of("10.0.0.0/8"), Value::String("10.0.0.0/8".into()));
    assert_eq!(value_of("2001:db8::/32"), Value::String("2001:db8::/32".into()));
    assert_eq!(value_of("/a/**"), Value::String("/a/**".into()));
    assert_eq!(value_of("e5"), Value::String("e5".into()));
}

#[test]
fn an_address_in_digits_is_a_text() {
    for text in ["2001:2::2", "64:65::1"] {
        assert_eq!(value_of(text), Value::String(text.into()));
    }
}

#[test]
fn words_that_readers_disagree_on_must_be_quoted_as_key_and_as_value() {
    for word in ["on", "Off", "YES", "no", "y", "N", "010", "0o17", "1_000", "12:30"] {
        let as_value = refused(&format!("k: {word}\n"));
        assert!(as_value.starts_with(&format!("f.yaml:1:4: `{word}` is ")), "{as_value}");
        assert!(as_value.ends_with("; quote it"), "{as_value}");
        let as_key = refused(&format!("{word}: 1\n"));
        assert!(as_key.starts_with(&format!("f.yaml:1:1: `{word}` is ")), "{as_key}");
        assert_eq!(value_of(&format!("'{word}'")), Value::String(word.into()));
    }
    assert!(refused("true: 1").contains("the key `true` is not a text; quote it"));
    assert_eq!(value_of("0"), Value::Integer(0));
}

#[test]
fn every_problem_is_told_with_line_and_column() {
    let text = "a: 1\na: 2\nb: &x 1\nc: *x\nd: !!str 1\n<<: {}\n[1]: 2\nlist:\n  - no\n";
    let lines: Vec<String> = refused(text).lines().map(str::to_owned).collect();
    assert_eq!(
        lines,
        [
            "f.yaml:2:1: `a` is written twice; keep one of them",
            "f.yaml:3:4: anchors are not read; leave out the `&name`",
            "f.yaml:4:4: aliases are not read; write the value out",
            "f.yaml:5:4: the tag `tag:yaml.org,2002:!str` is not read; leave it out",
            "f.yaml:6:1: merge keys are not read; write the values out",
            "f.yaml:7:1: a key must be a text",
            "f.yaml:9:5: `no` is a truth value to some readers and a text to others; quote it",
        ]
    );
}

#[test]
fn several_documents_stand_in_one_text_and_empty_ones_are_left_out() {
    let documents = yaml("f.yaml", "---\na: 1\n---\n---\nb: 2\n").expect("read");
    assert_eq!(documents.len(), 2);
    assert_eq!(documents[1].place.to_string(), "f.yaml:5:1");
    assert_eq!(yaml("f.yaml", "# nothing\n").expect("read"), []);
}

#[test]
fn deep_nesting_and_large_documents_are_refused_without_a_deep_stack() {
    for text in ["[".repeat(100_000), format!("{}1{}", "[".repeat(40), "]".repeat(40)), "- ".repeat(10_000)] {
        assert!(!refused(&text).is_empty());
    }
    assert!(refused(&format!("{}1{}", "[".repeat(40), "]".repeat(40))).ends_with("nested deeper than 32"));
    let one_mib = format!("a: \"{}\"\n", "x".repeat(MAX_DOCUMENT - 6));
    assert!(yaml("f.yaml", &one_mib).is_ok());
    assert!(refused(&format!("a: \"{}\"\n", "é".repeat(MAX_DOCUMENT / 2))).contains("larger than 1 MiB"));
    let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
    assert!(json("j", &deep).expect_err("refused").to_string().ends_with("nested deeper than 32"));
}

#[test]
fn broken_text_is_told_with_its_place() {
    assert!(refused("a: [1, 2\nb: 3\n").starts_with("f.yaml:"));
    let error = json("j", "{\"a\": }").expect_err("refused").to_string();
    assert_eq!(error, "j:1:7: not JSON: expected value");
}

#[test]
fn json_keys_written_twice_are_told_by_pointer() {
    let error = json("policy", r#"{"spec": {"rules": [{}, {"then": 1, "then": 2}]}}"#).expect_err("refused");
    assert_eq!(error.to_string(), "policy.spec.rules[1].then: `then` is written twice; keep one of them");
}

#[test]
fn durations_and_sizes_need_their_unit() {
    let node = one("a: 30s\nb: 1500ms\nc: 64KiB\nd: 5\ne: 5x\nf: 99999999999999999999s\n");
    let mut problems = Problems::default();
    let mut fields = Fields::new(&node, "it", &mut problems).expect("a map");
    let mut duration = |key| fields.take(key).and_then(|n| n.duration(&mut problems));
    assert_eq!(duration("a"), Some(Duration::from_secs(30)));
    assert_eq!(duration("b"), Some(Duration::from_millis(1500)));
    assert_eq!((duration("d"), duration("e"), duration("f")), (None, None, None));
    assert_eq!(fields.take("c").and_then(|n| n.size(&mut problems)), Some(65536));
    let text = problems.to_string();
    assert!(
        text.starts_with("f.yaml:4:4: `5` has no unit; write a duration with its unit: ms, s, m, h or d"),
        "{text}"
    );
    assert!(text.contains("`5x` is not a duration"), "{text}");
}

#[test]
fn fields_name_what_is_missing_unknown_or_not_built() {
    let node = one("nme: x\nlimit: 1\nmode: enforced\n");
    let mut problems = Problems::default();
    let mut fields = Fields::new(&node, "a rule", &mut problems).expect("a map");
    fields.require("name");
    fields.not_built(&["limit"]);
    fields.take("mode").and_then(|n| n.one_of(&["monitor", "enforce"], &mut problems));
    fields.finish(&mut problems);
    let lines: Vec<String> = problems.to_string().lines().map(str::to_owned).collect();
    assert_eq!(
        lines,
        [
            "f.yaml:3:7: unknown word `enforced`; did you mean `enforce`?",
            "f.yaml:1:1: a rule has no `name`; add `name:`",
            "f.yaml:1:1: unknown field `nme` in a rule; did you mean `name`?",
            "f.yaml:2:1: `limit` is not built yet; leave it out",
        ]
    );
}

#[test]
fn a_secret_is_never_shown() {
    let node = one("password: 12345\n");
    let mut problems = Problems::default();
    let mut fields = Fields::new(&node, "it", &mut problems).expect("a map");
    assert_eq!(fields.take("password").and_then(|n| n.secret(&mut problems)), None);
    assert!(!problems.to_string().contains("12345"));
}

#[test]
fn problems_have_a_cap() {
    let text: String = (0..1000).map(|i| format!("k{i}: no\n")).collect();
    assert_eq!(refused(&text).lines().count(), Problems::CAP + 1);
}

#[test]
fn what_readers_take_is_noted_for_the_reference() {
    let node = one("a: 1\n");
    let mut problems = Problems::default();
    taken::all();
    let mut fields = Fields::of("thing", &node, "it", &mut problems).expect("a map");
    fields.take("a");
    fields.not_built(&["b"]);
    fields.finish(&mut problems);
    assert_eq!(taken::all()["thing"], [("a", false), ("b", true)].into());
}

mod hostile {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[-a-c:{}\\[\\]&*!#|>'\"%@`, \n\t0-9<?~é\u{0}\u{feff}]{0,120}") {
            let _ = super::super::yaml("f", &text);
            let _ = super::super::json("f", &text);
        }
    }
}
