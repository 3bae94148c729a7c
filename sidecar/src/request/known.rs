//! What whoever saw a request can tell of it: a log has the columns that it has, and what it does not tell is unknown, never
//! absent.

use gatehouse_policy::{Field, Fields};

/// What a source tells of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The fields that it tells.
    pub fields: Fields,
    /// Where it does not tell every header: lower-case names of those of which it tells whether they were sent.
    pub headers: Vec<Vec<u8>>,
}

/// What only an answer tells.
pub(crate) const OF_RESPONSE: [Field; 4] =
    [Field::ResponseHeaders, Field::ResponseSize, Field::ResponseStatus, Field::ResponseType];

/// `fields` without those of `hidden`.
#[must_use]
pub(crate) fn without(fields: Fields, hidden: impl IntoIterator<Item = Field>) -> Fields {
    hidden.into_iter().fold(fields, |fields, field| fields.without(Fields::of(field)))
}

impl Known {
    /// It tells this field.
    #[must_use]
    pub fn has(&self, field: Field) -> bool {
        self.fields.has(field)
    }

    /// The header of this lower-case name may have been sent without a word of it here.
    #[must_use]
    pub fn hides_header(&self, name: &[u8]) -> bool {
        !self.has(Field::Headers) && !self.headers.iter().any(|told| told == name)
    }
}
