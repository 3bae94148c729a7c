//! `testdata/good/*.yaml` compile and load, with exactly the warnings of their `.warnings`, if there is one; `testdata/bad/*.yaml`
//! are refused with exactly the text of their `.problems`.
//! Adding a case is adding a file; `GATEHOUSE_BLESS=1` writes the words that come out beside it, to be read and committed.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;

pub(super) fn files(folder: &str) -> Vec<PathBuf> {
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
    let surroundings = crate::Surroundings { now: Some(1_790_000_000), ..crate::Surroundings::default() };
    let packs = packs();
    let options = crate::Options::new(&packs).warn(&surroundings);
    crate::compile_with(&[Source { name: &name, text: &text, format: Format::Yaml }], &options)
}

/// The packs under `testdata/packs`.
pub(crate) struct TestPacks(Vec<(String, String)>);

pub(crate) fn packs() -> TestPacks {
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("readable");
        (path.file_stem().expect("a name").to_string_lossy().into_owned(), text)
    };
    TestPacks(files("packs").into_iter().map(read).collect())
}

impl crate::Library for TestPacks {
    fn pack(&self, name: &str) -> Option<Source<'_>> {
        let (name, text) = self.0.iter().find(|(known, _)| known == name)?;
        Some(Source { name, text, format: Format::Yaml })
    }

    fn packs(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).collect()
    }

    fn file(&self, name: &str) -> Option<Cow<'_, str>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
        fs::read_to_string(folder.join(name)).ok().map(Cow::Owned)
    }
}

/// What a file beside `path` holds; with `GATEHOUSE_BLESS` it is written first (or removed, where nothing is to be told).
fn beside(path: &Path, extension: &str, found: &Problems) -> String {
    let beside = path.with_extension(extension);
    if std::env::var_os("GATEHOUSE_BLESS").is_some() {
        match found.is_empty() {
            true => drop(fs::remove_file(&beside)),
            false => fs::write(&beside, format!("{found}\n")).expect("written"),
        }
    }
    fs::read_to_string(&beside).unwrap_or_default()
}

#[test]
fn every_good_file_compiles_and_loads_with_the_warnings_beside_it() {
    for path in files("good") {
        let compiled = compile_file(&path).unwrap_or_else(|problems| panic!("{problems}"));
        let expected = beside(&path, "warnings", &compiled.warnings);
        assert_eq!(compiled.warnings.to_string().trim_end(), expected.trim_end(), "{}", path.display());
        let policy = Policy::load(compiled.image.clone(), 3).expect("loads");
        assert_eq!((policy.rules(), policy.digest()), (compiled.rules, compiled.digest), "{}", path.display());
        assert_eq!((policy.image(), policy.stamp().revision), (compiled.image.as_slice(), 3));
    }
}

#[test]
fn every_bad_file_is_refused_with_the_words_beside_it() {
    for path in files("bad") {
        let problems = compile_file(&path).expect_err(&path.display().to_string());
        let expected = beside(&path, "problems", &problems);
        let problems = problems.to_string();
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
         policy.yaml:7:22: `trust` holds every address: any client can claim to be another; name the proxies' networks only"
    );
}

#[test]
fn every_shipped_example_compiles_alone_and_all_of_them_together() {
    let mut texts = Vec::new();
    for path in shipped() {
        let compiled = compile_file(&path).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(compiled.warnings.is_empty() && compiled.rules > 0, "{}", compiled.warnings);
        Policy::load(compiled.image, 1).expect("loads");
        texts.push(fs::read_to_string(&path).expect("readable"));
    }
    assert!(texts.len() >= 6);
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

/// Every file that is right, the shipped ones too.
pub(crate) fn corpus_files() -> Vec<PathBuf> {
    let mut all = files("good");
    all.extend(shipped());
    all
}

fn shipped() -> Vec<PathBuf> {
    files("../../../deploy/policies")
}
