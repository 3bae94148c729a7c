//! The files that are made from the policy language's table of words.

use std::path::{Path, PathBuf};

use gatehouse_policy::schema;

/// A generated file: where it is committed (relative to the repository) and what it must hold.
pub struct Generated {
    /// Path below the repository's root.
    pub path: &'static str,
    /// The whole file.
    pub text: String,
}

/// The repository's root, found from this package's place in it.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every file.
#[must_use]
pub fn generate() -> [Generated; 4] {
    [
        Generated { path: "docs/policy.md", text: schema::markdown() },
        Generated { path: "docs/policy.schema.json", text: schema::json_schema() },
        Generated { path: "deploy/crd/policies.gatehouse.dev.yaml", text: schema::crd() },
        Generated { path: "deploy/crd/tcppolicies.gatehouse.dev.yaml", text: schema::tcp_crd() },
    ]
}
