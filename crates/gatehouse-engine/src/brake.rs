//! The operator's brake: while one holds for a scope, every rule of a document at or below it acts as if in monitor mode.
//!
//! It stands above mandates. It ends by the caller's monotonic clock, whoever set it and whether or not they still live.

/// The brakes that a worker was told of. Looking costs nothing while there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Brake {
    entries: Vec<(Box<str>, u64)>,
}

impl Brake {
    /// Brakes by scope (`organisation/tenant/workspace/group` or the first of these; empty: every document), each with the
    /// monotonic nanosecond at which it ends. How many there may be is for the caller to bound.
    #[must_use]
    pub const fn new(entries: Vec<(Box<str>, u64)>) -> Self {
        Self { entries }
    }

    /// There is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether a brake holds at `now_ns` for the rules of a document at `scope` (empty: one without a scope, which only a
    /// brake on everything reaches).
    #[must_use]
    pub fn holds(&self, scope: &str, now_ns: u64) -> bool {
        self.entries.iter().any(|(braked, until_ns)| now_ns < *until_ns && is_at_or_below(scope, braked))
    }
}

/// Segments are compared whole: `acme/retail` is above `acme/retail/shop` and not above `acme/retailer`.
fn is_at_or_below(scope: &str, braked: &str) -> bool {
    match scope.strip_prefix(braked) {
        Some(rest) => rest.is_empty() || rest.starts_with('/') || braked.is_empty(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brake(entries: &[(&str, u64)]) -> Brake {
        Brake::new(entries.iter().map(|(scope, until)| ((*scope).into(), *until)).collect())
    }

    #[test]
    fn without_an_entry_nothing_is_held() {
        assert!(!Brake::default().holds("", 0));
        assert!(!brake(&[]).holds("acme", 5));
    }

    #[test]
    fn an_empty_scope_holds_everything_also_documents_without_one() {
        let all = brake(&[("", 10)]);
        for scope in ["", "acme", "acme/retail/shop/web"] {
            assert!(all.holds(scope, 9), "{scope}");
        }
    }

    #[test]
    fn a_scope_holds_itself_and_what_is_below_and_no_neighbour_of_a_like_name() {
        let retail = brake(&[("acme/retail", 10)]);
        for (scope, held) in [
            ("acme/retail", true),
            ("acme/retail/shop", true),
            ("acme/retail/shop/web", true),
            ("acme/retailer", false),
            ("acme", false),
            ("", false),
            ("other/acme/retail", false),
        ] {
            assert_eq!(retail.holds(scope, 9), held, "{scope}");
        }
    }

    #[test]
    fn it_ends_on_the_nanosecond_and_each_entry_by_itself() {
        let two = brake(&[("acme", 10), ("acme/retail", 20)]);
        assert!(two.holds("acme/bank", 9) && !two.holds("acme/bank", 10));
        assert!(two.holds("acme/retail", 19) && !two.holds("acme/retail", 20));
    }
}
