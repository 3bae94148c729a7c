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
//! | `compile` | what documents mean together: names, hosts, layers, mandates, and the image |
//! | `image` | the image: layout, writing, checking, reading |
//! | [`ImageLoader`] | an image that arrives in chunks |
//! | [`Policy`] | a policy in force: host → rules in the order of decision |
//! | [`matcher`] | whether a rule's match holds: one predicate a file, three-valued |
//! | `lint` | what is allowed but probably not meant (feature `yaml`) |
//! | `canonical` | the long form of a document (feature `yaml`) |
//! | `schema` | the table of words: reference, JSON Schema, Kubernetes resource (feature `yaml`) |
//!
//! The house calls [`compile()`] and sends [`Compiled::image`]; the gate takes it in by [`ImageLoader`], or makes one of its own
//! from its bootstrap by [`inline`]. Both ways end in [`Policy::load`]: there is one engine.

mod action;
mod automata;
#[cfg(feature = "yaml")]
mod canonical;
mod compile;
pub mod document;
mod error;
mod fields;
mod image;
mod index;
#[cfg(feature = "yaml")]
mod lint;
mod loader;
pub mod matcher;
mod policy;
mod regex;
#[cfg(feature = "yaml")]
pub mod schema;
mod spec;
mod text;

#[cfg(test)]
#[cfg(feature = "yaml")]
mod tests;

pub use action::{Action, Effect, Names, Pairs, Refusal, Then};
#[cfg(feature = "yaml")]
pub use canonical::{Canonical, canonical};
#[cfg(feature = "yaml")]
pub use compile::{Callers, callers};
pub use compile::{Compiled, Format, Options, Source, Used, compile, compile_with, inline};
pub use error::PolicyError;
pub use fields::{Field, Fields, Reads};
pub use image::version as image_version;
pub use index::Candidates;
#[cfg(feature = "yaml")]
pub use lint::{Dear, Surroundings};
pub use loader::{ImageLoader, Progress};
pub use matcher::{Facts, Input, Inputs, MAX_INPUTS, Phase, ResponseFacts, Seen, Signals, Truth};
pub use policy::{
    ClientKey, Count, IdentityHeaders, KeyPart, KnownHosts, LimitSpec, Policy, Rule, Scope, ServerNames, StepSpec,
    Support,
};
pub use spec::types::{Ambiguous, Backend, Parameters, Rollout, Tier};
pub use spec::{Holds, Library, Origin, Outside, Signature};

/// Highest image format version that this build writes and reads.
pub const IMAGE_VERSION: u32 = if cfg!(feature = "test-next") { 3 } else { 2 };
/// Lowest that it reads. An image says the lowest version that holds what is in it, so that gates of an earlier release take what they can.
pub const OLDEST_IMAGE_VERSION: u32 = 2;
/// Largest image, in bytes.
pub const MAX_IMAGE: usize = 16 << 20;
/// Largest inline policy, in bytes of its texts.
pub const MAX_INLINE: usize = 64 << 10;
