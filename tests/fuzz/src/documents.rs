//! Policy documents: refused with printable problems, each with its place; or compiled to an image that loads, the same image each
//! time, with which anything can be judged; and their long form says the same.

use gatehouse_engine::Policy;
use gatehouse_policy::document::Problems;
use gatehouse_policy::{Format, Source, canonical, compile};

use crate::image::exercise;

/// Documents as JSON.
pub fn json(bytes: &[u8]) {
    read(bytes, Format::Json);
}

/// Documents as YAML.
pub fn yaml(bytes: &[u8]) {
    read(bytes, Format::Yaml);
}

fn read(bytes: &[u8], format: Format) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    let source = Source { name: "policy.yaml", text, format };
    match compile(&[source]) {
        Ok(compiled) => {
            printable(&compiled.warnings);
            assert_eq!(compile(&[source]).as_ref(), Ok(&compiled), "the same documents, the same image");
            let policy = Policy::load(compiled.image.clone(), 1).expect("what compiles loads");
            assert_eq!((policy.digest(), policy.rules()), (compiled.digest, compiled.rules));
            exercise(&policy, true);
            long_form(source, &compiled.digest);
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "refused, and nothing is wrong");
            printable(&problems);
        }
    }
}

/// The long form of what compiles means the same, and is its own long form.
fn long_form(source: Source<'_>, digest: &[u8; 32]) {
    let long = canonical(&[source]).expect("what compiles has a long form");
    let text: String = long.iter().map(|document| format!("---\n{}", document.yaml())).collect();
    let source = Source { name: "long.yaml", text: &text, format: Format::Yaml };
    assert_eq!(canonical(&[source]).as_ref(), Ok(&long), "{text}");
    let compiled = compile(&[source]).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    assert_eq!(compiled.digest, *digest, "{text}");
}

/// Every problem is one printable line.
pub fn printable(problems: &Problems) {
    assert!(problems.0.len() <= Problems::CAP + 1);
    for problem in &problems.0 {
        let line = problem.to_string();
        assert!(!problem.message.is_empty() && !line.chars().any(char::is_control), "{line:?}");
    }
}
