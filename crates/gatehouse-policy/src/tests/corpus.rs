//! `testdata/good/*.yaml` compile and load; `testdata/bad/*.yaml` are refused with exactly the text of their `.problems`.
//! Adding a case is adding a file.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(folder);
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(!files.is_empty());
    files
}

fn compile_file(path: &Path) -> Result<Compiled, Problems> {
    let text = fs::read_to_string(path).expect("readable");
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    compile(&[Source { name: &name, text: &text, format: Format::Yaml }])
}

#[test]
fn every_good_file_compiles_and_loads_without_a_warning() {
    for path in files("good") {
        let compiled = compile_file(&path).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(compiled.warnings.is_empty(), "{}", compiled.warnings);
        let policy = Policy::load(compiled.image.clone(), 3).expect("loads");
        assert_eq!((policy.rules(), policy.digest()), (compiled.rules, compiled.digest), "{}", path.display());
        assert_eq!((policy.image(), policy.stamp().revision), (compiled.image.as_slice(), 3));
    }
}

#[test]
fn every_bad_file_is_refused_with_the_words_beside_it() {
    for path in files("bad") {
        let problems = compile_file(&path).expect_err(&path.display().to_string()).to_string();
        let expected = fs::read_to_string(path.with_extension("problems")).unwrap_or_default();
        assert_eq!(problems.trim_end(), expected.trim_end(), "{}:\n{problems}\n", path.display());
    }
}

#[test]
fn the_same_documents_in_another_order_are_the_same_image() {
    let (a, b) = (document("a", "hosts: a.example"), document("b", "otherwise: block"));
    let source = |name, text| Source { name, text, format: Format::Yaml };
    let one = compile(&[source("1", &a), source("2", &b)]).expect("compiles");
    let other = compile(&[source("x", &b), source("y", &a)]).expect("compiles");
    assert_eq!(one.digest, other.digest);
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    let text = document(
        "a",
        "lists: { spare: { cidrs: [192.0.2.1] } }\nclient: { address: { from: x-forwarded-for, trust: [0.0.0.0/0] } }",
    );
    let warnings = compiled(&text).expect("compiles").warnings.to_string();
    assert_eq!(
        warnings,
        "policy.yaml:6:12: no rule uses the list `spare`\n\
         policy.yaml:7:3: `trust` holds every address: any client can claim to be another; name the proxies' networks only"
    );
}

#[test]
fn every_shipped_example_compiles_alone_and_all_of_them_together() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/policies");
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let compiled = compile_file(&path).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(compiled.warnings.is_empty() && compiled.rules > 0, "{}", compiled.warnings);
        Policy::load(compiled.image, 1).expect("loads");
        texts.push(fs::read_to_string(&path).expect("readable"));
    }
    assert!(texts.len() >= 4);
    // Two of them say for every host who the client is: a folder holds one of these.
    texts.retain(|text| !text.contains("name: starter"));
    let sources: Vec<_> = texts.iter().map(|text| Source { name: "deploy", text, format: Format::Yaml }).collect();
    compile(&sources).unwrap_or_else(|problems| panic!("{problems}"));
}

#[test]
fn the_policy_of_the_readme_compiles() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).expect("the README");
    let (_, after) = readme.split_once("```yaml\n").expect("a YAML sample");
    let (text, _) = after.split_once("```").expect("its end");
    let compiled = compile(&[Source { name: "README.md", text, format: Format::Yaml }]);
    let compiled = compiled.unwrap_or_else(|problems| panic!("{problems}"));
    assert!(compiled.warnings.is_empty(), "{}", compiled.warnings);
}
