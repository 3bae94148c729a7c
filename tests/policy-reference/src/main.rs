//! `make reference`: writes the generated files where they are committed. With `long FILE…` it prints the long forms of the
//! policies in these files instead, for `make crd-check`.

use std::io::{Error, Result};

use gatehouse_policy::{Format, Source, canonical};
use gatehouse_policy_reference::{generate, root};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        None => write(),
        Some((word, files)) if word == "long" => files.iter().try_for_each(|file| print_long(file)),
        Some(_) => Err(Error::other("usage: gatehouse-policy-reference [long FILE…]")),
    }
}

fn write() -> Result<()> {
    for file in generate() {
        let path = root().join(file.path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, file.text)?;
        println!("wrote {}", file.path);
    }
    Ok(())
}

fn print_long(file: &str) -> Result<()> {
    let text = std::fs::read_to_string(file)?;
    let documents = canonical(&[Source { name: file, text: &text, format: Format::Yaml }]);
    for document in documents.map_err(|problems| Error::other(problems.to_string()))? {
        print!("---\n{}", document.yaml());
    }
    Ok(())
}
