//! Fields of a request or a response that rules read, as a set of bits.

/// A field that a rule may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Field {
    /// The client's address.
    Address,
    /// Class and name of the client's program.
    Agent,
    /// Whether it is what it says.
    AgentVerified,
    /// The network that the address belongs to.
    Asn,
    /// JWT claims.
    Claims,
    /// Cookies.
    Cookies,
    /// The country of the address.
    Country,
    /// Our fingerprint of the headers.
    Fingerprint,
    /// Request headers.
    Headers,
    /// The host.
    Host,
    /// The verified peer's SPIFFE id.
    Identity,
    /// JA4 of the client's hello.
    Ja4,
    /// The method.
    Method,
    /// The path.
    Path,
    /// The local port.
    Port,
    /// Query parameters.
    Query,
    /// Response headers.
    ResponseHeaders,
    /// Size of the response.
    ResponseSize,
    /// Status of the response.
    ResponseStatus,
    /// Media type of the response.
    ResponseType,
    /// What was weighed against the client.
    Score,
    /// Size of the request.
    Size,
    /// The server name that the client asked for.
    Sni,
    /// The time of day.
    Time,
    /// Whether the client proved itself by a certificate.
    TlsMutual,
    /// Version of TLS.
    TlsVersion,
    /// Lists that the house fills.
    Verdicts,
    // Later ones stand last: a field's place is its number in the books of gates.
    /// The address that the connection was made to.
    Destination,
}

impl Field {
    /// Every field.
    pub const ALL: [Self; 28] = [
        Self::Address,
        Self::Agent,
        Self::AgentVerified,
        Self::Asn,
        Self::Claims,
        Self::Cookies,
        Self::Country,
        Self::Fingerprint,
        Self::Headers,
        Self::Host,
        Self::Identity,
        Self::Ja4,
        Self::Method,
        Self::Path,
        Self::Port,
        Self::Query,
        Self::ResponseHeaders,
        Self::ResponseSize,
        Self::ResponseStatus,
        Self::ResponseType,
        Self::Score,
        Self::Size,
        Self::Sni,
        Self::Time,
        Self::TlsMutual,
        Self::TlsVersion,
        Self::Verdicts,
        Self::Destination,
    ];

    /// What operators call it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Agent => "agent",
            Self::AgentVerified => "agent.verified",
            Self::Asn => "asn",
            Self::Claims => "jwt",
            Self::Cookies => "cookies",
            Self::Country => "country",
            Self::Destination => "destination",
            Self::Fingerprint => "fingerprint",
            Self::Headers => "headers",
            Self::Host => "host",
            Self::Identity => "identity",
            Self::Ja4 => "ja4",
            Self::Method => "method",
            Self::Path => "path",
            Self::Port => "port",
            Self::Query => "query",
            Self::ResponseHeaders => "response.headers",
            Self::ResponseSize => "response.size",
            Self::ResponseStatus => "response.status",
            Self::ResponseType => "response.type",
            Self::Score => "score",
            Self::Size => "size",
            Self::Sni => "sni",
            Self::Time => "time",
            Self::TlsMutual => "tls.mutual",
            Self::TlsVersion => "tls.version",
            Self::Verdicts => "verdict",
        }
    }
}

/// A set of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Fields(u32);

impl Fields {
    /// No field.
    pub const NONE: Self = Self(0);
    /// Every field.
    pub const ALL: Self = Self((1 << Field::ALL.len()) - 1);

    /// The set of one field.
    #[must_use]
    pub const fn of(field: Field) -> Self {
        Self(1 << field as u32)
    }

    /// `field` is among them.
    #[must_use]
    pub const fn has(self, field: Field) -> bool {
        self.0 & 1 << field as u32 != 0
    }

    /// Those of both sets.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// There are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Field> {
        Field::ALL.into_iter().filter(move |field| self.has(*field))
    }

    pub(crate) const fn bits(self) -> u32 {
        self.0
    }

    /// Bits that are no field are dropped.
    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits & Self::ALL.0)
    }
}

impl core::ops::BitOrAssign for Fields {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// Fields that rules read, by phase: rules of the response phase may read the request too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Reads {
    /// By rules that are judged when the request's headers arrive.
    pub request: Fields,
    /// By rules that are judged when the response's headers arrive.
    pub response: Fields,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_in_the_order_of_their_bits() {
        assert!(Field::ALL.iter().enumerate().all(|(bit, field)| *field as usize == bit));
        let mut some = Fields::of(Field::Asn).with(Fields::of(Field::Verdicts));
        assert_eq!(some.iter().collect::<Vec<_>>(), [Field::Asn, Field::Verdicts]);
        some |= Fields::ALL;
        assert_eq!(some.without(Fields::ALL), Fields::NONE);
        assert_eq!(Fields::from_bits(u32::MAX), Fields::ALL);
    }
}
