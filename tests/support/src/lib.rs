//! The cast of the end-to-end tests and of the demo: one type per actor, each started for real and gone with the test.
//!
//! | module | holds |
//! |---|---|
//! | [`parts`] | where the real binaries are, and what to run when one is absent |
//! | [`echo`] | a TCP service behind a gateway; it counts who came |
//! | [`envoy`] | a real Envoy: its configuration, its life, its statistics and logs |
//! | [`guard`] | the real `gatehouse guard` before a service |
//! | [`house`] | the real `gatehouse` binary on folders of its own |
//! | [`upstream`] | the application behind the gateway; it keeps every request it got |
//! | [`client`] | requests as exact bytes over HTTP/1.1, and HTTP/2 with trailers |
//! | [`defender`] | the other product of a hairpin, a second Envoy |
//! | [`load`] | open-loop load that counts for itself: the truth from outside |
//! | [`http1`] | HTTP/1.1 on the wire, shared by client and upstream |
//! | [`process`] | child processes that cannot outlive us |
//! | [`ports`] | free ports that no other run takes |
//! | [`tls`] | certificates made on the spot, a client and Envoy's side of TLS |
//! | [`token`] | tokens of an issuer of its own, and Envoy's filter that verifies them |
//! | [`wait`] | waiting for a condition, with a deadline and a name |
//!
//! Failures panic with what was awaited and where the logs are: the callers are tests and a demo.

pub mod client;
pub mod defender;
pub mod echo;
pub mod envoy;
pub mod guard;
pub mod house;
pub mod http1;
pub mod load;
pub mod parts;
pub mod ports;
pub mod process;
pub mod tls;
pub mod token;
pub mod upstream;
pub mod wait;

pub use client::{Http1, Http2, Reply};
pub use defender::Defender;
pub use echo::Echo;
pub use envoy::{Envoy, Gate, Gateway, TcpGateway};
pub use guard::Guard;
pub use house::House;
pub use load::Load;
pub use upstream::Upstream;
