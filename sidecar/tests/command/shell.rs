//! Completions and manual pages, made from the arguments themselves.

use std::fs;

use super::{json, output, text};

#[test]
fn every_shell_gets_completions_that_know_the_verbs() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, script, err) = output(&["completions", shell]);
        assert_eq!((code, err.as_str()), (0, ""));
        for word in ["check", "explain", "replay", "against"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
        let told = json(&output(&["completions", "--json", shell]).1);
        assert_eq!((&told["shell"], told["script"].as_str()), (&shell.into(), Some(script.as_str())));
    }
}

#[test]
fn every_verb_has_a_manual_page() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("man");
    let (code, said, err) = output(&["manual", text(&folder)]);
    assert_eq!((code, err.as_str()), (0, ""));
    let (_, help, _) = output(&["--help"]);
    for verb in ["run", "check", "test", "explain", "replay", "completions"] {
        assert!(help.contains(&format!("  {verb} ")), "{help}");
        let page = fs::read_to_string(folder.join(format!("gatehouse-{verb}.1"))).unwrap();
        assert!(page.contains(&format!(".TH gatehouse-{verb} 1")) && page.contains("\\-\\-json"), "{verb}: {page}");
    }
    assert!(said.contains("gatehouse.1\n") && !help.contains("manual"), "{said}");
    let (code, _, err) = output(&["manual", "/dev/null/man"]);
    assert!(code == 2 && err.contains("cannot write the manual to `/dev/null/man`"), "{err}");
}
