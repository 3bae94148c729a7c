//! Request bytes in, typed signals out. Nothing here copies what it can borrow, and nothing here can fail on hostile bytes:
//! parsing is total and bounded.
//!
//! | module | holds |
//! |---|---|
//! | [`connection`] | what the gate knows of the connection, kept for all its requests |
//! | [`head`] | the request's header pairs, every value of every name, as bytes |
//! | [`path`] | the canonical path, its other readings, and why there are any |
//! | [`host`] | the canonical host |
//! | [`query`], [`cookie`] | names and values, as received |
//! | [`address`] | networks (CIDR), and the client's address through trusted proxies |
//! | [`sensitive`] | sensitive-data classes in text, path segments and parameters |

pub mod address;
pub mod connection;
pub mod cookie;
pub mod head;
pub mod host;
pub mod path;
pub mod percent;
pub mod query;
pub mod sensitive;

pub use address::{Client, Network, NetworkError, Networks, Source, Trust};
pub use connection::Connection;
pub use head::{Head, Pair};
pub use host::Host;
pub use path::{Ambiguity, Path};
