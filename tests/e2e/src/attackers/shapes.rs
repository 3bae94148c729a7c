//! Certificates of shapes that cost: all of them with the identity that the policy lists, so that nothing but their shape is against them.

use gatehouse_support::tls::{Authority, Hello};

use crate::callers::SLEEP;

/// URIs of the one with many names.
pub const NAMES: usize = 1000;

/// One client of each shape.
#[derive(Debug, Clone)]
pub struct Shapes {
    /// Three authorities between it and its own: what a mesh may have.
    pub few: Hello,
    /// A hundred URIs, the identity first.
    pub many: Hello,
    /// A thousand, likewise.
    pub thousand: Hello,
    /// Three authorities between, 19 KB of nothing in each.
    pub padded: Hello,
    /// Twelve authorities between.
    pub long: Hello,
    /// Three authorities between, 100 KB of nothing in each.
    pub large: Hello,
}

impl Shapes {
    /// Those of this authority. Panics when one cannot be made.
    pub fn of(authority: &Authority) -> Self {
        let with = |certificate| Hello { certificate: Some(certificate), ..Hello::default() };
        Self {
            few: with(authority.chained("few", SLEEP, 3, 0)),
            many: with(authority.uris("many", SLEEP, 100)),
            thousand: with(authority.uris("thousand", SLEEP, NAMES)),
            padded: with(authority.chained("padded", SLEEP, 3, 19_000)),
            long: with(authority.chained("long", SLEEP, 12, 0)),
            large: with(authority.chained("large", SLEEP, 3, 100_000)),
        }
    }
}
