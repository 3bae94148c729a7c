//! The configurations that we ship, as they are: only ports and paths are replaced.

use gatehouse_support::{House, Upstream, parts};

/// A file below `deploy` with each of these replaced exactly where it stands.
///
/// # Panics
/// When one of them is not there once: the file is another then.
pub fn file(path: &str, replacements: &[(&str, String)]) -> String {
    let mut text = std::fs::read_to_string(parts::root().join("deploy").join(path)).expect("the shipped file");
    // What the comments say stays out of it.
    text = text.lines().filter(|line| !line.trim_start().starts_with('#')).map(|line| format!("{line}\n")).collect();
    for (shipped, ours) in replacements {
        assert_eq!(text.matches(shipped).count(), 1, "`{shipped}` in the shipped file");
        text = text.replace(shipped, ours);
    }
    text
}

/// What is this test's own of a whole gateway: its ports, the application, the module.
pub fn gateway(port: u16, upstream: &Upstream) -> Vec<(&'static str, String)> {
    vec![
        ("port_value: 9901", "port_value: 0".to_owned()),
        ("address: 0.0.0.0, port_value: 8080", format!("address: 127.0.0.1, port_value: {port}")),
        ("port_value: 8000", format!("port_value: {}", upstream.address().port())),
        ("/etc/gatehouse/gatehouse_http.wasm", parts::wasm().display().to_string()),
    ]
}

/// The same of the gateway with the house beside it.
pub fn beside(port: u16, upstream: &Upstream, house: &House) -> String {
    let mut replacements = gateway(port, upstream);
    replacements.push(("/var/lib/gatehouse/house.sock", house.socket().display().to_string()));
    file("envoy/envoy.yaml", &replacements)
}
