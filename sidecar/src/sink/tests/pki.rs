//! An authority for tests, servers and clients of it, and files as a cluster mounts them: of the tests here and of those in `tests/`,
//! which take this file in by its path.

use std::path::Path;
use std::sync::Arc;

use rcgen::string::Ia5String;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType, date_time_ymd};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// A year in which nothing here has expired.
pub(crate) const FAR: i32 = 2999;

/// An authority; each has a name of its own, as renewed ones do.
pub(crate) struct Pki {
    pub(crate) ca: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Pki {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let ca = params.self_signed(&key).unwrap();
        Self { ca, issuer: Issuer::new(params, key) }
    }

    /// A certificate for this machine, good until the first day of that year, and its key.
    pub(crate) fn issue(&self, last_year: i32) -> (rcgen::Certificate, KeyPair) {
        self.issue_to(&[], last_year)
    }

    /// The same for who has these URIs.
    pub(crate) fn issue_to(&self, uris: &[&str], last_year: i32) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
        params.subject_alt_names.extend(uris.iter().map(|uri| SanType::URI(Ia5String::try_from(*uri).unwrap())));
        params.not_after = date_time_ymd(last_year, 1, 1);
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// Takes clients of this authority only.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.der().clone()).unwrap();
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let (certificate, key) = self.issue(FAR);
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients.build().unwrap())
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap());
        let mut config = config.unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }

    /// Files for a client, mounted as a Kubernetes secret is: `..data` leads to them and is renamed over.
    pub(crate) fn mount(&self, folder: &Path, version: &str, last_year: i32) {
        let (certificate, key) = self.issue(last_year);
        swap(folder, version, &[&self.ca.pem(), &certificate.pem(), &key.serialize_pem()]);
    }
}

/// Mounts a version of the files: authority, certificate, key.
pub(crate) fn swap(folder: &Path, version: &str, [ca, certificate, key]: &[&str; 3]) {
    swap_files(folder, version, &[("ca.pem", ca), ("tls.crt", certificate), ("tls.key", key)]);
}

/// Mounts a version of any files, by name.
pub(crate) fn swap_files(folder: &Path, version: &str, files: &[(&str, &str)]) {
    let real = folder.join(version);
    std::fs::create_dir(&real).unwrap();
    for (name, text) in files {
        std::fs::write(real.join(name), text).unwrap();
    }
    std::os::unix::fs::symlink(version, folder.join("..fresh")).unwrap();
    std::fs::rename(folder.join("..fresh"), folder.join("..data")).unwrap();
}
