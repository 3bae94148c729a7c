//! What a verified certificate says of its owner: bytes of a stranger, though an authority that we trust has signed them.

use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// The first URI of a certificate in DER, and how many it has: what Envoy tells, and what it does not. One that cannot be read has none.
pub(crate) fn of(certificate: &[u8]) -> (Option<String>, u32) {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return (None, 0) };
    let names = certificate.extensions().iter().filter_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
        _ => None,
    });
    let uris = names.flatten().filter_map(|name| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    });
    let mut uris = uris.peekable();
    let first = uris.peek().map(|uri| (*uri).to_owned());
    (first, u32::try_from(uris.count()).unwrap_or(u32::MAX))
}
