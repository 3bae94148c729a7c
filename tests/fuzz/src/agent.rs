//! A user agent has a class and a short printable name that stands in it, from the cache as without it.

use gatehouse_signals::agent::{AgentCache, AgentClass, classify};

/// The value of a `user-agent` header; the cache sees each line of it twice.
pub fn check(bytes: &[u8]) {
    let agent = classify(bytes);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!".contains(&byte);
    assert!(agent.name.len() <= 48 && agent.name.bytes().all(fits), "{:?}", agent.name);
    assert!(agent.name.is_empty() || bytes.windows(agent.name.len()).any(|window| window == agent.name.as_bytes()));
    assert_eq!(AgentClass::parse(agent.class.as_str()), Some(agent.class));
    let mut cache = AgentCache::new(8, &[9; 16]);
    for line in bytes.split(|byte| *byte == b'\n').take(16) {
        assert_eq!((cache.classify(line), cache.classify(line)), (classify(line), classify(line)));
    }
}
