//! Where the addresses of those before the direct peer are read.

use core::fmt;
use core::str::FromStr;

/// Longest header name that is taken, in bytes.
const MAX_NAME_BYTES: usize = 128;

/// Where the addresses of proxies and clients before the direct peer are read. Made once, when a policy is loaded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Source {
    /// Every value of `x-forwarded-for`, joined in order.
    #[default]
    XForwardedFor,
    /// The `for` of every element of `forwarded` (RFC 7239), over every value, in order.
    Forwarded,
    /// The one address in the header of this lower-case name (`x-real-ip`, `cf-connecting-ip`, `true-client-ip`,
    /// `fastly-client-ip` …), which the proxy before us sets anew. Two such headers, or anything in it but one address: a proxy
    /// that sets it does not leave such a thing, so nothing in it is believed.
    Header(Box<[u8]>),
    /// Nowhere: the direct peer is the client. (What PROXY protocol says, Envoy already reports as the direct peer.)
    Peer,
}

/// Why a name is no header of a single address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceError {
    /// Nothing is written.
    Empty,
    /// `x-forwarded-for` and `forwarded` are lists: their single value would be the word of whoever wrote first.
    List(String),
    /// It cannot be the name of a header (RFC 9110, 5.1), or it is longer than 128 bytes.
    Name(String),
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no header is named"),
            Self::List(name) => write!(f, "`{name}` holds a list of addresses, not one"),
            Self::Name(name) => write!(f, "`{name}` is no header name"),
        }
    }
}

impl core::error::Error for SourceError {}

impl Source {
    /// The header `name`, in any case, that holds a single address.
    ///
    /// # Errors
    /// The name is empty, no header name, or that of a list.
    pub fn header(name: &str) -> Result<Self, SourceError> {
        let lower = name.to_ascii_lowercase();
        match lower.as_str() {
            "" => Err(SourceError::Empty),
            "x-forwarded-for" | "forwarded" => Err(SourceError::List(name.to_owned())),
            _ if lower.len() > MAX_NAME_BYTES || !lower.bytes().all(is_token) => {
                Err(SourceError::Name(name.to_owned()))
            }
            _ => Ok(Self::Header(lower.into_bytes().into_boxed_slice())),
        }
    }
}

/// As an operator names it: `x-forwarded-for`, `forwarded`, `peer`, or any other header.
impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        match text.to_ascii_lowercase().as_str() {
            "x-forwarded-for" => Ok(Self::XForwardedFor),
            "forwarded" => Ok(Self::Forwarded),
            "peer" => Ok(Self::Peer),
            _ => Self::header(text),
        }
    }
}

/// RFC 9110, 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
