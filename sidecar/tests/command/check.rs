//! `gatehouse check` as an operator meets it.

use std::fs;

use super::{json, output, output_of, text};

#[test]
fn policies_are_checked_with_places_and_exit_codes() {
    let dir = tempfile::tempdir().unwrap();
    let good = dir.path().join("good.yaml");
    let policy = "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: { name: shop }\nspec:\n  hosts: [shop.example.com]\n  rules:\n    \
                  - name: admin\n      match: { path: /admin }\n      then: block\n";
    fs::write(&good, policy).unwrap();
    let (code, said, _) = output(&["check", text(&good)]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("fine: 1 document(s), 1 rule(s)"), "{said}");

    let bad = dir.path().join("bad.yaml");
    fs::write(&bad, policy.replace("match:", "mtach:")).unwrap();
    let (code, said, _) = output(&["check", text(&bad)]);
    assert_eq!(code, 1);
    assert!(said.contains(&format!("{}:8:7: unknown field `mtach`", bad.display())), "{said}");
    let (code, said, _) = output(&["check", "--json", text(dir.path())]);
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &report["ok"], report["files"].as_array().unwrap().len()), (1, &false.into(), 2));

    let (code, _, said) = output(&["check", "/nowhere"]);
    assert!(code == 2 && said.contains("cannot read `/nowhere`"), "{said}");
}

#[test]
fn all_policies_that_are_shipped_hold_together_in_one_folder() {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/policies");
    let files = fs::read_dir(shipped).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect();
    let words: Vec<&str> = ["check"].into_iter().chain(files.iter().map(|path| text(path))).collect();
    assert!(files.len() >= 6, "{files:?}");
    let (code, said, told) = output(&words);
    assert_eq!(code, 0, "{said}{told}");
}

/// What SARIF 2.1.0 requires of a log, run, result and location (its schema's `required` and `minimum`).
fn assert_sarif(log: &serde_json::Value) {
    assert_eq!(log["version"], "2.1.0");
    assert!(log["$schema"].as_str().unwrap().ends_with("sarif-schema-2.1.0.json"));
    for run in log["runs"].as_array().unwrap() {
        let driver = &run["tool"]["driver"];
        assert_eq!(driver["name"], "gatehouse");
        let rules: Vec<&str> =
            driver["rules"].as_array().unwrap().iter().map(|rule| rule["id"].as_str().unwrap()).collect();
        assert!(["utf16CodeUnits", "unicodeCodePoints"].contains(&run["columnKind"].as_str().unwrap()));
        for result in run["results"].as_array().unwrap() {
            assert!(!result["message"]["text"].as_str().unwrap().is_empty());
            assert!(["none", "note", "warning", "error"].contains(&result["level"].as_str().unwrap()));
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(rules[index], result["ruleId"].as_str().unwrap());
            for location in result["locations"].as_array().unwrap() {
                let physical = &location["physicalLocation"];
                assert!(!physical["artifactLocation"]["uri"].as_str().unwrap().contains([' ', '\\']));
                if let Some(region) = physical.get("region") {
                    assert!(region["startLine"].as_u64().unwrap() >= 1 && region["startColumn"].as_u64().unwrap() >= 1);
                }
            }
        }
    }
}

#[test]
fn sarif_has_every_problem_and_warning_with_its_region() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("my shop.yaml");
    let policy = "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: { name: shop }\nspec:\n  rules:\n    \
                  - { name: a, mtach: { path: /a }, then: block }\n    - { name: b, match: { path: /b }, then: blok }\n";
    fs::write(&file, policy).unwrap();
    let (code, said, _) = output(&["check", "--sarif", text(&file)]);
    let log = json(&said);
    assert_sarif(&log);
    assert_eq!(code, 1);
    let results = log["runs"][0]["results"].as_array().unwrap();
    let lines: Vec<u64> = results
        .iter()
        .map(|result| result["locations"][0]["physicalLocation"]["region"]["startLine"].as_u64().unwrap())
        .collect();
    assert!(lines.contains(&6) && lines.contains(&7), "{said}");
    let uri = results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap();
    assert!(uri.starts_with("file:///") && uri.ends_with("/my%20shop.yaml"), "{uri}");

    let spare = "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: { name: shop }\nspec:\n  lists: { spare: { cidrs: [192.0.2.1] } }\n";
    fs::write(&file, spare).unwrap();
    let (code, said, _) = output(&["check", "--sarif", text(&file)]);
    let log = json(&said);
    assert_sarif(&log);
    assert_eq!((code, &log["runs"][0]["results"][0]["level"]), (0, &"warning".into()), "{said}");
    let (code, _, said) = output(&["check", "--sarif", "--json", text(&file)]);
    assert!(code == 2 && said.contains("two forms of one answer"), "{said}");
}

#[test]
fn off_a_terminal_nothing_is_coloured() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("p.yaml");
    fs::write(&file, "nonsense: [\n").unwrap();
    let (_, out, err) = output(&["check", text(&file)]);
    assert!(!out.contains('\x1b') && !err.contains('\x1b'), "{out}{err}");
}

#[test]
fn warnings_name_both_places_in_every_form() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("p.yaml");
    let policy = "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: { name: shop }\nspec:\n  rules:\n    \
                  - { name: a, match: { path: /a/** }, then: block }\n    - { name: b, match: { path: /a/b }, then: allow }\n";
    fs::write(&file, policy).unwrap();
    let (first, second) = (format!("{}:6:15", file.display()), format!("{}:7:15", file.display()));
    let (code, said, _) = output(&["check", text(&file)]);
    assert_eq!(code, 0);
    assert!(
        said.contains(&format!("warning: {second}")) && said.contains(&format!("`a` at {first} decides")),
        "{said}"
    );
    let warning = &json(&output(&["check", "--json", text(&file)]).1)["warnings"][0];
    assert_eq!((&warning["place"], &warning["also"]), (&second.into(), &serde_json::json!([first])));
    let log = json(&output(&["check", "--sarif", text(&file)]).1);
    assert_sarif(&log);
    let related = &log["runs"][0]["results"][0]["relatedLocations"][0]["physicalLocation"];
    assert_eq!(related["region"]["startLine"], 6, "{log:#}");
}

#[test]
fn the_long_form_says_the_same_and_is_its_own_long_form() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("p.yaml");
    let policy = "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: { name: shop }\nspec:\n  hosts: shop.example\n  rules:\n    \
                  - { name: a, match: { path: /a }, then: block }\n---\napiVersion: gatehouse.dev/v1\nkind: Policy\n\
                  metadata: { name: more }\nspec: { otherwise: allow }\n";
    fs::write(&file, policy).unwrap();
    let (code, long, err) = output(&["check", "--canonical", text(&file)]);
    assert_eq!((code, err.as_str(), long.matches("---").count()), (0, "", 1), "{long}");
    assert!(long.contains("  hosts:\n    - shop.example\n"), "{long}");
    let again = dir.path().join("long.yaml");
    fs::write(&again, &long).unwrap();
    assert_eq!(output(&["check", "--canonical", text(&again)]).1, long);
    let images = |file| json(&output(&["check", "--json", text(file)]).1)["image_bytes"].clone();
    assert_eq!(images(&file), images(&again));
    let documents = json(&output(&["check", "--canonical", "--json", text(&file)]).1);
    assert_eq!((&documents[0]["spec"]["hosts"][0], documents.as_array().unwrap().len()), (&"shop.example".into(), 2));
    fs::write(&file, policy.replace("block", "blok")).unwrap();
    let (code, out, err) = output(&["check", "--canonical", text(&file)]);
    assert!(code == 1 && out.is_empty() && err.contains("unknown action `blok`"), "{out}{err}");
    let (code, ..) = output(&["check", "--canonical", "--sarif", text(&file)]);
    assert_eq!(code, 2);
}

#[test]
fn files_of_lists_lie_beside_the_document() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("p.yaml");
    let policy = "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: { name: shop }\nspec:\n  \
                  lists: { bad: { cidrs: [], files: [lists/bad.txt] } }\n  \
                  rules:\n    - { name: a, match: { address: { list: bad } }, then: block }\n";
    fs::write(&file, policy).unwrap();
    let (code, said, _) = output(&["check", text(&file)]);
    assert!(code == 1 && said.contains("there is no file `lists/bad.txt`"), "{said}");
    fs::create_dir(dir.path().join("lists")).unwrap();
    fs::write(dir.path().join("lists/bad.txt"), "192.0.2.0/24 # a comment\n").unwrap();
    for path in [&file, dir.path()] {
        let (code, said, _) = output(&["check", text(path)]);
        assert_eq!(code, 0, "{said}");
    }
    let request = br#"{"method": "GET", "path": "/", "address": "192.0.2.9"}"#;
    let (_, said, _) = output_of(&["explain", "--json", "--policy", text(&file)], request);
    assert_eq!(json(&said)["rule"], "shop/a");
}
