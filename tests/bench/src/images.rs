//! The measured policies. They are compiled once, by a process of its own, and read from files then: under the instruction counter
//! a compilation would take minutes.

use std::fs;
use std::io;
use std::path::PathBuf;

use gatehouse_corpora::{Corpus, Shape, lists_and_limits, standard};
use gatehouse_policy::document::Problems;
use gatehouse_policy::{Format, Options, Policy, Source, compile_with};

/// A measured policy and its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Image {
    /// The standard case.
    Standard,
    /// The standard case without what is worked out of texts.
    Plain,
    /// A document for the hosts of the standard case that says nothing.
    Empty,
    /// One of the growing shapes.
    Growing(Shape, usize),
}

impl Image {
    /// Every one that some operation uses.
    pub fn all() -> impl Iterator<Item = Self> {
        let growing =
            Shape::ALL.into_iter().flat_map(|shape| [100, shape.most()].map(|rules| Self::Growing(shape, rules)));
        [Self::Standard, Self::Plain, Self::Empty].into_iter().chain(growing)
    }

    /// Its documents and requests.
    #[must_use]
    pub fn corpus(self) -> Corpus {
        match self {
            Self::Standard => standard(),
            Self::Plain => lists_and_limits(),
            Self::Growing(shape, rules) => shape.corpus(rules),
            Self::Empty => {
                let text = r#"{"apiVersion":"gatehouse.dev/v1","kind":"Policy","metadata":{"name":"empty","scope":"acme/empty"},
                    "spec":{"hosts":["*.example.com"],"client":{"address":{"from":"x-forwarded-for","trust":["10.0.0.0/8"]}}}}"#;
                Corpus { name: "empty".into(), documents: vec![text.into()], rules: 0, asks: standard().asks }
            }
        }
    }

    fn file(self) -> PathBuf {
        let name = match self {
            Self::Standard => "standard".to_owned(),
            Self::Plain => "plain".to_owned(),
            Self::Empty => "empty".to_owned(),
            Self::Growing(shape, rules) => format!("{}-{rules}", shape.as_str()),
        };
        folder().join(name).with_extension("image")
    }

    /// Compiles it and keeps the image.
    ///
    /// # Errors
    /// The documents are refused, or the file cannot be written.
    pub fn prepare(self) -> io::Result<()> {
        fs::create_dir_all(folder())?;
        fs::write(self.file(), compiled(&self.corpus())?)
    }

    /// The image's bytes, as kept by [`Image::prepare`], which is done first where nothing was kept.
    ///
    /// # Errors
    /// As [`Image::prepare`].
    pub fn bytes(self) -> io::Result<Vec<u8>> {
        if !self.file().exists() {
            self.prepare()?;
        }
        fs::read(self.file())
    }

    /// The policy.
    ///
    /// # Errors
    /// As [`Image::prepare`]; an image that was kept by another version.
    pub fn policy(self) -> io::Result<Policy> {
        Policy::load(self.bytes()?, 1).map_err(io::Error::other)
    }
}

/// The image of documents.
///
/// # Errors
/// What the compiler says of them.
pub fn compiled(corpus: &Corpus) -> io::Result<Vec<u8>> {
    compiled_with(corpus, &Options::new(&())).map_err(|problems| io::Error::other(problems.to_string()))
}

/// The same with a library.
///
/// # Errors
/// What the compiler says of them.
pub fn compiled_with(corpus: &Corpus, options: &Options<'_>) -> Result<Vec<u8>, Problems> {
    let sources: Vec<Source<'_>> =
        corpus.documents.iter().map(|text| Source { name: &corpus.name, text, format: Format::Json }).collect();
    Ok(compile_with(&sources, options)?.image)
}

/// Where images and counts lie: `bench` in cargo's target folder.
#[must_use]
pub fn folder() -> PathBuf {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder));
    target.join("bench")
}
