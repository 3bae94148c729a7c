//! Generates Rust from `proto/`, without `protoc`: messages for `gatehouse-proto`, the service for the sidecar.

use std::io;
use std::path::{Path, PathBuf};

/// A generated file: where it is committed (relative to the repository) and what it must hold.
pub struct Generated {
    /// Path below the repository's root.
    pub path: &'static str,
    /// The whole file.
    pub text: String,
}

const MESSAGES: &str = "crates/gatehouse-proto/src/generated/gatehouse.v1.rs";
const SERVICE: &str = "sidecar/src/intake/generated/gatehouse.v1.rs";

/// The repository's root, found from this package's place in it.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Compiles `proto/` and returns both generated files.
///
/// # Errors
/// A proto file that does not compile, or a temporary folder that cannot be written.
pub fn generate() -> io::Result<Vec<Generated>> {
    let proto = root().join("proto");
    let files = ["gatehouse/v1/record.proto", "gatehouse/v1/stream.proto"].map(|f| proto.join(f));
    let set = protox::compile(files, [&proto]).map_err(io::Error::other)?;
    let out = tempfile::tempdir()?;
    let messages = out.path().join("messages");
    let service = out.path().join("service");
    for (dir, server) in [(&messages, false), (&service, true)] {
        std::fs::create_dir_all(dir)?;
        let builder = tonic_prost_build::configure()
            .build_client(server)
            .build_server(server)
            .build_transport(false)
            .out_dir(dir);
        let builder = if server { builder.extern_path(".gatehouse.v1", "::gatehouse_proto::v1") } else { builder };
        builder.compile_fds(set.clone())?;
    }
    let read = |dir: &Path| std::fs::read_to_string(dir.join("gatehouse.v1.rs"));
    Ok(vec![Generated { path: MESSAGES, text: read(&messages)? }, Generated { path: SERVICE, text: read(&service)? }])
}
