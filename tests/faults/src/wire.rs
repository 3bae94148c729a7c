//! A network between two parties that fails as told: a relay of TCP connections, to a port or to a Unix socket.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// What the wire does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// It carries everything.
    Carry,
    /// It carries nothing and says nothing, as a network does that lost its way.
    Silent,
    /// It carries what goes there; what comes back is lost.
    Deaf,
    /// Connections end, new ones end at once.
    Cut,
}

/// Where it leads.
#[derive(Debug, Clone)]
pub enum Far {
    /// To a TCP port.
    Tcp(SocketAddr),
    /// To a Unix socket.
    Unix(PathBuf),
}

/// A wire; it ends with this value.
#[derive(Debug)]
pub struct Wire {
    address: SocketAddr,
    mood: watch::Sender<Mood>,
    task: JoinHandle<()>,
}

impl Wire {
    /// A wire on a free port that carries everything.
    ///
    /// # Panics
    /// When no port can be bound.
    pub async fn start(far: Far) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port for the wire");
        let address = listener.local_addr().expect("an address");
        let (mood, moods) = watch::channel(Mood::Carry);
        let task = tokio::spawn(accept(listener, far, moods));
        Self { address, mood, task }
    }

    /// Its near end.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends every connection that is there, and carries new ones.
    pub async fn snap(&self) {
        self.set(Mood::Cut);
        // Every relay has to see it.
        sleep(Duration::from_millis(100)).await;
        self.set(Mood::Carry);
    }

    /// From now on it does this, to connections that are there as well.
    pub fn set(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, far: Far, mood: watch::Receiver<Mood>) {
    loop {
        if let Ok((near, _)) = listener.accept().await {
            tokio::spawn(relay(near, far.clone(), mood.clone()));
        }
    }
}

async fn relay(near: TcpStream, far: Far, mut mood: watch::Receiver<Mood>) -> io::Result<()> {
    // A connection that is opened in silence comes to nothing before the silence ends.
    let _ = mood.wait_for(|mood| *mood != Mood::Silent).await;
    if *mood.borrow() == Mood::Cut {
        return Ok(());
    }
    near.set_nodelay(true)?;
    match far {
        Far::Tcp(address) => {
            let far = TcpStream::connect(address).await?;
            far.set_nodelay(true)?;
            both(near.into_split(), far.into_split(), mood).await
        }
        Far::Unix(path) => both(near.into_split(), UnixStream::connect(path).await?.into_split(), mood).await,
    }
}

async fn both<NR, NW, FR, FW>(near: (NR, NW), far: (FR, FW), mut mood: watch::Receiver<Mood>) -> io::Result<()>
where
    NR: AsyncRead + Unpin,
    NW: AsyncWrite + Unpin,
    FR: AsyncRead + Unpin,
    FW: AsyncWrite + Unpin,
{
    let (there, back) = (mood.clone(), mood.clone());
    tokio::select! {
        result = carry(near.0, far.1, there, false) => result,
        result = carry(far.0, near.1, back, true) => result,
        _ = mood.wait_for(|mood| *mood == Mood::Cut) => Ok(()),
    }
}

async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut mood: watch::Receiver<Mood>,
    back: bool,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = from.read(&mut buffer).await?;
        let _ = mood.wait_for(|mood| *mood != Mood::Silent).await;
        if length == 0 {
            return Ok(());
        }
        if !(back && *mood.borrow() == Mood::Deaf) {
            to.write_all(&buffer[..length]).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::timeout;

    use super::{Far, Mood, Wire};

    #[tokio::test]
    async fn a_wire_carries_is_silent_deaf_and_cut_as_told() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wire = Wire::start(Far::Tcp(listener.local_addr().unwrap())).await;
        let mut near = TcpStream::connect(wire.address()).await.unwrap();
        let (mut far, _) = listener.accept().await.unwrap();
        let mut byte = [0];
        near.write_all(b"a").await.unwrap();
        far.read_exact(&mut byte).await.unwrap();
        wire.set(Mood::Silent);
        near.write_all(b"b").await.unwrap();
        assert!(timeout(Duration::from_millis(100), far.read_exact(&mut byte)).await.is_err());
        wire.set(Mood::Deaf);
        far.read_exact(&mut byte).await.unwrap();
        assert_eq!(byte, *b"b");
        far.write_all(b"c").await.unwrap();
        assert!(timeout(Duration::from_millis(100), near.read_exact(&mut byte)).await.is_err());
        wire.set(Mood::Cut);
        assert_eq!(near.read(&mut byte).await.unwrap(), 0);
    }
}
