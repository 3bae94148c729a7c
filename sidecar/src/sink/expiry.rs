//! Until when certificate files are good: told in the status and as a metric, so that somebody renews them in time.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::board::{Board, Trouble};
use super::tls::Tls;
use crate::ocsf::time::{Rfc3339, now_ms};

/// A file of certificates larger than this is none; the system's bundle has a quarter of it.
const MAX_FILE: u64 = 1 << 20;
/// How often files are looked at for the status.
const LOOK: Duration = Duration::from_secs(2);

/// Until when a file of certificates is good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Expiry {
    /// The file, as written.
    pub file: PathBuf,
    /// When it expires, RFC 3339: an own certificate by the first of the file, authorities by the one that lasts longest.
    pub expires: String,
    /// The same in Unix seconds.
    #[serde(skip)]
    pub unix_seconds: u64,
}

/// From when until when a certificate is good, Unix seconds.
#[derive(Debug, Clone, Copy)]
struct Span {
    from: i64,
    until: i64,
}

/// The certificates of a file, at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Trouble> {
    let text = text(path).map_err(|error| unusable(path, &error))?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match read {
        Ok(read) if read.is_empty() => Err(unusable(path, &"it holds no certificate in PEM; write one there")),
        Ok(read) => Ok(read),
        Err(error) => Err(unusable(path, &format_args!("{error}; write certificates in PEM there"))),
    }
}

/// What is wrong with a file of trust.
pub(super) fn unusable(path: &Path, problem: &dyn core::fmt::Display) -> Trouble {
    Trouble::Waiting(format!("trust material ({}): {problem}", path.display()))
}

/// The own chain of `path` must be good now.
pub(super) fn good_now(path: &Path, chain: &[CertificateDer<'_>]) -> Result<(), Trouble> {
    let own = chain.first().and_then(span).ok_or_else(|| unusable(path, &"its first certificate is none of X.509"))?;
    inside(path, own)
}

/// One authority of `path` must be good now.
pub(super) fn one_good_now(path: &Path, authorities: &[CertificateDer<'_>]) -> Result<(), Trouble> {
    let lasting = authorities.iter().filter_map(span).max_by_key(|span| span.until);
    inside(path, lasting.ok_or_else(|| unusable(path, &"no certificate in it is one of X.509"))?)
}

/// Looks at the files again and again, for the status; never ends.
pub(super) async fn watch(tls: Tls, board: Arc<Board>) {
    loop {
        let tls = tls.clone();
        // What cannot be read shows as trouble when it is used.
        if let Ok(expiries) = tokio::task::spawn_blocking(move || all(&tls)).await {
            board.trust(expiries);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Until when each file of these is good; those that cannot be read are left out.
pub(crate) fn all(tls: &Tls) -> Vec<Expiry> {
    let own = tls.identity.as_ref().and_then(|(certificate, _)| {
        let chain = certificates(certificate).ok()?;
        Some((certificate, chain.first().and_then(span)?))
    });
    let authorities = tls.ca.as_ref().and_then(|ca| {
        let all = certificates(ca).ok()?;
        Some((ca, all.iter().filter_map(span).max_by_key(|span| span.until)?))
    });
    let told = |(file, span): (&PathBuf, Span)| {
        let unix_seconds = u64::try_from(span.until).unwrap_or_default();
        Expiry { file: file.clone(), expires: moment(span.until), unix_seconds }
    };
    authorities.into_iter().chain(own).map(told).collect()
}

fn inside(path: &Path, span: Span) -> Result<(), Trouble> {
    let now = i64::try_from(now_ms() / 1000).unwrap_or(i64::MAX);
    if span.until < now {
        let problem = format!("it expired at {}; renew it", moment(span.until));
        return Err(unusable(path, &problem));
    }
    if span.from > now {
        let problem = format!("it is good only from {} on; look at this machine's clock", moment(span.from));
        return Err(unusable(path, &problem));
    }
    Ok(())
}

fn span(certificate: &CertificateDer<'_>) -> Option<Span> {
    let (_, read) = X509Certificate::from_der(certificate).ok()?;
    let validity = read.validity();
    Some(Span { from: validity.not_before.timestamp(), until: validity.not_after.timestamp() })
}

fn moment(unix_seconds: i64) -> String {
    Rfc3339(u64::try_from(unix_seconds).unwrap_or_default().saturating_mul(1000)).to_string()
}

fn text(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_FILE {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    Ok(text)
}
