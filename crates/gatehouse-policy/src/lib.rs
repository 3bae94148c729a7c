//! What the operator wrote → a compiled policy image, or every problem at once, each with its place.
//!
//! ```text
//!  text ─document─► Node (with places) ─spec─► Document (as written) ─compile─► image bytes ─load─► Policy (immutable)
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`document`] | YAML and JSON to nodes with places; also what configuration files are read with |
//! | `spec` | a policy document as it was written |
//! | `compile` | what documents mean together: names, hosts, lists, and the image |
//! | `image` | the image: layout, writing, checking, reading |
//! | [`ImageLoader`] | an image that arrives in chunks |
//! | [`Policy`] | a policy in force: host → rules in the order of decision |
//! | [`matcher`] | whether a rule's match holds: one predicate a file, three-valued |
//!
//! The house calls [`compile()`] and sends [`Compiled::image`]; the gate takes it in by [`ImageLoader`], or makes one of its own
//! from its bootstrap by [`inline`]. Both ways end in [`Policy::load`]: there is one engine.

mod action;
mod compile;
pub mod document;
mod error;
mod image;
mod loader;
pub mod matcher;
mod policy;
mod regex;
mod spec;
mod text;

#[cfg(test)]
#[cfg(feature = "yaml")]
mod tests;

pub use action::{Action, Refusal};
pub use compile::{Compiled, Format, Source, compile, inline};
pub use error::PolicyError;
pub use loader::ImageLoader;
pub use matcher::{Facts, Truth};
pub use policy::{Policy, Rule, Scope};
pub use spec::Ambiguous;

/// Highest (and only) image format version that this build writes and reads.
pub const IMAGE_VERSION: u32 = 1;
/// Largest image, in bytes.
pub const MAX_IMAGE: usize = 16 << 20;
/// Largest inline policy, in bytes of its texts.
pub const MAX_INLINE: usize = 64 << 10;
