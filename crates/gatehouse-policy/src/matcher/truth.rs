//! Three-valued truth (Kleene's strong logic).

/// What is known of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Truth {
    /// It does not hold.
    False,
    /// It holds.
    True,
    /// It cannot be known.
    Unknown,
}

impl From<bool> for Truth {
    fn from(known: bool) -> Self {
        if known { Self::True } else { Self::False }
    }
}

impl Truth {
    /// The truth of the opposite; of the unknown it is unknown.
    #[must_use]
    pub const fn negated(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::True => Self::False,
            Self::Unknown => Self::Unknown,
        }
    }
}

/// All hold: false as soon as one is false.
pub(super) fn all(parts: impl Iterator<Item = Truth>) -> Truth {
    let mut joined = Truth::True;
    for part in parts {
        match part {
            Truth::False => return Truth::False,
            Truth::Unknown => joined = Truth::Unknown,
            Truth::True => {}
        }
    }
    joined
}

/// Some hold: true as soon as one is true.
pub(super) fn any(parts: impl Iterator<Item = Truth>) -> Truth {
    all(parts.map(Truth::negated)).negated()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Truth::{False, True, Unknown};

    #[test]
    fn one_false_decides_all_and_one_true_decides_any_even_beside_the_unknown() {
        assert_eq!(all([True, Unknown, False].into_iter()), False);
        assert_eq!(all([True, Unknown].into_iter()), Unknown);
        assert_eq!(any([False, Unknown, True].into_iter()), True);
        assert_eq!(any([False, Unknown].into_iter()), Unknown);
        assert_eq!(Unknown.negated(), Unknown);
    }

    #[test]
    fn nothing_further_is_asked_once_it_is_decided() {
        let asked = std::cell::Cell::new(0);
        let parts = [False, True, True].into_iter().inspect(|_| asked.set(asked.get() + 1));
        assert_eq!(all(parts), False);
        assert_eq!(asked.get(), 1);
    }
}
