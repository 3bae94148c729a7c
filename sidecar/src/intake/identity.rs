//! Who a certificate says its owner is: bytes of a stranger, though an authority that we trust has signed them.

use crate::peer_uris;

/// Longest SPIFFE id, bytes (SPIFFE-ID 2.3).
const MAX_IDENTITY: usize = 2048;

/// Why an identity is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The certificate has no SPIFFE id, several, or one that is none.
    NoIdentity,
    /// Nobody listed it.
    Unlisted,
}

impl Refusal {
    /// A word for the metric.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NoIdentity => "no_identity",
            Self::Unlisted => "unlisted",
        }
    }
}

/// The one SPIFFE id of a certificate in DER.
///
/// # Errors
/// It has none, several (X.509-SVID 2: exactly one URI SAN), or the text is no SPIFFE id.
pub fn identity(certificate: &[u8]) -> Result<String, Refusal> {
    match peer_uris::of(certificate) {
        (Some(uri), 1) if is_identity(&uri) => Ok(uri),
        _ => Err(Refusal::NoIdentity),
    }
}

/// Whether a text is a SPIFFE id with a path; the only form that workloads have.
pub(super) fn is_identity(text: &str) -> bool {
    let path = text.strip_prefix("spiffe://").and_then(|rest| rest.split_once('/'));
    let sound = |(domain, path): (&str, &str)| !domain.is_empty() && !path.is_empty() && !path.ends_with('/');
    text.len() <= MAX_IDENTITY && text.bytes().all(|byte| byte.is_ascii_graphic()) && path.is_some_and(sound)
}

#[cfg(test)]
mod tests {
    use rcgen::string::Ia5String;
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    fn certificate(uris: &[&str]) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["gateway.example".into()]).unwrap();
        params.subject_alt_names.extend(uris.iter().map(|uri| SanType::URI(Ia5String::try_from(*uri).unwrap())));
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_says_who_it_is_by_exactly_one_spiffe_id() {
        let one = "spiffe://cluster.local/ns/istio-system/sa/ingress-sa";
        assert_eq!(identity(&certificate(&[one])).as_deref(), Ok(one));
        for wrong in [
            &[][..],
            &[one, "spiffe://cluster.local/ns/a/sa/b"],
            &[one, "https://gateway.example"],
            &["https://gateway.example/a"],
            &["spiffe://cluster.local"],
            &["spiffe://cluster.local/"],
            &["spiffe:///ns/a"],
        ] {
            assert_eq!(identity(&certificate(wrong)), Err(Refusal::NoIdentity), "{wrong:?}");
        }
        for garbage in [&b""[..], b"\x30\x80", &[0xff; 300]] {
            assert_eq!(identity(garbage), Err(Refusal::NoIdentity));
        }
    }
}
