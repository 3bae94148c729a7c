//! `gatehouse test` as an operator meets it.

use std::fs;
use std::path::Path;

use super::{json, output, text};

fn shipped() -> String {
    format!("{}/../deploy/policies/tests", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_shipped_tests_pass_and_reach_every_rule() {
    let (code, said, err) = output(&["test", &shipped()]);
    assert_eq!((code, err.as_str()), (0, ""), "{said}");
    assert!(said.contains("fine: 21 case(s) passed"), "{said}");
    let (code, said, _) = output(&["test", "--json", &shipped()]);
    let report = json(&said);
    // In monitor mode nothing is weighed, so nobody ever has a score.
    let unreached = serde_json::json!(["catalogue/trapped-and-greedy"]);
    assert_eq!(
        (code, &report["ok"], &report["failed"], &report["unreached"]),
        (0, &true.into(), &0.into(), &unreached)
    );
}

/// The shipped tests against a policy where one path was forgotten.
fn broken(dir: &Path) {
    let starter = fs::read_to_string(format!("{}/../starter.yaml", shipped())).unwrap();
    fs::create_dir(dir.join("tests")).unwrap();
    fs::write(dir.join("starter.yaml"), starter.replace("          - /.env\n", "")).unwrap();
    let test = format!("{}/starter.test.yaml", shipped());
    fs::copy(test, dir.join("tests/starter.test.yaml")).unwrap();
}

#[test]
fn a_policy_that_lost_a_rule_fails_with_a_difference_and_the_way_to_it() {
    let dir = tempfile::tempdir().unwrap();
    broken(dir.path());
    let xml = dir.path().join("junit.xml");
    let (code, said, _) = output(&["test", text(dir.path()), "--junit", text(&xml)]);
    assert_eq!(code, 1, "{said}");
    for words in [
        "FAIL whoever looks for holes would be blocked",
        "request 1 at ",
        "- expected starter/scanner-paths",
        "+ got      none",
        "starter/scanner-paths [block, monitor] does not match",
        "wrong: 1 of 6 case(s) failed",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
    let xml = fs::read_to_string(xml).unwrap();
    assert!(xml.starts_with("<?xml version=\"1.0\"") && xml.contains("tests=\"6\" failures=\"1\""), "{xml}");
    assert_eq!((xml.matches("<testcase ").count(), xml.matches("<failure ").count()), (6, 1));
    let (code, said, _) = output(&["test", "--json", text(dir.path())]);
    let failure = &json(&said)["files"][0]["cases"][3]["failures"][0];
    assert_eq!((code, &failure["mismatches"][0]["field"]), (1, &"would_have".into()), "{failure:#}");
}

#[test]
fn wrong_tests_and_no_tests_are_wrong_input() {
    let dir = tempfile::tempdir().unwrap();
    let (code, _, err) = output(&["test", text(dir.path())]);
    assert!(code == 2 && err.contains("holds no `*.test.yaml`"), "{err}");
    fs::write(dir.path().join("a.test.yaml"), "policy: p.yaml\ncase: []\n").unwrap();
    let (code, out, err) = output(&["test", "--json", text(dir.path())]);
    assert_eq!((code, json(&out)["problems"].as_array().unwrap().len()), (2, 2), "{out}");
    assert!(err.contains("a.test.yaml:2:1: unknown field `case` in the test file; did you mean `cases`?"), "{err}");
    let (code, _, err) = output(&["test", "/nowhere"]);
    assert!(code == 2 && err.contains("cannot read `/nowhere`"), "{err}");
}
