//! Who the peer is by its verified certificate: SPIFFE ids, and the patterns that a policy names them by.
//!
//! The form is that of the SPIFFE-ID standard, section 2: `spiffe://TRUST-DOMAIN/PATH`, nothing encoded, no port, no user
//! information, no query, no fragment.

mod pattern;

use core::fmt;

pub use pattern::{PatternError, any_trust_domain, check, matches, service_account_pattern};

/// Longest id, in bytes (SPIFFE-ID, 2.3).
pub const MAX_ID_BYTES: usize = 2048;

/// Longest trust domain, in bytes (SPIFFE-ID, 2.1: that of a host).
pub const MAX_TRUST_DOMAIN_BYTES: usize = 255;

const SCHEME: &[u8] = b"spiffe://";

/// A SPIFFE id. Borrowed from the URI that it was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Spiffe<'a> {
    trust_domain: &'a str,
    path: &'a str,
}

/// A workload as Kubernetes and Istio name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ServiceAccount<'a> {
    /// The namespace.
    pub namespace: &'a str,
    /// The service account in it.
    pub name: &'a str,
}

/// Why a URI is no SPIFFE id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpiffeError {
    /// A segment of the path is empty, a dot segment, or holds what none may (`%`, `?`, `#` …).
    Path,
    /// It does not begin with `spiffe://`, in lower case.
    Scheme,
    /// Longer than [`MAX_ID_BYTES`].
    TooLong,
    /// Empty, longer than [`MAX_TRUST_DOMAIN_BYTES`], or not of lower-case letters, digits, `.`, `-` and `_` alone.
    TrustDomain,
}

impl fmt::Display for SpiffeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Path => {
                "the path has a segment that is empty, `.`, `..`, or not of letters, digits, `.`, `-` and `_`"
            }
            Self::Scheme => "it does not begin with `spiffe://`",
            Self::TooLong => "it is longer than 2048 bytes",
            Self::TrustDomain => "the trust domain is not of lower-case letters, digits, `.`, `-` and `_`",
        })
    }
}

impl core::error::Error for SpiffeError {}

impl<'a> Spiffe<'a> {
    /// Reads a URI as a verified certificate holds it. Total, linear.
    ///
    /// # Errors
    /// It is no SPIFFE id; says which part is wrong.
    pub fn parse(uri: &'a [u8]) -> Result<Self, SpiffeError> {
        if uri.len() > MAX_ID_BYTES {
            return Err(SpiffeError::TooLong);
        }
        let rest = uri.strip_prefix(SCHEME).ok_or(SpiffeError::Scheme)?;
        let length = rest.iter().take_while(|byte| **byte != b'/').count();
        let (trust_domain, path) = rest.split_at_checked(length).unwrap_or((rest, b""));
        if !is_trust_domain(trust_domain) {
            return Err(SpiffeError::TrustDomain);
        }
        if !path.is_empty() && !path.split(|byte| *byte == b'/').skip(1).all(is_segment) {
            return Err(SpiffeError::Path);
        }
        // Both are of ASCII alone by now.
        let text = |bytes| core::str::from_utf8(bytes);
        Ok(Self {
            trust_domain: text(trust_domain).map_err(|_| SpiffeError::TrustDomain)?,
            path: text(path).map_err(|_| SpiffeError::Path)?,
        })
    }

    /// The trust domain.
    #[must_use]
    pub fn trust_domain(self) -> &'a str {
        self.trust_domain
    }

    /// What follows the trust domain, with its first slash; empty: the id is that of the trust domain itself.
    #[must_use]
    pub fn path(self) -> &'a str {
        self.path
    }

    /// The service account, where the path is exactly `/ns/NAMESPACE/sa/NAME`.
    #[must_use]
    pub fn service_account(self) -> Option<ServiceAccount<'a>> {
        let (namespace, name) = self.path.strip_prefix("/ns/")?.split_once("/sa/")?;
        let plain = !namespace.contains('/') && !name.contains('/');
        plain.then_some(ServiceAccount { namespace, name })
    }
}

/// `NAMESPACE/NAME`, as policies write it.
impl fmt::Display for ServiceAccount<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

fn is_trust_domain(bytes: &[u8]) -> bool {
    let may = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_');
    (1..=MAX_TRUST_DOMAIN_BYTES).contains(&bytes.len()) && bytes.iter().all(may)
}

fn is_segment(bytes: &[u8]) -> bool {
    let may = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !matches!(bytes, b"" | b"." | b"..") && bytes.iter().all(may)
}

#[cfg(test)]
mod tests;
