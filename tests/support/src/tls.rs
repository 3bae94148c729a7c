//! TLS: an authority of its own for each test, identities as SPIFFE URIs, and both sides of a connection.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair, SanType, date_time_ymd,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::{Resumption, WebPkiServerVerifier};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    CipherSuite, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
};
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
    /// The certificate, and those between it and its authority, if there are any.
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
    /// The server name that it asks for; `None`: [`SERVER`]. One that the server's certificate does not have is not minded.
    pub name: Option<&'static str>,
}

/// A client's connection over TLS.
pub type Stream = TlsStream<TcpStream>;

/// An HTTP/1.1 connection over TLS.
pub type Https = Http1<ReadHalf<Stream>, WriteHalf<Stream>>;

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
        self.issue_with(file, names, |_| ())
    }

    /// One whose time is over, likewise.
    pub fn expired(&self, file: &str, identity: &str) -> Certificate {
        let names = vec![SanType::URI(Ia5String::try_from(identity).expect("a URI"))];
        self.issue_with(file, names, |params| {
            (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        })
    }

    fn issue_with(&self, file: &str, names: Vec<SanType>, change: impl FnOnce(&mut CertificateParams)) -> Certificate {
        self.issue_by(&self.issuer, file, names, change)
    }

    fn issue_by(
        &self,
        issuer: &Issuer<'static, KeyPair>,
        file: &str,
        names: Vec<SanType>,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Certificate {
        let mut params = CertificateParams::default();
        change(&mut params);
        params.distinguished_name.push(DnType::CommonName, file);
        params.subject_alt_names = names;
        let pair = KeyPair::generate().expect("a key");
        let own = params.signed_by(&pair, issuer).expect("a certificate");
        let (certificate, key) = (self.path(file, "crt"), self.path(file, "key"));
        std::fs::write(&certificate, own.pem()).expect("a file");
        std::fs::write(&key, pair.serialize_pem()).expect("a file");
        Certificate { certificate, key }
    }

    /// One with this identity and others after it, `count` in all.
    ///
    /// # Panics
    /// When it cannot be made or written.
    pub fn uris(&self, file: &str, identity: &str, count: usize) -> Certificate {
        let uri = |text: &str| SanType::URI(Ia5String::try_from(text).expect("a URI"));
        let others = (1..count).map(|number| uri(&format!("spiffe://cluster.local/ns/x/sa/{number}")));
        self.issue(file, std::iter::once(uri(identity)).chain(others).collect())
    }

    /// One for a workload of this identity with `links` authorities between it and this one, each of them `padding` bytes larger than
    /// it need be.
    ///
    /// # Panics
    /// When it cannot be made or written.
    pub fn chained(&self, file: &str, identity: &str, links: usize, padding: usize) -> Certificate {
        let mut chain = Vec::new();
        let mut last: Option<Issuer<'static, KeyPair>> = None;
        for link in 0..links {
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(DnType::CommonName, format!("{file}, authority {link}"));
            // An object of nobody's, in the arc for examples.
            let nothing = CustomExtension::from_oid_content(&[2, 999, 1], vec![0; padding]);
            params.custom_extensions.extend((padding > 0).then_some(nothing));
            let key = KeyPair::generate().expect("a key");
            let own = params.signed_by(&key, last.as_ref().unwrap_or(&self.issuer)).expect("a certificate");
            chain.insert(0, own.pem());
            last = Some(Issuer::new(params, key));
        }
        let names = vec![SanType::URI(Ia5String::try_from(identity).expect("a URI"))];
        let own = self.issue_by(last.as_ref().unwrap_or(&self.issuer), file, names, |_| ());
        let leaf = std::fs::read_to_string(&own.certificate).expect("a certificate");
        std::fs::write(&own.certificate, leaf + &chain.concat()).expect("a file");
        own
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
        Ok(Http1::over(self.open(address, hello).await?))
    }

    /// A connection over TLS that speaks whatever the test does. Errors and panics like [`Authority::connect`].
    pub async fn open(&self, address: SocketAddr, hello: &Hello) -> io::Result<Stream> {
        self.caller(hello).open(TcpStream::connect(address).await?).await
    }

    /// Somebody who opens many connections and never resumes a session. Panics like [`Authority::connect`].
    pub fn caller(&self, hello: &Hello) -> Caller {
        let name = ServerName::try_from(hello.name.unwrap_or(SERVER)).expect("a name");
        let mut client = self.client(hello);
        client.resumption = Resumption::disabled();
        Caller { connector: TlsConnector::from(Arc::new(client)), name }
    }

    /// The certificate that a server shows, DER. Errors and panics like [`Authority::connect`].
    pub async fn shown(&self, address: SocketAddr, hello: &Hello) -> io::Result<Vec<u8>> {
        let stream = self.open(address, hello).await?;
        let own = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        Ok(own.map(|own| own.to_vec()).unwrap_or_default())
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
        let builder = match hello.name {
            Some(_) => builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyName::new(roots))),
            None => builder.with_root_certificates(roots),
        };
        let mut config = match &hello.certificate {
            Some(own) => {
                let chain = CertificateDer::pem_file_iter(&own.certificate).expect("a certificate");
                let chain = chain.collect::<Result<_, _>>().expect("certificates");
                let key = PrivateKeyDer::from_pem_file(&own.key).expect("a key");
                builder.with_client_auth_cert(chain, key).expect("a certificate and its key")
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = hello.protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }
}

/// A client whose files have been read.
#[derive(Clone)]
pub struct Caller {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Caller {
    /// Shakes hands over a connection that is open.
    ///
    /// # Errors
    /// The handshake fails.
    pub async fn open(&self, stream: TcpStream) -> io::Result<Stream> {
        stream.set_nodelay(true)?;
        self.connector.connect(self.name.clone(), stream).await
    }
}

/// Takes whoever an authority signed for, whatever name was asked for: proxies of a mesh have identities, not names of DNS.
#[derive(Debug)]
pub struct AnyName(Arc<WebPkiServerVerifier>);

impl AnyName {
    /// Of these authorities.
    ///
    /// # Panics
    /// There are none.
    pub fn new(roots: RootCertStore) -> Self {
        let provider = Arc::new(ring::default_provider());
        Self(WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().expect("an authority"))
    }
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use rustls::CertificateError::{NotValidForName, NotValidForNameContext};
        match self.0.verify_server_cert(own, chain, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. })) => {
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
