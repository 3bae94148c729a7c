//! The application: the same short answer to everything, as cheaply as can be.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 3\r\n\r\nok\n";
const END: &[u8] = b"\r\n\r\n";

/// Serves on a free port of loopback for as long as the process lives.
pub(crate) async fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("a bound address");
    tokio::spawn(serve_all(listener));
    address
}

/// Serves whoever connects.
pub(crate) async fn serve_all(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream));
    }
}

/// Requests without a body, one after the other.
async fn serve(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::with_capacity(16 << 10);
    loop {
        match stream.read_buf(&mut buffer).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return,
        }
        while let Some(at) = buffer.windows(END.len()).position(|bytes| bytes == END) {
            buffer.drain(..at + END.len());
            if stream.write_all(ANSWER).await.is_err() {
                return;
            }
        }
    }
}
