//! Which rules may hold, found without asking those that cannot.
//!
//! Each rule is filed under one of the tests that must hold for it to hold, or under several of which one must (*access*): the
//! one that the fewest rules share. What a request brings is looked up: a rule that is not found cannot hold, one that is found
//! is asked. Only hashes stand in the image, since being found too often is harmless.
//!
//! ```text
//! document ─► shelf: rules that no test tells apart ┐
//!               └─► table: one kind of test ─► key ─┴► rule, or a further shelf for those that share the key
//! ```
//!
//! Only the house builds tables (feature `yaml`); of an inline policy every rule is asked.
//!
//! | module | holds |
//! |---|---|
//! | `hash`, `keys` | hashes, and entries that are found by them |
//! | `access` | the tests that a match may be filed under |
//! | `choose` | which of them it is |
//! | `build`, `tables`, `tries`, `plain` | writing shelves |
//! | `terms`, `grams` | what both sides must see alike |
//! | `find`, `values` | asking them with what a request brings |
//! | [`Candidates`] | what was found |

#[cfg(feature = "yaml")]
mod access;
#[cfg(feature = "yaml")]
mod build;
mod candidates;
#[cfg(feature = "yaml")]
mod choose;
mod find;
mod grams;
pub(crate) mod hash;
pub(crate) mod keys;
#[cfg(not(feature = "yaml"))]
mod plain;
#[cfg(feature = "yaml")]
mod tables;
mod terms;
#[cfg(feature = "yaml")]
mod tries;
mod values;

#[cfg(feature = "yaml")]
pub(crate) use access::{Access, Extract};
#[cfg(feature = "yaml")]
pub(crate) use build::Index;
pub use candidates::Candidates;
pub(crate) use find::collect;
#[cfg(not(feature = "yaml"))]
pub(crate) use plain::Index;
