//! A peer over HTTP, for every sink that has one: its address, its trust, the login, headers of the
//! operator; one connection, made anew when it ends
//! or when a file behind it is renewed.

mod address;
mod bounds;
mod connect;
mod headers;
mod http1;
mod login;
mod told;

#[cfg(test)]
mod tests;

pub use address::Address;
pub use headers::Headers;
pub use login::Login;

pub(super) use bounds::batch;
pub(crate) use bounds::timeout;
pub(super) use connect::connect;
pub(super) use http1::MAX_RETRY_AFTER;
pub(crate) use http1::{Answer, Peer};
pub(super) use told::told;
