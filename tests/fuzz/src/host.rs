//! A host's name is a fixed point in lower case; case, port, user information and the root's dot around it change nothing.

use gatehouse_signals::Host;

/// See the module.
pub fn check(bytes: &[u8]) {
    let host = Host::parse(bytes);
    let name = &*host.name;
    assert!(!name.iter().any(u8::is_ascii_uppercase), "lower case");
    assert!(name.len() <= bytes.len().max(64), "bounded");
    assert_eq!(host.userinfo, bytes_of_authority(bytes).contains(&b'@'), "user information is told");
    let plain = name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if !plain || name.is_empty() || name.ends_with(b".") {
        return;
    }
    let upper = name.to_ascii_uppercase();
    for way in [
        name.to_vec(),
        [name, b".:8443"].concat(),
        [b"user:secret@", &*upper].concat(),
        [b"https://", name, b"/x"].concat(),
    ] {
        assert_eq!(Host::parse(&way).name.escape_ascii().to_string(), name.escape_ascii().to_string());
    }
}

fn bytes_of_authority(bytes: &[u8]) -> &[u8] {
    let text = bytes.trim_ascii();
    let scheme = text.iter().position(|b| !(b.is_ascii_alphanumeric() || b"+-.".contains(b))).unwrap_or(text.len());
    let rest = text[scheme..].strip_prefix(b"://").unwrap_or(text);
    rest.split(|byte| b"/?#".contains(byte)).next().unwrap_or_default()
}
