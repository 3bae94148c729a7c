//! Where the real binaries are. An absent one fails the test with the command that provides it; nothing is skipped.

use std::path::{Path, PathBuf};

/// The version of Envoy that tests use unless `ENVOY_VERSION` says otherwise.
pub const ENVOY: &str = include_str!("../../tools/envoy-version");

const FUNC_E: &str = "func-e-1.6.0";

/// Envoy: `ENVOY_PATH`, else the cache of `tests/tools/get-envoy`.
pub fn envoy() -> PathBuf {
    let version = std::env::var("ENVOY_VERSION").unwrap_or_else(|_| ENVOY.trim().to_owned());
    let remedy = format!("tests/tools/get-envoy {version}");
    present("ENVOY_PATH", cache().join("bin").join(format!("envoy-{version}")), &remedy)
}

/// func-e: `FUNC_E_PATH`, else the cache of `tests/tools/get-func-e`.
pub fn func_e() -> PathBuf {
    present("FUNC_E_PATH", cache().join("bin").join(FUNC_E), "tests/tools/get-func-e")
}

/// The filter as shipped: `GATEHOUSE_WASM`, else where `make wasm` puts it.
pub fn wasm() -> PathBuf {
    present("GATEHOUSE_WASM", target().join("wasm32-wasip1/wasm/gatehouse_http.wasm"), "make wasm")
}

/// The folder of both filters as shipped, for what packages them.
///
/// # Panics
/// They do not stand side by side.
pub fn modules() -> PathBuf {
    let folder = wasm().parent().expect("a folder").to_owned();
    assert_eq!(tcp_wasm().parent(), Some(folder.as_path()), "both filters stand in one folder");
    folder
}

/// The filter of connections as shipped: `GATEHOUSE_TCP_WASM`, else where `make wasm` puts it.
pub fn tcp_wasm() -> PathBuf {
    present("GATEHOUSE_TCP_WASM", target().join("wasm32-wasip1/wasm/gatehouse_tcp.wasm"), "make wasm")
}

/// The filter that traps on request: `GATEHOUSE_WASM_TRAP`, else where `make wasm-trap` puts it.
pub fn wasm_trap() -> PathBuf {
    let built = target().join("trap/wasm32-wasip1/wasm/gatehouse_http.wasm");
    present("GATEHOUSE_WASM_TRAP", built, "make wasm-trap")
}

/// The filter of the next release: `GATEHOUSE_NEXT_WASM`, else where `make next` puts it.
pub fn next_wasm() -> PathBuf {
    let built = target().join("next/wasm32-wasip1/wasm/gatehouse_http.wasm");
    present("GATEHOUSE_NEXT_WASM", built, "make next")
}

/// The house of the next release: `GATEHOUSE_NEXT_BIN`, else where `make next` puts it.
pub fn next_house() -> PathBuf {
    present("GATEHOUSE_NEXT_BIN", target().join("next/gatehouse"), "make next")
}

/// The house: `GATEHOUSE_BIN`, else where `make house` puts it.
pub fn house() -> PathBuf {
    present("GATEHOUSE_BIN", target().join("debug/gatehouse"), "make house")
}

/// MariaDB's server: `MARIADBD_PATH`, else where Debian has it.
pub fn mariadbd() -> PathBuf {
    present("MARIADBD_PATH", "/usr/sbin/mariadbd".into(), "tests/tools/setup")
}

/// HAProxy: `HAPROXY_PATH`, else where Debian has it.
pub fn haproxy() -> PathBuf {
    present("HAPROXY_PATH", "/usr/sbin/haproxy".into(), "tests/tools/setup")
}

/// The root of the checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("tests/support stands in the checkout")
        .to_path_buf()
}

fn present(variable: &str, usual: PathBuf, remedy: &str) -> PathBuf {
    let path = std::env::var_os(variable).map_or(usual, PathBuf::from);
    assert!(path.is_file(), "absent: {} (run `{remedy}`, or set {variable})", path.display());
    path
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

fn cache() -> PathBuf {
    if let Some(configured) = std::env::var_os("GATEHOUSE_CACHE").filter(|value| !value.is_empty()) {
        return PathBuf::from(configured);
    }
    let home = std::env::var_os("HOME").expect("HOME, or GATEHOUSE_CACHE, is set");
    PathBuf::from(home).join(".cache/gatehouse")
}
