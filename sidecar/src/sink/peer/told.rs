//! What an error of a connection means to whoever has to mend it.

use std::error::Error;
use std::io;

use tokio_rustls::rustls::{AlertDescription, CertificateError, Error as Tls};

/// The error, with what lies below it; an error of TLS with what to do about it.
pub(in crate::sink) fn told(error: &(dyn Error + 'static)) -> String {
    if let Some(tls) = tls(error) {
        return match remedy(tls) {
            Some(remedy) => format!("{tls}: {remedy}"),
            None => tls.to_string(),
        };
    }
    let below = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    format!("{error}{below}")
}

/// The error of TLS at the bottom of `error`.
fn tls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Tls> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<Tls>() {
            return Some(found);
        }
        // What an I/O error wraps is no source of it.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = wrapped.and_then(|wrapped| wrapped.downcast_ref::<Tls>()) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn remedy(error: &Tls) -> Option<&'static str> {
    use CertificateError as Bad;
    match error {
        Tls::InvalidCertificate(Bad::UnknownIssuer | Bad::BadSignature) => {
            Some("write the authority of the peer's certificate to the file of `tls.ca`")
        }
        Tls::InvalidCertificate(
            Bad::Expired | Bad::ExpiredContext { .. } | Bad::NotValidYet | Bad::NotValidYetContext { .. },
        ) => Some("renew the peer's certificate, or look at the clocks"),
        Tls::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. }) => {
            Some("write a name of the peer's certificate in `url`")
        }
        Tls::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::DecryptError
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateRequired
            | AlertDescription::AccessDenied
            | AlertDescription::HandshakeFailure,
        ) => Some("the peer does not take our certificate; write one that it takes to the files of `tls`"),
        _ => None,
    }
}
