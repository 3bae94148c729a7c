//! Policies from files and folders, compiled and loaded as the gate would have them. Files that their lists name lie below the
//! folders of the documents.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use gatehouse_engine::Policy;
use gatehouse_policy::document::{MAX_TEXT, Problems};
use gatehouse_policy::{
    Callers, Canonical, Format, Library, Options, Source, Surroundings, callers, canonical, compile_with,
};

use gatehouse_signals::geo::Table;

use crate::packs::{self, Shelf};
use crate::policies::folder::{self, Document, FolderError};
use crate::policies::{Compiled, Problem};

/// Why there is no policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadError {
    /// A file or folder cannot be read.
    Unreadable(FolderError),
    /// Everything that is wrong with the documents.
    Wrong(Vec<Problem>),
}

/// Documents that belong together, and where they lie.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Documents {
    /// Each under the name that the operator gave, so that a place can be clicked.
    pub documents: Vec<Document>,
    ranges: Option<PathBuf>,
    folders: Vec<PathBuf>,
}

/// What an operator supplies beside the documents, here as to a house.
#[derive(Debug, Clone, Default)]
pub struct Supplied {
    /// Folder of the address ranges that packs prove automata by; `None`: they prove nothing.
    pub ranges: Option<PathBuf>,
    /// Country and autonomous system by address.
    pub geo: Option<Rc<Table>>,
}

/// A policy that judges.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// As a gate has it.
    pub policy: Arc<Policy>,
    /// Lists of packs that are left out with their rules, because nothing proves them.
    pub unproved: Vec<Problem>,
    /// The rules that came with packs, as `document/rule`.
    pub packed: BTreeSet<String>,
}

/// Compiles these files, and every document of these folders, together; `ranges` as in [`Supplied`].
///
/// # Errors
/// They cannot be read, or do not compile.
pub fn load(paths: &[PathBuf], ranges: Option<&Path>) -> Result<Loaded, LoadError> {
    let documents = Documents::read(paths, ranges).map_err(LoadError::Unreadable)?;
    let compiled = documents.compile(&Surroundings::default()).map_err(LoadError::Wrong)?;
    let policy = Policy::load(compiled.image, 0).map_err(|error| {
        let message = format!("the compiled policy cannot be loaded: {error}");
        LoadError::Wrong(vec![Problem { place: "policy".into(), message, help: String::new() }])
    })?;
    let unproved = packs::unproved(&compiled.packs, &compiled.uses);
    let packed = compiled.uses.into_iter().flat_map(|used| used.rules).collect();
    Ok(Loaded { policy: Arc::new(policy), unproved, packed })
}

impl Documents {
    /// Reads files and folders; `ranges` as in [`Supplied`].
    ///
    /// # Errors
    /// A file or folder cannot be read, or a folder holds no document.
    pub fn read(paths: &[PathBuf], ranges: Option<&Path>) -> Result<Self, FolderError> {
        let mut all = Self { ranges: ranges.map(Path::to_owned), ..Self::default() };
        for path in paths {
            all.add(path)?;
        }
        Ok(all)
    }

    fn add(&mut self, path: &Path) -> Result<(), FolderError> {
        if !path.is_dir() {
            let document = folder::document(path)?;
            self.documents.push(Document { name: path.display().to_string(), ..document });
            self.beside(path.parent().unwrap_or(Path::new("")));
            return Ok(());
        }
        let contents = folder::read(path)?;
        if contents.documents.is_empty() {
            let problem = "holds no `*.yaml`, `*.yml` or `*.json`".into();
            return Err(FolderError { path: path.into(), problem });
        }
        let named = |document: Document| Document { name: path.join(&document.name).display().to_string(), ..document };
        self.documents.extend(contents.documents.into_iter().map(named));
        self.beside(path);
        Ok(())
    }

    fn beside(&mut self, folder: &Path) {
        if !self.folders.iter().any(|known| known == folder) {
            self.folders.push(folder.into());
        }
    }

    /// Compiles them together.
    ///
    /// # Errors
    /// Every problem of every document.
    pub fn compile(&self, surroundings: &Surroundings<'_>) -> Result<Compiled, Vec<Problem>> {
        let beside = Beside { documents: self, shelf: Shelf::open(None, self.ranges.as_deref()) };
        let options = Options::new(&beside).warn(surroundings);
        let compiled = compile_with(&self.sources(), &options).map_err(|problems| words(&problems))?;
        Ok(Compiled {
            lists: compiled.lists,
            packs: beside.shelf.used().0,
            image: compiled.image,
            digest: compiled.digest,
            rules: compiled.rules,
            warnings: words(&compiled.warnings),
            uses: compiled.uses,
        })
    }

    /// Whom they can let in to connections to `hosts`.
    ///
    /// # Errors
    /// Every problem of every document, and of what a list of identities cannot say.
    pub fn callers(&self, hosts: &[&str]) -> Result<Callers, Vec<Problem>> {
        let beside = Beside { documents: self, shelf: Shelf::open(None, self.ranges.as_deref()) };
        callers(&self.sources(), &Options::new(&beside), hosts).map_err(|problems| words(&problems))
    }

    /// Their long forms, in the order given.
    ///
    /// # Errors
    /// Every problem of every document by itself.
    pub fn canonical(&self) -> Result<Vec<Canonical>, Vec<Problem>> {
        canonical(&self.sources()).map_err(|problems| words(&problems))
    }

    fn sources(&self) -> Vec<Source<'_>> {
        let source = |document| {
            let Document { name, text }: &Document = document;
            Source { name, text, format: if name.ends_with(".json") { Format::Json } else { Format::Yaml } }
        };
        self.documents.iter().map(source).collect()
    }
}

/// What documents may refer to: packs as the house has them; and files of lists, which lie below the folder of a document, of the
/// first that has one of that name.
struct Beside<'a> {
    documents: &'a Documents,
    shelf: Shelf,
}

impl Library for Beside<'_> {
    fn pack(&self, name: &str) -> Option<Source<'_>> {
        self.shelf.pack(name)
    }

    fn packs(&self) -> Vec<&str> {
        Library::packs(&self.shelf)
    }

    fn file(&self, name: &str) -> Option<Cow<'_, str>> {
        if name.starts_with(packs::PREFIX) {
            return self.shelf.file(name);
        }
        let mut text = String::new();
        // One byte more than may be: the compiler says that it is too large.
        let folders = &self.documents.folders;
        let mut file = folders.iter().find_map(|folder| File::open(folder.join(name)).ok())?.take(MAX_TEXT as u64 + 1);
        file.read_to_string(&mut text).ok()?;
        Some(Cow::Owned(text))
    }
}

fn words(problems: &Problems) -> Vec<Problem> {
    problems.0.iter().map(Problem::from).collect()
}

impl LoadError {
    /// As problems with their places.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        match self {
            Self::Wrong(problems) => problems.clone(),
            Self::Unreadable(error) => {
                let place = error.path.display().to_string();
                vec![Problem { place, message: format!("cannot be read: {}", error.problem), help: String::new() }]
            }
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "cannot read {error}"),
            Self::Wrong(problems) => {
                for (index, problem) in problems.iter().enumerate() {
                    if index > 0 {
                        f.write_str("\n")?;
                    }
                    problem.fmt(f)?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for LoadError {}
