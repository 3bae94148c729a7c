//! The way out of a hairpin: `gatehouse render migrate MANIFESTS`.
//!
//! A hairpin sends every request out of the gateway to another product and, by a header that it sets, back. `find` recognises
//! five ways to build one; [`Plan`] says what was found and makes the manifests of each step with its undo:
//!
//! ```text
//! 1-side-by-side/   the gate and the house in monitor, and the policy by which verdicts are compared
//! 2-switch/         the same routes without the detour
//! 3-remove/         what nobody needs any more
//! undo/             the routes as they were
//! ```

mod envoy;
mod find;
mod plan;
mod rules;
mod tree;

#[cfg(test)]
mod tests;

use serde::Serialize;

pub use plan::{Plan, Step};
pub use tree::Source;

/// How a detour is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A route of an EnvoyFilter (or of Envoy itself) for who lacks a header.
    InvertedHeader,
    /// A VirtualService whose default destination is the other product.
    DefaultDestination,
    /// Rules of Tetrate Service Bridge with a select header.
    SelectHeader,
    /// An aggregate cluster: the other product, else the application.
    AggregateCluster,
    /// A ServiceEntry that is this machine.
    LoopbackServiceEntry,
}

/// One detour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detour {
    /// How it is built.
    pub kind: Kind,
    /// Where it stands.
    pub place: String,
    /// Kind, namespace and name of the object.
    pub object: String,
    /// Where requests are sent.
    pub proxy: String,
    /// The header by which a request that came back is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// It looks like one, and routes by header look the same: nothing is made for it until the other product is named.
    pub possible: bool,
    /// Which document of which it is a part.
    #[serde(skip)]
    pub(crate) document: usize,
}

/// What the operator knows and manifests do not say.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Hosts or clusters that are the other product.
    pub proxies: Vec<String>,
    /// A response header that the other product sets on answers of its own, and its value where one counts.
    pub verdict: Option<(String, Option<String>)>,
}
