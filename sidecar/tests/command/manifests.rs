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
    assert!(code == 2 && said.contains("envoy, envoy-gateway, istio, tsb, vm, migrate"), "{said}");
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
