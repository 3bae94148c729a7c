//! Bytes carried both ways. What is read goes through one buffer of the thread, and only what the other side does not take at once is
//! kept: ten thousand connections on which nothing moves hold no buffers.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is read at once.
const CHUNK: usize = 64 * 1024;
/// Chunks that one connection carries before others of the thread have their turn.
const TURNS: usize = 8;

thread_local! {
    static CHUNKS: RefCell<Box<[u8]>> = RefCell::new(vec![0; CHUNK].into());
}

/// How much was carried.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    /// Octets from the client.
    pub(super) received: AtomicU64,
    /// Octets to the client.
    pub(super) sent: AtomicU64,
}

impl Traffic {
    pub(super) fn total(&self) -> u64 {
        self.received.load(Ordering::Relaxed).wrapping_add(self.sent.load(Ordering::Relaxed))
    }
}

/// Which end was the first to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Client,
    Server,
}

/// One direction.
#[derive(Debug, Default)]
struct Way {
    /// What the other side did not take yet, from `at` on.
    left: Vec<u8>,
    at: usize,
    /// Written since the last flush.
    unflushed: bool,
    read_ended: bool,
    closed: bool,
}

/// Carries until both ways have ended; who ended first. An error ends both at once.
pub(super) async fn carry<C, S>(client: &mut C, server: &mut S, traffic: &Traffic) -> (Option<End>, io::Result<()>)
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut up, mut down) = (Way::default(), Way::default());
    let mut first = None;
    let result = std::future::poll_fn(|cx| {
        let upward = up.poll(cx, client, server, &traffic.received);
        if up.read_ended {
            first.get_or_insert(End::Client);
        }
        let downward = down.poll(cx, server, client, &traffic.sent);
        if down.read_ended {
            first.get_or_insert(End::Server);
        }
        match (upward, downward) {
            (Poll::Ready(Err(error)), _) => {
                first.get_or_insert(End::Client);
                Poll::Ready(Err(error))
            }
            (_, Poll::Ready(Err(error))) => {
                first.get_or_insert(End::Server);
                Poll::Ready(Err(error))
            }
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => Poll::Ready(Ok(())),
            _ => Poll::Pending,
        }
    })
    .await;
    (first, result)
}

impl Way {
    fn poll<R, W>(&mut self, cx: &mut Context<'_>, from: &mut R, to: &mut W, count: &AtomicU64) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        for _ in 0..TURNS {
            ready!(self.empty(cx, to))?;
            if self.read_ended {
                return self.close(cx, to);
            }
            if self.refill(cx, from, to, count)?.is_pending() {
                // Nothing to carry for now: what was written goes out.
                if self.unflushed {
                    ready!(Pin::new(to).poll_flush(cx))?;
                    self.unflushed = false;
                }
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Writes what was left.
    fn empty<W: AsyncWrite + Unpin>(&mut self, cx: &mut Context<'_>, to: &mut W) -> Poll<io::Result<()>> {
        while let Some(left @ [_, ..]) = self.left.get(self.at..) {
            let taken = ready!(Pin::new(&mut *to).poll_write(cx, left))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.at += taken;
            self.unflushed = true;
        }
        // Its room is given back: it is seldom needed again soon.
        (self.left, self.at) = (Vec::new(), 0);
        Poll::Ready(Ok(()))
    }

    /// Reads once and writes what the other side takes; the rest is left.
    fn refill<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut R,
        to: &mut W,
        count: &AtomicU64,
    ) -> io::Result<Poll<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        CHUNKS.with_borrow_mut(|chunk| {
            let mut buffer = ReadBuf::new(chunk);
            match Pin::new(from).poll_read(cx, &mut buffer) {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(read) => read?,
            }
            let mut bytes = buffer.filled();
            self.read_ended = bytes.is_empty();
            count.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            while !bytes.is_empty() {
                match Pin::new(&mut *to).poll_write(cx, bytes) {
                    Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                    Poll::Ready(taken) => {
                        bytes = bytes.get(taken?..).unwrap_or_default();
                        self.unflushed = true;
                    }
                    Poll::Pending => {
                        self.left = bytes.to_vec();
                        break;
                    }
                }
            }
            Ok(Poll::Ready(()))
        })
    }

    fn close<W: AsyncWrite + Unpin>(&mut self, cx: &mut Context<'_>, to: &mut W) -> Poll<io::Result<()>> {
        if !self.closed {
            ready!(Pin::new(to).poll_shutdown(cx))?;
            self.closed = true;
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn bytes_arrive_whole_whatever_each_side_takes_at_once() {
        for room in [1, 7, 4096] {
            let ((mut client, mut own_client), (mut server, mut own_server)) = (duplex(room), duplex(room));
            let traffic = Traffic::default();
            let bytes: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
            let sent = bytes.clone();
            let talk = async {
                let (mut reading, mut writing) = tokio::io::split(&mut client);
                let write = async {
                    writing.write_all(&sent).await.unwrap();
                    writing.shutdown().await.unwrap();
                };
                let mut back = Vec::new();
                tokio::join!(write, reading.read_to_end(&mut back)).1.unwrap();
                back
            };
            let echo = async {
                let (mut reading, mut writing) = tokio::io::split(&mut server);
                tokio::io::copy(&mut reading, &mut writing).await.unwrap();
                writing.shutdown().await.unwrap();
            };
            let (back, (), (first, result)) =
                tokio::join!(talk, echo, carry(&mut own_client, &mut own_server, &traffic));
            assert!(back == bytes && result.is_ok() && first == Some(End::Client), "{room}");
            assert_eq!(traffic.total(), 200_000);
        }
    }

    #[tokio::test]
    async fn one_way_goes_on_when_the_other_has_ended() {
        let ((mut client, mut own_client), (mut server, mut own_server)) = (duplex(64), duplex(64));
        let traffic = Traffic::default();
        let ends = async {
            server.write_all(b"bye").await.unwrap();
            server.shutdown().await.unwrap();
            let mut all = Vec::new();
            client.read_to_end(&mut all).await.unwrap();
            assert_eq!(all, b"bye");
            client.write_all(b"late").await.unwrap();
            client.shutdown().await.unwrap();
            let mut all = Vec::new();
            server.read_to_end(&mut all).await.unwrap();
            assert_eq!(all, b"late");
        };
        let ((), (first, result)) = tokio::join!(ends, carry(&mut own_client, &mut own_server, &traffic));
        assert!(result.is_ok() && first == Some(End::Server));
    }
}
