//! The HTTPS sink: batches posted to a collector.
//!
//! | format | body | each event's id |
//! |---|---|---|
//! | `json` | an array of OCSF events | `metadata.uid` |
//! | `ndjson` | one OCSF event a line | `metadata.uid` |
//! | `splunk` | HTTP Event Collector: one envelope an event | `event.metadata.uid` |
//! | `elasticsearch` | bulk: `create`, so that a second copy is refused by the peer itself | `_id` |
//!
//! | answer | what follows |
//! |---|---|
//! | 2xx, whole | delivered; of a bulk answer item by item |
//! | 400, 413, 422 | the batch is halved, down to the event that is refused alone: dead letter |
//! | 401, 403, other 4xx | held and told, tried again for ever: people mend that |
//! | 429, 503 with `retry-after` | held that long (at most 10 minutes) |
//! | 5xx, no answer, an answer cut short | held, tried again; the peer may have the batch twice |

mod answer;
mod config;
mod encode;
mod send;

#[cfg(test)]
mod tests;

pub use config::{Compression, Config, Format};
pub use send::HttpsSink;
