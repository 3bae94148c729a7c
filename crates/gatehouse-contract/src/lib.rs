//! API documents as matchers: template index, parameter types, streaming JSON-schema subset, JSON shape reader.
//!
//! Nothing lives here yet: the policy compiler refuses `contract:` by name until it does. The crate exists so that its
//! border (it uses nothing of ours) holds from the start.
