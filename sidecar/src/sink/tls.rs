//! TLS towards peers, as written (`tls:`), and what rustls is told.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gatehouse_policy::document::{Fields, Node, Problems};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::server::{ClientCertVerifierBuilder, NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

use super::board::Trouble;
use super::expiry::{certificates, good_now, one_good_now, unusable};

/// PEM files; they may come later than the house, and are read again when they change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// Authorities that peers are checked against; `None`: the system's.
    pub ca: Option<PathBuf>,
    /// Own certificate (with its chain) and key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

impl Tls {
    pub(crate) fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "`tls`", problems)?;
        let ca = fields.take("ca").and_then(|node| path(node, problems));
        let certificate = fields.take("certificate").and_then(|node| path(node, problems));
        let key = fields.take("key").and_then(|node| path(node, problems));
        if certificate.is_some() != key.is_some() {
            let message = "`certificate` and `key` come together";
            problems.push(fields.place(), message, "write both for mutual TLS, or none");
        }
        fields.finish(problems);
        Some(Self { ca, identity: certificate.zip(key) })
    }

    /// Every file that it names.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        let (certificate, key) = self.identity.as_ref().map(|(certificate, key)| (certificate, key)).unzip();
        [self.ca.as_ref(), certificate, key].into_iter().flatten().map(PathBuf::as_path)
    }

    /// What rustls is told; reads the files. What is missing or cannot be used is waited for, by its path.
    pub(crate) fn client(&self, protocol: &[u8]) -> Result<ClientConfig, Trouble> {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Trouble::Retry(format!("TLS cannot be set up: {error}")))?
            .with_root_certificates(self.roots()?);
        let mut client = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates(certificate)?;
                good_now(certificate, &chain)?;
                let made = builder.with_client_auth_cert(chain, own_key(key)?);
                made.map_err(|error| unusable(certificate, &format_args!("with its key: {error}")))?
            }
        };
        client.alpn_protocols = vec![protocol.to_vec()];
        Ok(client)
    }

    /// What rustls is told where the house itself is asked: both sides show a certificate. As [`Tls::client`] otherwise.
    pub(crate) fn server(&self, protocol: &[u8]) -> Result<ServerConfig, Trouble> {
        let mut server = self.listening(WebPkiClientVerifier::builder_with_provider)?;
        server.alpn_protocols = vec![protocol.to_vec()];
        Ok(server)
    }

    /// The same where clients speak whatever their service does, and may show nothing of themselves: what that means is for a policy to say.
    pub(crate) fn front(&self) -> Result<ServerConfig, Trouble> {
        self.listening(|roots, provider| {
            WebPkiClientVerifier::builder_with_provider(roots, provider).allow_unauthenticated()
        })
    }

    fn listening(
        &self,
        peers: impl FnOnce(Arc<RootCertStore>, Arc<CryptoProvider>) -> ClientCertVerifierBuilder,
    ) -> Result<ServerConfig, Trouble> {
        let provider = Arc::new(ring::default_provider());
        let retry = |error: &dyn core::fmt::Display| Trouble::Retry(format!("TLS cannot be set up: {error}"));
        let Some((certificate, key)) = &self.identity else {
            return Err(retry(&"there is no certificate"));
        };
        let peers = peers(Arc::new(self.roots()?), Arc::clone(&provider));
        let chain = certificates(certificate)?;
        good_now(certificate, &chain)?;
        let made = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| retry(&error))?
            .with_client_cert_verifier(peers.build().map_err(|error| retry(&error))?)
            .with_single_cert(chain, own_key(key)?);
        let mut server = made.map_err(|error| unusable(certificate, &format_args!("with its key: {error}")))?;
        // A resumed session would stand for a certificate that nobody looked at again; streams last too long to need one.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        Ok(server)
    }

    /// Whether a client can be made of the files, for those that make theirs without rustls: what is wrong has the same
    /// words everywhere.
    #[cfg(feature = "kafka")]
    pub(super) fn check(&self) -> Result<(), Trouble> {
        self.client(b"").map(drop)
    }

    fn roots(&self) -> Result<RootCertStore, Trouble> {
        let mut roots = RootCertStore::empty();
        let Some(ca) = &self.ca else {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            return if roots.is_empty() {
                Err(Trouble::Waiting("trust material (the system's authorities): there are none, write `ca`".into()))
            } else {
                Ok(roots)
            };
        };
        let read = certificates(ca)?;
        one_good_now(ca, &read)?;
        for certificate in read {
            roots.add(certificate).map_err(|error| unusable(ca, &error))?;
        }
        Ok(roots)
    }
}

fn own_key(key: &Path) -> Result<PrivateKeyDer<'static>, Trouble> {
    PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, &format_args!("{error}; write a key in PEM there")))
}

/// What both sides of mutual TLS are told: each names a file, and all three are there.
pub(crate) const MUTUAL: [&str; 3] = ["certificate", "key", "authorities"];

/// The files that stand under the words of [`MUTUAL`].
pub(crate) fn mutual(files: [Option<&Node>; 3], problems: &mut Problems) -> Option<Tls> {
    let [certificate, key, authorities] = files.map(|node| node.and_then(|node| path(node, problems)));
    Some(Tls { ca: Some(authorities?), identity: Some((certificate?, key?)) })
}

/// The path of a file, as written.
pub(crate) fn path(node: &Node, problems: &mut Problems) -> Option<PathBuf> {
    let text = node.string(problems)?;
    if text.is_empty() || text.contains('\0') {
        problems.push(&node.place, "this is no path", "write the path of a file");
        return None;
    }
    Some(text.into())
}
