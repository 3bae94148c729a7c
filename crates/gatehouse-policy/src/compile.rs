//! What the documents mean together, as one image: names are unique, hosts have one owner, lists exist, settings that hold
//! everywhere come from one document.

mod condition;
mod emit;
mod settle;

use sha2::{Digest as _, Sha256};

use crate::document::{self, Node, Place, Problems, Value};
use crate::spec::Document;
use crate::{MAX_IMAGE, MAX_INLINE, Policy};

/// How a source is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One document, or a list of documents.
    Json,
    /// One or several documents.
    #[cfg(feature = "yaml")]
    Yaml,
}

/// One text of policy documents.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// What its problems call it: the file's name.
    pub name: &'a str,
    /// The text.
    pub text: &'a str,
    /// How it is written.
    pub format: Format,
}

/// A compiled policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// The image.
    pub image: Vec<u8>,
    /// SHA-256 of the image.
    pub digest: [u8; 32],
    /// Number of rules.
    pub rules: usize,
    /// What is allowed but probably not meant.
    pub warnings: Problems,
}

/// Compiles all sources together into one image. The same documents give the same image, in whatever order they come.
///
/// # Errors
/// Every problem of every source.
pub fn compile(sources: &[Source<'_>]) -> Result<Compiled, Problems> {
    let mut problems = Problems::default();
    let mut nodes = Vec::new();
    for source in sources {
        let read = match source.format {
            Format::Json => document::json(source.name, source.text).map(|node| vec![node]),
            #[cfg(feature = "yaml")]
            Format::Yaml => document::yaml(source.name, source.text),
        };
        match read {
            Ok(read) => nodes.extend(read),
            Err(found) => problems.extend(found),
        }
    }
    let nodes: Vec<&Node> = nodes.iter().flat_map(Node::one_or_many).collect();
    together(&nodes, problems)
}

/// Compiles and loads the inline policy of a gate's bootstrap: one document or a list of them; its revision is 0.
///
/// # Errors
/// Every problem; more than [`MAX_INLINE`] bytes.
pub fn inline(value: &Node) -> Result<Policy, Problems> {
    let mut problems = Problems::default();
    let size = size(value);
    if size > MAX_INLINE {
        let help = "let the house hand this policy out";
        problems.push(
            &value.place,
            format!("the inline policy has {size} bytes, at most {MAX_INLINE} are taken"),
            help,
        );
        return Err(problems);
    }
    let nodes: Vec<&Node> = value.one_or_many().iter().collect();
    let compiled = together(&nodes, problems)?;
    Policy::load_hashed(compiled.image, 0, compiled.digest).map_err(|error| {
        let mut problems = Problems::default();
        problems.push(&value.place, error.to_string(), "");
        problems
    })
}

/// Bytes of a node's texts, and some for each value.
fn size(node: &Node) -> usize {
    4 + match &node.value {
        Value::String(text) => text.len(),
        Value::List(items) => items.iter().map(size).sum(),
        Value::Map(entries) => entries.iter().map(|e| e.key.len() + size(&e.value)).sum(),
        _ => 0,
    }
}

fn together(nodes: &[&Node], mut problems: Problems) -> Result<Compiled, Problems> {
    let read: Vec<Option<Document>> = nodes.iter().map(|node| Document::read(node, &mut problems)).collect();
    let mut documents: Vec<Document> = read.into_iter().flatten().collect();
    documents.sort_by(|a, b| a.name.cmp(&b.name));
    let mut warnings = Problems::default();
    let settled = settle::settle(&documents, &mut problems, &mut warnings);
    let image = emit::emit(&documents, &settled, &mut problems);
    if image.len() > MAX_IMAGE {
        let place = nodes.first().map_or_else(|| Place::pointer("policy"), |node| node.place.clone());
        let message = format!("the policy compiles to {} bytes, at most {MAX_IMAGE} are taken", image.len());
        problems.push(&place, message, "make its lists shorter");
    }
    let digest = Sha256::digest(&image).into();
    let rules = documents.iter().map(|d| d.rules.len()).sum();
    problems.sort();
    problems.or(Compiled { image, digest, rules, warnings })
}
