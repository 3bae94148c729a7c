//! The gate for TCP: Envoy's network filter. Who may open a connection is decided by the same engine as requests, by what is known
//! before a byte goes on: the verified peer, addresses, server name, ports.
//!
//! ```text
//!  opened ──► held ──tick, first data──► handshake done? ──► judged ──► goes on │ closed
//!               └─────────────── deadline ────────────────────────────────────► closed
//! ```
//! `tcp_proxy` must have `max_early_data_bytes` (Envoy 1.37): without it, it opens its upstream connection at once and reads nothing
//! while a filter before it waits. For older Envoys the configuration says `decides: atFirstData`: nothing is held, and whoever is to be
//! rejected is closed at the first data of either side, or when it has proven who it is (the server has been connected to by then). The
//! deadline ends who proves nothing and says nothing there too.
//!
//! | module | holds |
//! |---|---|
//! | `exports` | the callbacks, one line each |
//! | `vm` | which callback goes to which context; who waits, and for how long |
//! | `connection` | one connection: judged, told |
//! | `waiting` | connections that are looked at again later |
//!
//! A panic here takes a worker's VM down and is a security bug: nothing indexes, unwraps or trusts a length.

mod connection;
mod exports;
mod vm;
mod waiting;
