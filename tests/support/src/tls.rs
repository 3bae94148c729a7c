//! TLS: an authority of its own for each test, identities as SPIFFE URIs, and both sides of a connection.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::string::Ia5String;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{CipherSuite, ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector, rustls};

use crate::client::Http1;

/// The name that servers here answer to.
pub const SERVER: &str = "app.test";

/// An authority and the folder with its files.
pub struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as PEM files.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// What a client shows of itself.
#[derive(Debug, Clone, Default)]
pub struct Hello {
    /// Its certificate; `None`: none.
    pub certificate: Option<Certificate>,
    /// Only TLS 1.2.
    pub old: bool,
    /// Protocols that it offers (ALPN).
    pub protocols: Vec<&'static str>,
    /// The only cipher suite that it offers; `None`: all that it has.
    pub suite: Option<CipherSuite>,
}

/// An HTTP/1.1 connection over TLS.
pub type Https = Http1<ReadHalf<TlsStream<TcpStream>>, WriteHalf<TlsStream<TcpStream>>>;

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new authority.
    ///
    /// # Panics
    /// When a key cannot be made, or a file not be written.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("gatehouse-tls-").tempdir().expect("a folder for certificates");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "an authority of the tests");
        let key = KeyPair::generate().expect("a key");
        let own = params.self_signed(&key).expect("a certificate of the authority");
        std::fs::write(folder.path().join("root.pem"), own.pem()).expect("a file");
        Self { folder, issuer: Issuer::new(params, key) }
    }

    /// Its own certificate.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    /// A certificate for a server.
    pub fn server(&self) -> Certificate {
        let name = SanType::DnsName(Ia5String::try_from(SERVER).expect("a name"));
        self.issue("server", vec![name])
    }

    /// A certificate for a workload of this identity.
    ///
    /// # Panics
    /// When the identity is no URI.
    pub fn workload(&self, file: &str, identity: &str) -> Certificate {
        self.issue(file, vec![SanType::URI(Ia5String::try_from(identity).expect("a URI"))])
    }

    /// A certificate with these names, in files that begin with `file`.
    ///
    /// # Panics
    /// When it cannot be made or written.
    pub fn issue(&self, file: &str, names: Vec<SanType>) -> Certificate {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, file);
        params.subject_alt_names = names;
        let pair = KeyPair::generate().expect("a key");
        let own = params.signed_by(&pair, &self.issuer).expect("a certificate");
        let (certificate, key) = (self.path(file, "crt"), self.path(file, "key"));
        std::fs::write(&certificate, own.pem()).expect("a file");
        std::fs::write(&key, pair.serialize_pem()).expect("a file");
        Certificate { certificate, key }
    }

    /// The side of a server of ours on 127.0.0.1, which asks for no certificate and offers these protocols (ALPN).
    ///
    /// # Panics
    /// When its certificate cannot be made or read.
    pub fn acceptor(&self, file: &str, protocols: &[&str]) -> TlsAcceptor {
        let own = self.issue(file, vec![SanType::IpAddress([127, 0, 0, 1].into())]);
        let chain = vec![CertificateDer::from_pem_file(&own.certificate).expect("a certificate")];
        let key = PrivateKeyDer::from_pem_file(&own.key).expect("a key");
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().expect("versions of TLS").with_no_client_auth();
        let mut config = builder.with_single_cert(chain, key).expect("a certificate and its key");
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }

    fn path(&self, file: &str, extension: &str) -> PathBuf {
        self.folder.path().join(format!("{file}.{extension}"))
    }

    /// Envoy's side: a listener that serves TLS and, if `clients`, takes certificates of this authority without asking for one.
    pub fn listener(&self, clients: bool) -> Value {
        let own = self.server();
        let file = |path: &Path| json!({ "filename": path });
        let mut common = json!({
            "tls_certificates": [{ "certificate_chain": file(&own.certificate), "private_key": file(&own.key) }],
            "alpn_protocols": ["h2", "http/1.1"],
        });
        if clients {
            common["validation_context"] = json!({ "trusted_ca": file(&self.root()) });
        }
        json!({ "name": "envoy.transport_sockets.tls", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": common,
        } })
    }

    /// Connects to a server of this authority.
    ///
    /// # Errors
    /// Nobody listens there, or the handshake fails.
    ///
    /// # Panics
    /// When the client's own files cannot be read.
    pub async fn connect(&self, address: SocketAddr, hello: &Hello) -> io::Result<Https> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(SERVER).expect("a name");
        Ok(Http1::over(TlsConnector::from(Arc::new(self.client(hello))).connect(name, stream).await?))
    }

    fn client(&self, hello: &Hello) -> ClientConfig {
        let mut provider = ring::default_provider();
        if let Some(only) = hello.suite {
            provider.cipher_suites.retain(|suite| suite.suite() == only);
        }
        let versions: &[&rustls::SupportedProtocolVersion] = if hello.old { &[&TLS12] } else { &[&TLS12, &TLS13] };
        let builder = ClientConfig::builder_with_provider(Arc::new(provider));
        let builder = builder.with_protocol_versions(versions).expect("versions that the suites have");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.root()).expect("a certificate")).expect("an authority");
        let builder = builder.with_root_certificates(roots);
        let mut config = match &hello.certificate {
            Some(own) => {
                let chain = vec![CertificateDer::from_pem_file(&own.certificate).expect("a certificate")];
                let key = PrivateKeyDer::from_pem_file(&own.key).expect("a key");
                builder.with_client_auth_cert(chain, key).expect("a certificate and its key")
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = hello.protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }
}
