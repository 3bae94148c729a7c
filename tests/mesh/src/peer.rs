//! Somebody with a certificate of the mesh who speaks for itself: TLS with whatever server name, and what ztunnel speaks with waypoints
//! (HBONE: a connection in an HTTP/2 CONNECT).

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use gatehouse_support::tls::AnyName;
use gatehouse_support::wait;
use http_body_util::Empty;
use hyper::{Request, StatusCode, http};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::START;

/// What goes through a waypoint.
pub type Tunnel = TokioIo<hyper::upgrade::Upgraded>;

/// The folder to which an agent writes what istiod issued for it (`OUTPUT_CERTS`).
#[derive(Debug)]
pub struct Peer(TempDir);

impl Default for Peer {
    fn default() -> Self {
        Self::new()
    }
}

impl Peer {
    /// None yet.
    ///
    /// # Panics
    /// When there can be no folder.
    pub fn new() -> Self {
        Self(tempfile::Builder::new().prefix("gatehouse-peer-").tempdir().expect("a folder"))
    }

    /// The variable of the agent whose certificate it is.
    pub fn variable(&self) -> (&'static str, String) {
        ("OUTPUT_CERTS", self.0.path().display().to_string())
    }

    /// A connection of TLS that asks for this server, by these protocols.
    ///
    /// # Errors
    /// Nobody listens there, or the handshake fails.
    ///
    /// # Panics
    /// No certificate has come.
    pub async fn open(
        &self,
        to: SocketAddr,
        server: &'static str,
        protocols: &[&str],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let key = self.0.path().join("key.pem");
        wait::until_true(START, "a certificate of the mesh", || async { key.is_file() }).await;
        let mut config = config(self.0.path());
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from(server).expect("a name");
        TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(to).await?).await
    }

    /// A connection to `authority` (address and port) through the waypoint at `to`; `None`: it opens none. Panics like [`Peer::open`].
    pub async fn tunnel(&self, to: SocketAddr, authority: &str) -> Option<Tunnel> {
        let stream = self.open(to, "waypoint.test", &["h2"]).await.ok()?;
        let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
        let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.ok()?;
        tokio::spawn(connection);
        let uri = http::Uri::builder().authority(authority).build().expect("an authority");
        let asked = Request::connect(uri).body(Empty::<Bytes>::new()).expect("a request");
        let reply = sender.send_request(asked).await.ok()?;
        if reply.status() != StatusCode::OK {
            return None;
        }
        hyper::upgrade::on(reply).await.ok().map(TokioIo::new)
    }
}

fn config(folder: &Path) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(folder.join("root-cert.pem")).expect("roots") {
        roots.add(root.expect("a root")).expect("an authority");
    }
    let chain = CertificateDer::pem_file_iter(folder.join("cert-chain.pem")).expect("a certificate");
    let chain = chain.collect::<Result<_, _>>().expect("certificates");
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).expect("a key");
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyName::new(roots)))
        .with_client_auth_cert(chain, key)
        .expect("a certificate and its key")
}
