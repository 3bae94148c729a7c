//! Host names and the wording of pages.

use super::*;

#[test]
fn a_host_is_loopback_by_name_or_address_and_never_by_its_beginning() {
    for host in ["localhost", "localhost:9911", "LocalHost", "127.0.0.1", "127.255.0.9:1", "[::1]", "[::1]:80"] {
        assert!(is_loopback_name(host), "{host}");
    }
    for host in
        ["", ":80", "localhost:", "localhost.", "127.0.0.1.nip.io", "0.0.0.0", "[::ffff:10.0.0.1]", "evil:127.0.0.1"]
    {
        assert!(!is_loopback_name(host), "{host}");
    }
}
