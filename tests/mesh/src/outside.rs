//! Servers without a proxy: some that speak HTTP or HTTPS and remember what they were asked, some that give back what they get in capitals.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use gatehouse_support::tls::Certificate;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Longest head of a request, bytes.
const MAX_HEAD: usize = 64 * 1024;
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\nconnection: close\r\n\r\noutside";
/// What a server says that speaks first.
pub const GREETING: &[u8] = b"welcome";

/// A server; it serves until the process ends.
#[derive(Debug, Clone, Default)]
pub struct Outside(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    connections: usize,
    heads: Vec<String>,
}

impl Outside {
    /// HTTPS at this address.
    ///
    /// # Panics
    /// The address is taken, or the certificate cannot be read.
    pub async fn https(address: SocketAddr, own: &Certificate) -> Self {
        let chain = vec![CertificateDer::from_pem_file(&own.certificate).expect("a certificate")];
        let key = PrivateKeyDer::from_pem_file(&own.key).expect("a key");
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().expect("versions of TLS").with_no_client_auth();
        let config = builder.with_single_cert(chain, key).expect("a certificate and its key");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::serve(address, move |stream, outside| {
            let acceptor = acceptor.clone();
            async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    outside.answer(stream).await;
                }
            }
        })
        .await
    }

    /// HTTP at this address. Panics like [`Outside::https`].
    pub async fn http(address: SocketAddr) -> Self {
        Self::serve(address, |stream, outside| async move { outside.answer(stream).await }).await
    }

    /// TCP at this address. Panics like [`Outside::https`].
    pub async fn echo(address: SocketAddr) -> Self {
        Self::serve(address, |stream, _| capitals(stream)).await
    }

    /// The same, and it speaks first. Panics like [`Outside::https`].
    pub async fn greeting(address: SocketAddr) -> Self {
        Self::serve(address, |mut stream, _| async move {
            if stream.write_all(GREETING).await.is_ok() {
                capitals(stream).await;
            }
        })
        .await
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.seen(|seen| seen.connections)
    }

    /// Heads of the requests so far.
    pub fn heads(&self) -> Vec<String> {
        self.seen(|seen| seen.heads.clone())
    }

    async fn serve<F: Future<Output = ()> + Send>(
        address: SocketAddr,
        each: impl Fn(TcpStream, Self) -> F + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let (own, each) = (Self::default(), Arc::new(each));
        let outside = own.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                outside.seen(|seen| seen.connections += 1);
                let (each, outside) = (Arc::clone(&each), outside.clone());
                tokio::spawn(async move { each(stream, outside).await });
            }
        });
        own
    }

    async fn answer(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") && head.len() < MAX_HEAD {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        self.seen(|seen| seen.heads.push(String::from_utf8_lossy(&head).into_owned()));
        let _ = stream.write_all(ANSWER).await;
        let _ = stream.shutdown().await;
    }

    fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn capitals(mut stream: TcpStream) {
    let mut bytes = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut bytes).await {
        let Some(said) = bytes.get_mut(..length) else { return };
        said.make_ascii_uppercase();
        if stream.write_all(said).await.is_err() {
            return;
        }
    }
}
