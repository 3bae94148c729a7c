//! The policy image: one buffer that the house compiles and the gate uses as it is. Offsets, no pointers; every number is a
//! little-endian `u32` unless said otherwise.
//!
//! ```text
//!  0  "GHPI"  │ 4 version │ 8 total bytes │ 12 number of sections (12)
//! 16  section table: 12 × { offset in bytes, number of entries }
//! 112 the sections, in this order, each beginning where the one before ends, rounded up to 4:
//!
//!  strings     entries are bytes: UTF-8, pointed into by (offset, length)
//!  documents   15 words  name, rules (first, count), trust (kind, a, b), otherwise (action + 1, mode, document),
//!                        ambiguous (setting, mode, document), flags. Entry 0 stands for the hosts that nobody claims.
//!  hosts        3 words  host, document                         sorted by host
//!  suffixes     3 words  `.example.com`, document               sorted by suffix
//!  shared       1 word   rule of a document without hosts       in the order of decision
//!  rules        9 words  name, document, mode, layer, priority + 1000, position, condition node, action
//!                        by document; within one in the order of decision
//!  nodes        6 words  kind | test << 8, end of the subtree, four operands     preorder; one tree a rule, without gaps
//!  networks     5 words  family << 8 | prefix, address as 16 bytes in network order      sorted and disjoint within a set
//!  regexes      2 words  pattern
//!  actions      8 words  kind, status, text, text, pairs (first, count)
//!  pairs        4 words  header name, value
//!  set headers  2 words  header name                            sorted; every header that some policy may set
//! ```
//!
//! A text is two words. Loading checks every offset, count, tag and text once (`check`); afterwards nothing is trusted more
//! than that: reading is by `get`, and a word that is not there reads as 0.
//! Limits: 16 MiB, 256 regexes, conditions nested 64 deep.

mod check;
mod view;
mod write;

pub(crate) use check::check;
pub(crate) use view::View;
pub(crate) use write::Builder;

/// First bytes of an image.
const MAGIC: [u8; 4] = *b"GHPI";
/// Bytes before the first section.
const HEADER: usize = 16 + SECTIONS * 8;
/// Number of sections.
const SECTIONS: usize = 12;
/// Deepest nesting of a condition.
pub(crate) const MAX_NESTING: usize = 64;

/// A section, by its place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Section {
    Strings,
    Documents,
    Hosts,
    Suffixes,
    Shared,
    Rules,
    Nodes,
    Networks,
    Regexes,
    Actions,
    Pairs,
    SetHeaders,
}

impl Section {
    pub(crate) const ALL: [Self; SECTIONS] = [
        Self::Strings,
        Self::Documents,
        Self::Hosts,
        Self::Suffixes,
        Self::Shared,
        Self::Rules,
        Self::Nodes,
        Self::Networks,
        Self::Regexes,
        Self::Actions,
        Self::Pairs,
        Self::SetHeaders,
    ];

    /// Bytes of one entry.
    pub(crate) const fn width(self) -> usize {
        match self {
            Self::Strings => 1,
            Self::Shared => 4,
            Self::Regexes | Self::SetHeaders => 8,
            Self::Hosts | Self::Suffixes => 12,
            Self::Pairs => 16,
            Self::Networks => 20,
            Self::Nodes => 24,
            Self::Actions => 32,
            Self::Rules => 36,
            Self::Documents => 60,
        }
    }

    /// What an error calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Strings => "strings",
            Self::Documents => "documents",
            Self::Hosts => "hosts",
            Self::Suffixes => "suffixes",
            Self::Shared => "shared rules",
            Self::Rules => "rules",
            Self::Nodes => "conditions",
            Self::Networks => "networks",
            Self::Regexes => "regexes",
            Self::Actions => "actions",
            Self::Pairs => "header pairs",
            Self::SetHeaders => "set headers",
        }
    }
}

/// Words of a document.
pub(crate) mod document {
    pub(crate) const NAME: usize = 0;
    pub(crate) const FIRST_RULE: usize = 2;
    pub(crate) const RULES: usize = 3;
    pub(crate) const TRUST: usize = 4;
    pub(crate) const TRUST_A: usize = 5;
    pub(crate) const TRUST_B: usize = 6;
    pub(crate) const OTHERWISE: usize = 7;
    pub(crate) const OTHERWISE_MODE: usize = 8;
    pub(crate) const OTHERWISE_OWNER: usize = 9;
    pub(crate) const AMBIGUOUS: usize = 10;
    pub(crate) const AMBIGUOUS_MODE: usize = 11;
    pub(crate) const AMBIGUOUS_OWNER: usize = 12;
    pub(crate) const FLAGS: usize = 13;

    /// Flag: some document speaks here. Unset only in entry 0 of a policy where every document names its hosts.
    pub(crate) const COVERED: u32 = 1;

    pub(crate) const TRUST_NOBODY: u32 = 0;
    pub(crate) const TRUST_NETWORKS: u32 = 1;
    pub(crate) const TRUST_HOPS: u32 = 2;

    pub(crate) const AMBIGUOUS_BY_KIND: u32 = 0;
    pub(crate) const AMBIGUOUS_STRICTEST: u32 = 1;
    pub(crate) const AMBIGUOUS_REJECT: u32 = 2;
}

/// Words of a rule.
pub(crate) mod rule {
    pub(crate) const NAME: usize = 0;
    pub(crate) const DOCUMENT: usize = 2;
    pub(crate) const MODE: usize = 3;
    pub(crate) const LAYER: usize = 4;
    pub(crate) const PRIORITY: usize = 5;
    pub(crate) const POSITION: usize = 6;
    pub(crate) const NODE: usize = 7;
    pub(crate) const ACTION: usize = 8;

    pub(crate) const ENFORCE: u32 = 0;
    pub(crate) const MONITOR: u32 = 1;
}

/// Words of a node, its kinds and tests.
pub(crate) mod node {
    pub(crate) const KIND: usize = 0;
    pub(crate) const END: usize = 1;
    pub(crate) const A: usize = 2;
    pub(crate) const C: usize = 4;

    pub(crate) const ALL: u8 = 1;
    pub(crate) const ANY: u8 = 2;
    pub(crate) const NOT: u8 = 3;
    pub(crate) const ALWAYS: u8 = 4;
    pub(crate) const METHOD: u8 = 5;
    pub(crate) const HOST: u8 = 6;
    pub(crate) const PATH: u8 = 7;
    pub(crate) const HEADER: u8 = 8;
    pub(crate) const ADDRESS: u8 = 9;

    pub(crate) const EQUALS: u8 = 1;
    pub(crate) const PREFIX: u8 = 2;
    pub(crate) const SUFFIX: u8 = 3;
    pub(crate) const CONTAINS: u8 = 4;
    pub(crate) const REGEX: u8 = 5;
    pub(crate) const PRESENT: u8 = 6;
    pub(crate) const SEGMENTS: u8 = 7;
}

/// Words of an action and its kinds.
pub(crate) mod action {
    pub(crate) const KIND: usize = 0;
    pub(crate) const STATUS: usize = 1;
    pub(crate) const TEXT: usize = 2;
    pub(crate) const TEXT2: usize = 4;
    pub(crate) const FIRST_PAIR: usize = 6;
    pub(crate) const PAIRS: usize = 7;

    pub(crate) const ALLOW: u32 = 0;
    pub(crate) const BLOCK: u32 = 1;
    /// With a body of the operator's.
    pub(crate) const BLOCK_WITH: u32 = 2;
    pub(crate) const REDIRECT: u32 = 3;
    pub(crate) const TAG: u32 = 4;
    pub(crate) const RECORD: u32 = 5;
}

/// Families of networks.
pub(crate) const V4: u32 = 4;
/// See [`V4`].
pub(crate) const V6: u32 = 6;
