//! `gatehouse render` and `gatehouse module`: what they write, and what they refuse.

use std::fs;

use super::process::{json, output, text};

#[test]
fn render_prints_writes_and_names_what_is_wrong_with_the_values() {
    let dir = tempfile::tempdir().unwrap();
    let (code, out, _) = output(&["render", "istio"]);
    assert!(code == 0 && out.contains("# gate.yaml\n") && out.contains("kind: WasmPlugin"), "{out}");
    let folder = dir.path().join("made");
    let (code, out, said) = output(&["render", "envoy", "-o", text(&folder)]);
    assert_eq!((code, out.lines().count()), (0, 4), "{said}");
    assert!(out.lines().all(|path| fs::metadata(path).is_ok()));
    let (code, out, _) = output(&["render", "vm", "--json"]);
    assert_eq!((code, json(&out)["manifests"][0]["name"].as_str()), (0, Some("gatehouse.service")));

    let values = dir.path().join("values.yaml");
    fs::write(&values, "shape: besides\n").unwrap();
    let (code, _, said) = output(&["render", "istio", text(&values)]);
    assert!(code == 2 && said.contains("values.yaml:1:8") && said.contains("did you mean `beside`?"), "{said}");
    fs::write(&values, "shape: independent\n").unwrap();
    let (code, _, said) = output(&["render", "istio", text(&values)]);
    assert!(code == 2 && said.contains("write `module: { url: oci://… }`"), "{said}");
    let (code, _, said) = output(&["render", "istio", "/nowhere/values.yaml"]);
    assert!(code == 2 && said.contains("cannot read `/nowhere/values.yaml`"), "{said}");
    let (code, _, said) = output(&["render", "mars"]);
    assert!(code == 2 && said.contains("envoy, envoy-gateway, istio, tsb, vm, migrate, subject-alt-names"), "{said}");
    // Words of `migrate` alone, and `migrate` with nothing to look at, or nothing in it.
    let (code, _, said) = output(&["render", "istio", "--proxy", "a"]);
    assert!(code == 2 && said.contains("are for `gatehouse render migrate MANIFESTS`"), "{said}");
    let (code, _, said) = output(&["render", "migrate"]);
    assert!(code == 2 && said.contains("a file or a folder"), "{said}");
    fs::write(&values, "kind: VirtualService\n").unwrap();
    let (code, out, _) = output(&["render", "migrate", text(&values)]);
    assert_eq!((code, out.as_str()), (1, "no detour was found\n"));
    fs::write(&values, "").unwrap();
    let (code, _, said) = output(&["render", "vm", "-o", text(&values)]);
    assert!(code == 1 && said.contains("cannot write"), "{said}");
}

#[test]
fn names_of_a_listener_are_those_of_its_policies_or_nothing() {
    const RENDER: [&str; 2] = ["render", "subject-alt-names"];
    let dir = tempfile::tempdir().unwrap();
    let policy = dir.path().join("policy.yaml");
    let write = |otherwise: &str| {
        let rule = "{ name: web, match: { serviceAccounts: [shop/web] }, then: allow }";
        let head = "apiVersion: gatehouse.dev/v1\nkind: TcpPolicy\nmetadata: { name: db }\n";
        let spec = format!("spec:\n  hosts: [db.internal]\n  rules: [{rule}]\n  otherwise: {otherwise}\n");
        fs::write(&policy, format!("{head}{spec}")).unwrap();
    };
    write("reject");
    let of = |more: &[&str]| output(&[&RENDER[..], &[text(&policy)], more].concat());
    let (code, out, said) = of(&["--host", "DB.internal."]);
    assert!(code == 0 && out.contains("{ exact: \"spiffe://cluster.local/ns/shop/sa/web\" }"), "{out}{said}");
    let (code, out, _) = of(&["--host", "db.internal", "-o", text(dir.path())]);
    assert!(code == 0 && out.trim_end().ends_with("/subject-alt-names.yaml"), "{out}");
    let (code, _, said) = of(&["--host", "other.internal"]);
    assert!(code == 2 && said.contains("no `kind: TcpPolicy` speaks of the host `other.internal`"), "{said}");
    let (code, _, said) = of(&[]);
    assert!(code == 2 && said.contains("--host HOST"), "{said}");
    let (code, _, said) = output(&["render", "envoy", "--host", "a"]);
    assert!(code == 2 && said.contains("`--host` is for"), "{said}");
    let (code, _, said) = output(&[&RENDER[..], &[text(&policy), "--host", "a", "--inline", "b"]].concat());
    assert!(code == 2 && said.contains("`--inline` is for the manifests of a place"), "{said}");
    write("allow");
    let (code, _, said) = of(&["--host", "db.internal"]);
    assert!(code == 2 && said.contains("policy.yaml:7:14: `otherwise` lets in everybody"), "{said}");
}

#[test]
fn a_module_is_put_in_place_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from.wasm"), dir.path().join("to.wasm"));
    fs::write(&from, b"\0asm\x01\0\0\0").unwrap();
    let (code, out, said) = output(&["module", text(&to), "--from", text(&from), "--json"]);
    assert_eq!(code, 0, "{said}");
    let digest = json(&out)["sha256"].as_str().unwrap().to_owned();
    assert_eq!(digest, "93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476");
    assert_eq!(fs::read(&to).unwrap(), fs::read(&from).unwrap());

    fs::write(&from, b"\0asm\x01\0\0\0more").unwrap();
    let (code, _, said) = output(&["module", text(&to), "--from", text(&from), "--sha256", &digest]);
    assert!(code == 1 && said.contains("nothing was written"), "{said}");
    assert_eq!(fs::read(&to).unwrap().len(), 8);
    fs::write(&from, b"<html>").unwrap();
    let (code, _, said) = output(&["module", text(&to), "--from", text(&from)]);
    assert!(code == 2 && said.contains("is no WebAssembly module"), "{said}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left aside");
}
