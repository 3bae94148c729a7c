//! A real Apache Kafka broker for the tests: one node (KRaft) with a plain, a mutual-TLS and a SASL listener on loopback.
//!
//! ```no_run
//! let mut broker = gatehouse_kafka::Broker::start();
//! broker.create_topic("events", 3, &[]);
//! broker.kill();
//! broker.restart();
//! for message in broker.read_all("events") {
//!     println!("{:?} {:?}", message.key, message.header("ce_id"));
//! }
//! ```
//! Needs `java` (17 or later), `mvn` (once, to fetch the jars) and `openssl`. What is missing fails the test with a
//! message that says what to install; nothing is ever skipped. The broker dies with the test process.

mod broker;
mod certificates;
mod jars;
mod messages;
mod ports;
mod process;
mod rights;

pub use broker::{Broker, Disk, SASL_PASSWORD, SASL_USER};
pub use certificates::Certificates;
pub use messages::Message;
pub use rights::Right;
