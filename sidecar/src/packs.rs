//! What a policy may refer to beside its own documents: the packs that ship with the house, their address ranges, and list files
//! beside the documents.
//!
//! ```text
//!  use: [packs/search-crawlers]        deploy/packs/search-crawlers.yaml, in the binary
//!    its list `googlebot`              DIR/googlebot.json or .txt, of `packs: { ranges: DIR }`
//!  lists: { bad: { files: lists/bad.txt } }    below the policy folder
//! ```
//! A pack proves an automaton by where it comes from. Where the operator supplies no ranges nothing can be proved: the list is
//! left out, with every rule that asks for it, and `/status` says so.

mod ranges;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use gatehouse_policy::document::{self, MAX_TEXT, quoted};
use gatehouse_policy::{Format, Library, Source, Used};
use serde::Serialize;
use serde_json::Value as Json;

use crate::policies::Problem;
use crate::watched::{Stamp, stamp};

/// The packs, by name.
const PACKS: [(&str, &str); 3] = [
    ("ai-crawlers", include_str!("../../deploy/packs/ai-crawlers.yaml")),
    ("monitoring", include_str!("../../deploy/packs/monitoring.yaml")),
    ("search-crawlers", include_str!("../../deploy/packs/search-crawlers.yaml")),
];
/// What proves a pack's lists.
const HELP: &str =
    "give the published ranges to the house (`packs: { ranges: DIR }`), and to the command line by `--ranges DIR`";
/// What the files of a pack's lists begin with.
pub(crate) const PREFIX: &str = "packs/";

/// Packs, ranges and list files as they are at one moment. One serves one compilation.
#[derive(Debug, Default)]
pub struct Shelf {
    policies: Option<PathBuf>,
    packs: Vec<Pack>,
    /// Texts of ranges by the name of their list.
    ranges: BTreeMap<String, String>,
    /// What was asked for.
    asked: Mutex<Asked>,
}

#[derive(Debug, Default)]
struct Asked {
    packs: Vec<String>,
    files: Vec<PathBuf>,
}

#[derive(Debug)]
struct Pack {
    name: &'static str,
    /// As JSON, without what cannot be proved.
    text: String,
    view: PackView,
}

/// One pack, for `/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackView {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its lists.
    pub lists: Vec<ListView>,
}

/// One list of a pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListView {
    /// Its name.
    pub name: String,
    /// The file that it was read from.
    pub file: Option<PathBuf>,
    /// Networks in it.
    pub networks: usize,
    /// Days since the file was written.
    pub age_days: u64,
    /// Why the list is left out, with its rules.
    pub problem: Option<String>,
}

impl Shelf {
    /// Reads the ranges of every list of every pack. `policies`: the folder that list files lie below; `ranges`: the folder of
    /// ranges. Blocks.
    #[must_use]
    pub fn open(policies: Option<&Path>, ranges: Option<&Path>) -> Self {
        let mut shelf = Self { policies: policies.map(Path::to_owned), ..Self::default() };
        for (name, text) in PACKS {
            let Some(document) = parsed(name, text) else { continue };
            shelf.add(name, document, ranges);
        }
        shelf
    }

    /// What was used of it: packs, and list files beside the documents, also those that are not there.
    #[must_use]
    pub fn used(self) -> (Vec<PackView>, Vec<PathBuf>) {
        let asked = self.asked.into_inner().unwrap_or_else(PoisonError::into_inner);
        let used = self.packs.into_iter().filter(|pack| asked.packs.iter().any(|name| name == pack.name));
        (used.map(|pack| pack.view).collect(), asked.files)
    }

    fn add(&mut self, name: &'static str, mut document: Json, folder: Option<&Path>) {
        let text = |pointer: &str| document.pointer(pointer).and_then(Json::as_str).unwrap_or_default().to_owned();
        let mut view = PackView { name: name.into(), version: text("/metadata/version"), lists: Vec::new() };
        let lists = lists(&document);
        let mut missing = Vec::new();
        for list in lists.keys() {
            let (shown, text) = ranges::read(list, folder);
            match text {
                Some(text) => drop(self.ranges.insert(format!("{PREFIX}{name}/{list}"), text)),
                None => missing.push(list.as_str()),
            }
            view.lists.push(shown);
        }
        if let Some(lists) = document.pointer_mut("/spec/lists").and_then(Json::as_object_mut) {
            lists.retain(|list, _| !missing.contains(&list.as_str()));
        }
        if let Some(rules) = document.pointer_mut("/spec/rules").and_then(Json::as_array_mut) {
            rules.retain(|rule| !missing.iter().any(|list| asks_for(rule, list)));
        }
        self.packs.push(Pack { name, text: document.to_string(), view });
    }

    fn note(&self, note: impl FnOnce(&mut Asked)) {
        note(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Library for Shelf {
    fn pack(&self, name: &str) -> Option<Source<'_>> {
        let pack = self.packs.iter().find(|pack| pack.name == name)?;
        self.note(|asked| asked.packs.push(name.to_owned()));
        Some(Source { name: pack.name, text: &pack.text, format: Format::Json })
    }

    fn packs(&self) -> Vec<&str> {
        PACKS.iter().map(|(name, _)| *name).collect()
    }

    fn file(&self, name: &str) -> Option<Cow<'_, str>> {
        if name.starts_with(PREFIX) {
            return self.ranges.get(name).map(|text| Cow::Borrowed(text.as_str()));
        }
        let path = self.policies.as_ref()?.join(name);
        self.note(|asked| asked.files.push(path.clone()));
        let mut text = String::new();
        // One byte more than is taken: the compiler says what is wrong with it.
        File::open(path).ok()?.take(MAX_TEXT as u64 + 1).read_to_string(&mut text).ok()?;
        Some(Cow::Owned(text))
    }
}

/// What packs cannot prove, where they are used: one problem a list whose ranges are wrong, and one for all that have none.
#[must_use]
pub fn unproved(packs: &[PackView], uses: &[Used]) -> Vec<Problem> {
    let told = |used: &Used| {
        let pack = packs.iter().find(|pack| pack.name == used.pack);
        let lists = || pack.into_iter().flat_map(|pack| &pack.lists);
        let missing: Vec<&str> = lists().filter(|list| list.file.is_none()).map(|list| list.name.as_str()).collect();
        let wrong = lists().filter_map(|list| Some((&list.name, list.problem.as_ref()?, list.file.as_ref()?)));
        let named = quoted(&used.pack);
        let problem = |message: String| Problem { place: used.place.to_string(), message, help: HELP.into() };
        let mut problems: Vec<Problem> = wrong
            .map(|(list, why, file)| {
                let said =
                    format!("the pack {named} proves nothing by its list {}, whose rules are left out", quoted(list));
                problem(format!("{said}: `{}`: {why}", file.display()))
            })
            .collect();
        if missing.len() == lists().count() {
            problems.push(problem(format!("no ranges are given, so the pack {named} proves nothing and is left out")));
        } else if !missing.is_empty() {
            let lists = missing.iter().map(|list| quoted(list)).collect::<Vec<_>>().join(", ");
            problems
                .push(problem(format!("no ranges are given of {lists}, whose rules of the pack {named} are left out")));
        }
        problems
    };
    uses.iter().flat_map(told).collect()
}

/// The files that ranges may be read from, with their state.
#[must_use]
pub fn stamps(ranges: &Path) -> Vec<(PathBuf, Stamp)> {
    static LISTS: LazyLock<Vec<String>> = LazyLock::new(|| {
        let documents = PACKS.iter().filter_map(|(name, text)| parsed(name, text));
        documents.flat_map(|document| lists(&document).into_iter().map(|(name, _)| name)).collect()
    });
    let paths = LISTS.iter().flat_map(|list| ranges::paths(ranges, list));
    paths.map(|path| (path.clone(), stamp(&path))).collect()
}

fn lists(document: &Json) -> serde_json::Map<String, Json> {
    document.pointer("/spec/lists").and_then(Json::as_object).cloned().unwrap_or_default()
}

/// A pack's one document.
fn parsed(name: &str, text: &str) -> Option<Json> {
    // Every pack is read by a test.
    document::yaml(name, text).ok()?.first().map(Json::from)
}

/// Whether `{ list: NAME }` stands anywhere in a rule.
fn asks_for(rule: &Json, list: &str) -> bool {
    match rule {
        Json::Object(fields) => {
            fields.get("list").and_then(Json::as_str) == Some(list)
                || fields.values().any(|value| asks_for(value, list))
        }
        Json::Array(items) => items.iter().any(|item| asks_for(item, list)),
        _ => false,
    }
}
