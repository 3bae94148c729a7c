//! The tests that rules may be filed under in the index.

use crate::compile::condition::write_entries;
use crate::image::Builder;
use crate::index::{Access, Extract};
use crate::spec::types::{Document, Rule};

use super::Vocabulary;

/// Of each rule by its rank.
pub(super) fn of<'d>(
    documents: &'d [Document],
    ranked: &[(usize, &'d Rule)],
    vocabulary: &Vocabulary,
    builder: &mut Builder,
) -> Vec<Access<'d>> {
    let access = |(index, rule): &(usize, &'d Rule)| match documents.get(*index) {
        Some(document) => of_rule(document, rule, vocabulary, builder),
        None => Access::Nothing,
    };
    ranked.iter().map(access).collect()
}

fn of_rule<'d>(document: &'d Document, rule: &'d Rule, vocabulary: &Vocabulary, builder: &mut Builder) -> Access<'d> {
    let list = |name: &str| document.list(name).map(|list| &list.entries);
    let mut extract = Extract {
        set: &mut |entries| write_entries(entries, builder),
        list: &list,
        label: &|label| vocabulary.label(label),
        verdict_list: &|name| vocabulary.verdict_list(name),
    };
    extract.of(&rule.condition)
}
