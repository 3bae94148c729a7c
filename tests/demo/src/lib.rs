//! `make demo`: a shop behind a real Envoy, the gate inside it, the house beside it, a minute of mixed traffic, and the
//! account of it. `tests/demo/run` gets and builds the parts; this program starts them, plays the clients and reports.
//!
//! | module | holds |
//! |---|---|
//! | [`arguments`] | what the run script hands over |
//! | [`folder`] | the folder of one run: `demo`, made anew |
//! | [`cast`] | Envoy, house and shop: started, found ready, stopped |
//! | [`shop`] | the application behind Envoy; it counts what reaches it |
//! | [`actors`] | who the clients are and what they send |
//! | [`client`] | requests as exact bytes from many loopback addresses |
//! | [`traffic`] | the open-loop schedule, the pairs that measure latency, the clients' own count |
//! | [`events`] | the events that the house wrote, read back and counted |
//! | [`books`] | clients, events and shop compared |
//! | [`layout`] | an event laid out for reading |
//! | [`latency`] | percentiles of the pairs |
//! | [`part`] | one process of the cast, and admin pages |
//! | [`report`] | the pages that are printed |
//! | [`run`] | the whole demo, read top to bottom |
//! | [`table`] | aligned columns |
//! | [`terminal`] | colours, the line in place, Ctrl-C for us alone |
//! | [`failure`] | what went wrong and what to do |

pub mod actors;
pub mod arguments;
pub mod books;
pub mod cast;
pub mod client;
pub mod events;
pub mod failure;
pub mod folder;
pub mod latency;
pub mod layout;
pub mod part;
pub mod report;
pub mod run;
pub mod shop;
pub mod table;
pub mod terminal;
pub mod traffic;
