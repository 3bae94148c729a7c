//! The names that agents give themselves, one list a kind. Names are facts; nothing else is kept of anyone.
//!
//! Entries are lower case and at least four bytes long. A name is looked for where a word starts and must end with no letter
//! behind it. Markers: `*` at the end lets anything follow; `^` at the front wants the very start of the text. Parts of words
//! (`STRONG`, `HINTS`, `SCANS`) match anywhere; `$` at their end wants no letter behind.

mod ai;
mod clients;
mod crawlers;
mod libraries;
mod platforms;
mod scanners;

pub(super) use ai::{AI, AI_WHOLE};
pub(super) use clients::{APPS, BASES, BRANDS, ENGINES, FAMILIES, QUIET, RUNTIMES};
pub(super) use crawlers::{CRAWLERS, HINTS, SCANS, STRONG};
pub(super) use libraries::LIBRARIES;
pub(super) use platforms::{DESKTOPS, HANDHELDS, PHONES, UNIXES};
pub(super) use scanners::SCANNERS;
