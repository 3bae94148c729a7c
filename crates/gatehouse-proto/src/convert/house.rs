//! What a house says to whoever judges for it.

use gatehouse_verdict::redact::AddressForm;

use crate::{MAX_BRAKE_MS, v1};

impl From<v1::welcome::AddressForm> for AddressForm {
    /// Not said, or a form of a later version: the one that tells least.
    fn from(form: v1::welcome::AddressForm) -> Self {
        match form {
            v1::welcome::AddressForm::Full => Self::Full,
            v1::welcome::AddressForm::Prefix => Self::Prefix,
            v1::welcome::AddressForm::Hash | v1::welcome::AddressForm::Unspecified => Self::Hash,
        }
    }
}

impl v1::Brake {
    /// Scopes, each with the moment at which its brake ends; `now_ns` is this one, both of whoever brakes (monotonic nanoseconds). What has
    /// ended is left out.
    #[must_use]
    pub fn ends(self, now_ns: u64) -> Vec<(Box<str>, u64)> {
        let end = |one: v1::BrakeEntry| {
            let left_ns = one.ttl_ms.min(MAX_BRAKE_MS).saturating_mul(1_000_000);
            (left_ns > 0).then(|| (one.scope.into_boxed_str(), now_ns.saturating_add(left_ns)))
        };
        self.entries.into_iter().filter_map(end).collect()
    }
}
