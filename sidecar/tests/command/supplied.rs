//! What an operator supplies beside the policy: published ranges of packs, and tables of countries. Every verb that judges takes
//! the same, and says the same with it.

use std::fs;
use std::path::Path;

use super::{json, output, output_of, text};

const POLICY: &str = "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: { name: shop }\nspec:\n  hosts: [shop.example]\n  \
                      use: [packs/search-crawlers]\n  rules:\n    - { name: far, match: { country: DE }, then: block }\n";
const CRAWLER: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

/// `shop.yaml`, `ranges/` and `geo.csv`.
fn desk() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("ranges")).unwrap();
    fs::write(dir.path().join("shop.yaml"), POLICY).unwrap();
    fs::write(dir.path().join("ranges/googlebot.json"), r#"{"prefixes":[{"ipv4Prefix":"192.0.2.0/24"}]}"#).unwrap();
    fs::write(dir.path().join("geo.csv"), "network,country,asn\n198.51.100.0/24,DE,64500\n").unwrap();
    dir
}

fn at(dir: &Path, name: &str) -> String {
    text(&dir.join(name)).to_owned()
}

fn request(address: &str) -> String {
    format!(
        r#"{{"method": "GET", "authority": "shop.example", "path": "/", "address": "{address}", "headers": [["user-agent", "{CRAWLER}"]]}}"#
    )
}

#[test]
fn check_tells_what_packs_cannot_prove_and_what_no_table_tells() {
    let desk = desk();
    let (policy, ranges, geo) = (at(desk.path(), "shop.yaml"), at(desk.path(), "ranges"), at(desk.path(), "geo.csv"));
    let (code, said, _) = output(&["check", &policy]);
    assert_eq!(code, 0, "{said}");
    for words in [
        "shop.yaml:6:9: no ranges are given, so the pack `search-crawlers` proves nothing and is left out",
        "shop.yaml:8:15: no table of countries is given, so `country` is unknown in the rule `far`",
        "1 document(s), 1 rule(s)",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
    let (code, said, _) = output(&["check", &policy, "--ranges", &ranges, "--geo", &geo]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("shop.yaml:6:9: no ranges are given of `applebot`, `bingbot`, "), "{said}");
    assert!(!said.contains("`googlebot`") && !said.contains("no table"), "{said}");
    assert!(said.contains("1 document(s), 3 rule(s)"), "{said}");
    fs::write(desk.path().join("ranges/bingbot.txt"), "0.0.0.0/0\n").unwrap();
    let (_, said, _) = output(&["check", &policy, "--ranges", &ranges, "--geo", &geo]);
    assert!(
        said.contains("by its list `bingbot`, whose rules are left out: `")
            && said.contains("/bingbot.txt`: `0.0.0.0/0` holds too much"),
        "{said}"
    );
    let (code, said, _) = output(&["check", "--sarif", &policy]);
    let results = json(&said)["runs"][0]["results"].as_array().unwrap().len();
    assert_eq!((code, results), (0, 2), "{said}");
    let (code, _, err) = output(&["check", &policy, "--ranges", "/nowhere", "--geo", "/nowhere.csv"]);
    assert!(code == 2 && err.contains("/nowhere: is no folder") && err.contains("/nowhere.csv: "), "{err}");
}

#[test]
fn explain_and_replay_judge_by_the_same_ranges() {
    let desk = desk();
    let (policy, ranges, geo) = (at(desk.path(), "shop.yaml"), at(desk.path(), "ranges"), at(desk.path(), "geo.csv"));
    let explain = |address: &str, more: &[&str]| {
        output_of(&[&["explain", "--json", "--policy", &policy], more].concat(), request(address).as_bytes())
    };
    let supplied = ["--ranges", ranges.as_str(), "--geo", geo.as_str()];
    for (address, more, action, tag) in [
        ("192.0.2.7", &supplied[..], "allow", Some("googlebot")),
        ("203.0.113.7", &supplied, "allow", Some("impostor")),
        ("198.51.100.7", &supplied, "block", None),
        ("192.0.2.7", &[], "allow", None),
    ] {
        let (code, said, err) = explain(address, more);
        let verdict = json(&said);
        assert_eq!((code, &verdict["action"]), (0, &action.into()), "{address} {err}");
        if action == "allow" {
            let tags = tag.map(|tag| ["x-gatehouse-crawler", tag]);
            assert_eq!(verdict["headers"], serde_json::json!(Vec::from_iter(tags)), "{address}");
        }
        assert!(err.contains("warning: ") && err.contains("no ranges are given"), "{err}");
    }

    let log = ["192.0.2.7", "203.0.113.7", "198.51.100.7"].map(request).join("\n");
    let replay = |more: &[&str]| {
        let words = [&["replay", "--records", "--policy", &policy, "-"], more].concat();
        let (code, said, err) = output_of(&words, log.as_bytes());
        assert_eq!(code, 0, "{err}");
        let told = |line: &str| {
            let line = json(line);
            (line["action"].as_str().unwrap().to_owned(), line["tags"].is_array())
        };
        said.lines().map(told).collect::<Vec<_>>()
    };
    let told = |all: [(&str, bool); 3]| all.map(|(action, tagged)| (action.to_owned(), tagged)).to_vec();
    assert_eq!(replay(&supplied), told([("allow", true), ("allow", true), ("block", false)]));
    assert_eq!(replay(&[]), told([("allow", false); 3]));
}

#[test]
fn policy_tests_take_ranges_and_tables_from_the_file_or_from_the_command() {
    let desk = desk();
    let dir = desk.path();
    let cases = format!(
        "cases:\n  - name: crawlers\n    request: {{ authority: shop.example, headers: {{ user-agent: \"{CRAWLER}\" }} }}\n    requests:\n      \
         - {{ request: {{ path: /, address: 192.0.2.7 }}, expect: {{ action: allow, headers: {{ x-gatehouse-crawler: googlebot }} }} }}\n      \
         - {{ request: {{ path: /, address: 198.51.100.7 }}, expect: {{ action: block, rule: far }} }}\n"
    );
    let file = dir.join("shop.test.yaml");
    fs::write(&file, format!("policy: shop.yaml\n{cases}")).unwrap();
    let (ranges, geo) = (at(dir, "ranges"), at(dir, "geo.csv"));
    let (code, said, err) = output(&["test", text(&file), "--ranges", &ranges, "--geo", &geo]);
    assert_eq!(code, 0, "{said}{err}");
    assert!(!said.contains("search-crawlers"), "rules of packs are not the operator's to reach: {said}");
    let (code, _, err) = output(&["test", text(&file), "--geo", &geo]);
    assert!(code == 1 && err.contains("shop.yaml:6:9: no ranges are given"), "{err}");

    let own = "policy: shop.yaml\nranges: ranges\nplaces: { 198.51.100.0/24: { country: DE } }\n";
    fs::write(&file, format!("{own}{cases}")).unwrap();
    assert_eq!(output(&["test", text(&file)]).0, 0);
    fs::write(&file, format!("policy: shop.yaml\nranges: rnages\n{cases}")).unwrap();
    let (code, _, err) = output(&["test", text(&file)]);
    assert!(code == 2 && err.contains("shop.test.yaml:2:9: `rnages` is no folder"), "{err}");
}

#[test]
fn a_difference_of_policies_is_compiled_with_the_ranges_too() {
    let desk = desk();
    let (policy, ranges) = (at(desk.path(), "shop.yaml"), at(desk.path(), "ranges"));
    let (code, said, err) = output(&["policy", "diff", &policy, &policy, "--ranges", &ranges]);
    assert_eq!(code, 0, "{said}{err}");
}
