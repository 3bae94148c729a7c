//! Connections of gates, bounded in number: beyond the bound the next one waits, unread, for another to end.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_stream::{Stream, StreamExt};
use tonic::transport::server::Connected;

use super::guarded::Guarded;
use super::peer::Known;

/// One connection and its place among all.
#[derive(Debug)]
pub struct Connection<C> {
    io: C,
    // Held, never read: the place is free again when the connection ends.
    _place: OwnedSemaphorePermit,
}

/// Gives each accepted connection a place.
pub fn bounded<C>(
    connections: impl Stream<Item = io::Result<C>>,
    places: Arc<Semaphore>,
) -> impl Stream<Item = io::Result<Connection<C>>> {
    connections.then(move |accepted| {
        let places = Arc::clone(&places);
        async move {
            let place = places.acquire_owned().await.map_err(io::Error::other)?;
            accepted.map(|io| Connection { io, _place: place })
        }
    })
}

/// Who is at the other end, as far as it is proven; `None`: the socket's permissions decided.
pub type Peer = Option<Arc<Known>>;

/// A connection that knows who is at its other end.
pub trait Accepted: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Who it is.
    fn peer(&self) -> Peer {
        None
    }
}

impl Accepted for UnixStream {}

impl Accepted for TcpStream {}

impl Accepted for Guarded {
    fn peer(&self) -> Peer {
        Some(Arc::clone(&self.known))
    }
}

impl<C: Accepted> Connected for Connection<C> {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.io.peer()
    }
}

impl AsyncRead for Guarded {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Connection<C> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, into)
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Connection<C> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_next_connection_waits_until_one_ends() {
        let places = Arc::new(Semaphore::new(2));
        let accepted = tokio_stream::iter((0..3).map(|_| Ok(tokio::io::empty())));
        let mut connections = Box::pin(bounded(accepted, Arc::clone(&places)));
        let first = connections.next().await;
        let _second = connections.next().await;
        let mut third = tokio::spawn(async move { connections.next().await });
        assert!(tokio::time::timeout(std::time::Duration::from_millis(50), &mut third).await.is_err());
        drop(first);
        assert!(third.await.unwrap().is_some());
    }
}
