//! What documents refer to by name and the compiler does not know: packs, and files with the entries of lists.

use std::borrow::Cow;

use crate::compile::Source;
use crate::document::{MAX_TEXT, Node, Place, Problems, Value, quoted};

use super::types::{Document, Entries, List};
use super::{client, identity, who};

/// Where packs and files of lists are found.
pub trait Library {
    /// The document of the pack `name` (without `packs/`); `None`: there is none.
    fn pack(&self, name: &str) -> Option<Source<'_>>;

    /// Names of all packs, for messages.
    fn packs(&self) -> Vec<&str>;

    /// The text of a file of entries: one a line, `#` begins a comment. `name` has no empty segment and none that begins with a
    /// dot; those of a pack begin with `packs/NAME/`. `None`: there is none.
    fn file(&self, name: &str) -> Option<Cow<'_, str>>;
}

/// Nothing at all: what a gate has for its inline policy.
impl Library for () {
    fn pack(&self, _: &str) -> Option<Source<'_>> {
        None
    }

    fn packs(&self) -> Vec<&str> {
        Vec::new()
    }

    fn file(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }
}

/// `files` of a list.
pub(super) fn read_files(node: &Node, problems: &mut Problems) -> Vec<(String, Place)> {
    let mut files = Vec::new();
    for item in node.one_or_many() {
        files.extend(read_file(item, problems).map(|file| (file, item.place.clone())));
    }
    files
}

/// One path of a file.
pub(super) fn read_file(node: &Node, problems: &mut Problems) -> Option<String> {
    let written = node.string(problems)?;
    if is_file(written) {
        return Some(written.to_owned());
    }
    let help = "write its path from the folder of the policies, such as `lists/bad.txt`, without `..`";
    problems.push(&node.place, format!("{} is not a file", quoted(written)), help);
    None
}

fn is_file(text: &str) -> bool {
    let character = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    let segment = |s: &str| !s.is_empty() && !s.starts_with('.') && s.bytes().all(character);
    text.len() <= 255 && text.split('/').all(segment)
}

impl Document {
    /// Adds the entries of every file that its lists name.
    pub(crate) fn add_files(&mut self, library: &dyn Library, problems: &mut Problems) {
        for list in &mut self.lists {
            for (file, place) in list.files.clone() {
                match library.file(&file) {
                    None => {
                        let help = "files are known to the house and the command line, by their path from the policy";
                        problems.push(&place, format!("there is no file {}", quoted(&file)), help);
                    }
                    Some(text) if text.len() > MAX_TEXT => {
                        problems.push(&place, format!("the file {} is larger than 16 MiB", quoted(&file)), "split it");
                    }
                    Some(text) => list.add(&file, &text, problems),
                }
            }
        }
    }
}

impl List {
    fn add(&mut self, file: &str, text: &str, problems: &mut Problems) {
        for (index, line) in text.lines().enumerate() {
            let written = line.split('#').next().unwrap_or_default().trim();
            if written.is_empty() {
                continue;
            }
            let number = written.parse().ok().filter(|_| matches!(self.entries, Entries::Asns(_)));
            let value = number.map_or_else(|| Value::String(written.to_owned()), Value::Integer);
            let node = Node { value, place: Place::text(file, index + 1, 1) };
            self.entries.add(&node, problems);
        }
    }
}

impl Entries {
    /// One more; told where it is none.
    fn add(&mut self, node: &Node, problems: &mut Problems) {
        match self {
            Self::Asns(entries) => entries.extend(who::asn(node, problems)),
            Self::Countries(entries) => entries.extend(who::country(node, problems)),
            Self::Fingerprints(entries) => entries.extend(who::fingerprint(node, problems)),
            Self::Identities(entries) => entries.extend(identity::pattern(node, problems)),
            Self::Networks(entries) => entries.extend(client::network(node, problems)),
            Self::Verdicts(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_lie_below_the_folder() {
        for good in ["bad.txt", "lists/bad.txt", "a/b/c-1_2.list"] {
            assert!(is_file(good), "{good}");
        }
        for bad in ["", "/etc/passwd", "../x", "a/../b", "a//b", ".hidden", "a/.b", "a b", "c:\\x", &"x".repeat(300)] {
            assert!(!is_file(bad), "{bad}");
        }
    }
}
