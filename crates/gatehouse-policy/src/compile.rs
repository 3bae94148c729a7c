//! What the documents mean together, as one image: names are unique, hosts have one owner, lists exist, settings come from the
//! documents whose word holds, mandates are not weakened.

#[cfg(feature = "yaml")]
mod callers;
mod condition;
mod emit;
mod settle;

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::document::{self, Node, Place, Problems, Value};
#[cfg(feature = "yaml")]
use crate::lint::{self, Surroundings};
use crate::spec::Library;
use crate::spec::Outside;
use crate::spec::types::{Document, Entries};
use crate::{MAX_IMAGE, MAX_INLINE, Policy};

#[cfg(feature = "yaml")]
pub use callers::{Callers, callers};
pub(crate) use emit::fields_read;
pub(crate) use settle::{Setting, covers};
#[cfg(feature = "yaml")]
pub(crate) use settle::{asked, given, list_of, setting_orders};

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

/// What a compilation is told beside the sources.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    library: &'a dyn Library,
    #[cfg(feature = "yaml")]
    surroundings: Option<&'a Surroundings<'a>>,
}

impl<'a> Options<'a> {
    /// `use: [packs/…]` finds packs in `library`, and lists find their files. No warnings are looked for.
    #[must_use]
    pub fn new(library: &'a dyn Library) -> Self {
        Self {
            library,
            #[cfg(feature = "yaml")]
            surroundings: None,
        }
    }

    /// Warnings are looked for, in the light of what the gate will have.
    #[cfg(feature = "yaml")]
    #[must_use]
    pub fn warn(self, surroundings: &'a Surroundings<'a>) -> Self {
        Self { surroundings: Some(surroundings), ..self }
    }
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
    /// The lists that the house fetches, sorted by name.
    pub lists: Vec<Outside>,
    /// The packs that documents use, in the order of the documents' names.
    pub uses: Vec<Used>,
}

/// A pack that a document uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// The pack's name, without `packs/`.
    pub pack: String,
    /// Where the document says so.
    pub place: Place,
    /// The rules that came with it, as `document/rule`.
    pub rules: Vec<String>,
}

/// Compiles all sources together into one image, without a library, and warns of what any gate would have (with the feature
/// `yaml` only: a gate has no use for warnings). The same documents give the same image, in whatever order they come.
///
/// # Errors
/// Every problem of every source.
pub fn compile(sources: &[Source<'_>]) -> Result<Compiled, Problems> {
    let options = Options::new(&());
    #[cfg(feature = "yaml")]
    let surroundings = Surroundings::default();
    #[cfg(feature = "yaml")]
    let options = options.warn(&surroundings);
    compile_with(sources, &options)
}

/// Compiles all sources together into one image. The same documents and library give the same image, in whatever order they
/// come.
///
/// # Errors
/// Every problem of every source.
pub fn compile_with(sources: &[Source<'_>], options: &Options<'_>) -> Result<Compiled, Problems> {
    let mut problems = Problems::default();
    let nodes = read(sources, &mut problems);
    let nodes: Vec<&Node> = nodes.iter().flat_map(Node::one_or_many).collect();
    let documents = documents(&nodes, options.library, &mut problems);
    #[cfg_attr(not(feature = "yaml"), expect(unused_mut, reason = "only warnings change it"))]
    let mut compiled = together(&documents, problems)?;
    #[cfg(feature = "yaml")]
    if let Some(surroundings) = options.surroundings {
        lint::lint(&documents, surroundings, &mut compiled.warnings);
        compiled.warnings.sort();
    }
    Ok(compiled)
}

/// Every document of the sources; what cannot be read is told.
pub(crate) fn read(sources: &[Source<'_>], problems: &mut Problems) -> Vec<Node> {
    let mut nodes = Vec::new();
    for source in sources {
        match source.read() {
            Ok(read) => nodes.extend(read),
            Err(found) => problems.extend(found),
        }
    }
    nodes
}

impl Source<'_> {
    /// Its documents as nodes.
    pub(crate) fn read(&self) -> Result<Vec<Node>, Problems> {
        match self.format {
            Format::Json => document::json(self.name, self.text).map(|node| vec![node]),
            #[cfg(feature = "yaml")]
            Format::Yaml => document::yaml(self.name, self.text),
        }
    }
}

/// Compiles and loads the inline policy of a gate's bootstrap: one document or a list of them; its revision is 0. It has no
/// packs.
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
    let documents = documents(&nodes, &(), &mut problems);
    let compiled = together(&documents, problems)?;
    crate::policy::load::hashed(compiled.image, 0, compiled.digest).map_err(|error| {
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

/// The documents that the nodes hold, sorted by name, with what they use of the library.
pub(crate) fn documents(nodes: &[&Node], library: &dyn Library, problems: &mut Problems) -> Vec<Document> {
    let read: Vec<Option<Document>> = nodes.iter().map(|node| Document::read(node, problems)).collect();
    let mut documents: Vec<Document> = read.into_iter().flatten().collect();
    for document in &mut documents {
        document.add_packs(library, problems);
        document.add_files(library, problems);
    }
    documents.sort_by(|a, b| a.name.cmp(&b.name));
    documents
}

fn together(documents: &[Document], mut problems: Problems) -> Result<Compiled, Problems> {
    let settled = settle::settle(documents, &mut problems);
    let image = emit::emit(documents, &settled, &mut problems);
    if image.len() > MAX_IMAGE {
        let place = documents.first().map_or_else(|| Place::pointer("policy"), |document| document.place.clone());
        let message = format!("the policy compiles to {} bytes, at most {MAX_IMAGE} are taken", image.len());
        problems.push(&place, message, "make its lists shorter");
    }
    problems.sort();
    let digest = Sha256::digest(&image).into();
    let rules = documents.iter().map(|d| d.rules.len()).sum();
    let uses = documents.iter().flat_map(used).collect();
    let lists = fetched(documents);
    problems.or(Compiled { image, digest, rules, warnings: Problems::default(), lists, uses })
}

fn fetched(documents: &[Document]) -> Vec<Outside> {
    let all = documents.iter().flat_map(|document| &document.lists).filter_map(|list| match &list.entries {
        // A pack gives its lists another name than they have in it.
        Entries::Verdicts(outside) => Some(Outside { list: list.name.clone(), ..outside.clone()? }),
        _ => None,
    });
    let by_name: BTreeMap<String, Outside> = all.map(|outside| (outside.list.clone(), outside)).collect();
    by_name.into_values().collect()
}

fn used(document: &Document) -> impl Iterator<Item = Used> {
    document.uses.iter().map(|used| {
        let own = document.rules.iter().filter(|rule| rule.place == used.place);
        let rules = own.map(|rule| format!("{}/{}", document.name, rule.name)).collect();
        Used { pack: used.name.clone(), place: used.place.clone(), rules }
    })
}
