//! Where gates attach: a Unix socket that nobody sees before its permissions are right, or a loopback address.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_stream::{Stream, StreamExt as _};

use crate::metrics::Metrics;

/// A bound Unix socket; its file goes when this is dropped.
#[derive(Debug)]
pub struct UnixSocket {
    /// Accepts the connections.
    pub listener: UnixListener,
    /// Removes the file.
    pub file: SocketFile,
}

/// The file of a bound socket.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

/// Why an address cannot be listened on.
#[derive(Debug)]
pub enum ListenError {
    /// The operating system refuses.
    Io {
        /// The path or address.
        address: String,
        /// Its answer.
        source: io::Error,
    },
    /// Somebody answers there already.
    InUse {
        /// The path or address.
        address: String,
    },
    /// The path is taken by something that is no socket, which is left alone.
    NotASocket {
        /// The path.
        path: PathBuf,
    },
}

/// Binds a Unix socket with these permission bits. A socket file that nobody listens on (left by a killed house) is
/// replaced.
///
/// # Errors
/// See [`ListenError`].
pub fn unix(path: &Path, mode: u32) -> Result<UnixSocket, ListenError> {
    let failed = |source| ListenError::Io { address: path.display().to_string(), source };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    remove_leftover(path)?;
    // Bound aside and renamed: between `bind` and `chmod` the mode is the umask's, and the umask is the whole process's.
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let aside = PathBuf::from(aside);
    remove_leftover(&aside)?;
    let listener = UnixListener::bind(&aside).map_err(failed)?;
    let placed = fs::set_permissions(&aside, fs::Permissions::from_mode(mode)).and_then(|()| fs::rename(&aside, path));
    if let Err(source) = placed {
        let _ = fs::remove_file(&aside);
        return Err(failed(source));
    }
    Ok(UnixSocket { listener, file: SocketFile(path.into()) })
}

/// Binds a TCP address.
///
/// # Errors
/// See [`ListenError`].
pub async fn tcp(address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse { address: address.to_string() },
        _ => ListenError::Io { address: address.to_string(), source },
    })
}

/// The connections of these users, of root and of the house's own user; the others are closed unread, and counted. `None`: whoever the
/// socket's permissions let in.
pub fn of_users(
    connections: impl Stream<Item = io::Result<UnixStream>>,
    uids: Option<Vec<u32>>,
    metrics: Arc<Metrics>,
) -> impl Stream<Item = io::Result<UnixStream>> {
    let own = rustix::process::geteuid().as_raw();
    connections.filter(move |accepted| {
        let (Some(uids), Ok(stream)) = (&uids, accepted) else { return true };
        let uid = stream.peer_cred().map(|peer| peer.uid());
        let allowed = uid.as_ref().is_ok_and(|uid| *uid == 0 || *uid == own || uids.contains(uid));
        if !allowed {
            metrics.refusals.get_or_create(&[("reason", "uid")]).inc();
            tracing::warn!(?uid, "connection refused: only the users in `listen.uids` are served");
        }
        allowed
    })
}

fn remove_leftover(path: &Path) -> Result<(), ListenError> {
    let failed = |source| ListenError::Io { address: path.display().to_string(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(meta) if !meta.file_type().is_socket() => {
            return Err(ListenError::NotASocket { path: path.into() });
        }
        Ok(_) => {}
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(ListenError::InUse { address: path.display().to_string() }),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path).map_err(failed),
        Err(error) => Err(failed(error)),
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // A leftover is harmless: the next start replaces it.
        let _ = fs::remove_file(&self.0);
    }
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { address, source } => write!(f, "cannot listen on `{address}`: {source}"),
            Self::InUse { address } => {
                write!(f, "another program listens on `{address}`; stop it, or give this house another address")
            }
            Self::NotASocket { path } => {
                write!(
                    f,
                    "cannot listen on `{}`: something that is no socket stands there; move it away",
                    path.display()
                )
            }
        }
    }
}

impl std::error::Error for ListenError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_socket_has_its_mode_refuses_a_second_and_goes_with_its_house() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/house.sock");
        let socket = unix(&path, 0o600).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::os::unix::net::UnixStream::connect(&path).unwrap();
        assert!(matches!(unix(&path, 0o600), Err(ListenError::InUse { .. })));
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_killed_houses_socket_is_replaced_and_a_file_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("house.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        drop(unix(&path, 0o660).unwrap());
        fs::write(&path, "precious").unwrap();
        assert!(matches!(unix(&path, 0o660), Err(ListenError::NotASocket { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }

    #[tokio::test]
    async fn a_taken_port_is_told() {
        let first = tcp("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let taken = first.local_addr().unwrap();
        let error = tcp(taken).await.unwrap_err().to_string();
        assert!(error.contains(&format!("another program listens on `{taken}`")), "{error}");
    }
}
