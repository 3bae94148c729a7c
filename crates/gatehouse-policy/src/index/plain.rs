//! The index of an inline policy: its rules are few, and are asked one by one. So the gate needs no means to build tables.

use crate::image::{Builder, Section, narrow};

/// The index in the making.
#[derive(Debug, Default)]
pub(crate) struct Index;

impl Index {
    /// Writes the shelf of these rules, which come in ascending order; gives its number.
    pub(crate) fn shelf(&mut self, rules: &[u32], builder: &mut Builder) -> u32 {
        let first = builder.count(Section::Postings);
        for rank in rules {
            builder.push(Section::Postings, &[*rank]);
        }
        builder.push(Section::Shelves, &[first, narrow(rules.len()), 0, 0])
    }

    /// Writes what is left once every shelf is written: nothing.
    pub(crate) fn finish(self, _: &mut Builder) {}
}
