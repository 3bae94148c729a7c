//! Request bytes in, typed signals out. Nothing here copies what it can borrow, and nothing here can fail on hostile bytes:
//! parsing is total and bounded.
//!
//! | module | holds |
//! |---|---|
//! | [`connection`] | what the gate knows of the connection, kept for all its requests |
//! | [`head`] | the request's header pairs, every value of every name, as bytes |
//! | [`path`] | the canonical path, its other readings, and why there are any |
//! | [`host`] | the canonical host |
//! | [`query`], [`cookie`] | names and values: as received, decoded, and as others may read them |
//! | [`address`] | networks (CIDR), and the client's address through trusted proxies |
//! | [`agent`] | class and name of a user agent |
//! | [`claims`] | claims of a token that Envoy verified |
//! | [`fingerprint`] | order and presence of the client's own headers |
//! | [`geo`] | country and autonomous system by address |
//! | [`identity`] | SPIFFE ids of verified peers, and the patterns that name them |
//! | [`sensitive`] | sensitive-data classes in text, path segments and parameters |

pub mod address;
pub mod agent;
pub mod claims;
pub mod connection;
pub mod cookie;
pub mod fingerprint;
pub mod geo;
pub mod head;
pub mod host;
pub mod identity;
pub mod path;
pub mod percent;
pub mod query;
pub mod sensitive;

pub use address::{Client, Network, NetworkError, Networks, Source, SourceError, Trust};
pub use claims::Claims;
pub use connection::Connection;
pub use head::{Head, Pair};
pub use host::Host;
pub use identity::Spiffe;
pub use path::{Ambiguity, Path, PathClass};
