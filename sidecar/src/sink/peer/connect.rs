//! A byte stream to a peer, in clear text or by TLS.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::Address;
use super::told::told;
use crate::sink::board::Trouble;
use crate::sink::tls::Tls;

/// Longest time for a connection to stand.
const CONNECT: Duration = Duration::from_secs(10);

pub(in crate::sink) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Connects; `protocol` is what ALPN asks for (RFC 7301).
pub(in crate::sink) async fn connect(
    address: &Address,
    tls: &Tls,
    protocol: &[u8],
) -> Result<Box<dyn Stream>, Trouble> {
    let failed = |problem: String| Trouble::Retry(format!("cannot connect to {}: {problem}", address.authority));
    let client = if address.secure { Some(tls.client(protocol)?) } else { None };
    let connecting = async {
        let tcp = TcpStream::connect((address.host.as_str(), address.port)).await.map_err(|e| failed(e.to_string()))?;
        // Latency is not worth more than a batch.
        let _ = tcp.set_nodelay(true);
        let Some(client) = client else { return Ok(Box::new(tcp) as Box<dyn Stream>) };
        let name = ServerName::try_from(address.host.clone()).map_err(|error| failed(error.to_string()))?;
        let tls = TlsConnector::from(Arc::new(client)).connect(name, tcp).await.map_err(|e| failed(told(&e)))?;
        Ok(Box::new(tls) as Box<dyn Stream>)
    };
    match tokio::time::timeout(CONNECT, connecting).await {
        Ok(connected) => connected,
        Err(_) => Err(failed(format!("no connection within {} s", CONNECT.as_secs()))),
    }
}
