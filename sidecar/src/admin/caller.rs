//! Who asks for a change: the user at the other end of a loopback connection, by the kernel's own table of sockets.
//!
//! Pages may be read by everybody on the machine; what changes the house may be done by root and by the user that the house
//! runs as. There is no password to lose, and the audit line names who the kernel says it was.

use std::fs;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::Pages;

/// A caller who may change things: the id of the user.
pub(super) struct Changer(pub(super) u32);

impl FromRequestParts<Pages> for Changer {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, pages: &Pages) -> Result<Self, Self::Rejection> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
        let ours = pages.state.admin;
        let uid = match peer {
            Some(peer) => tokio::task::spawn_blocking(move || uid_of(peer, ours)).await.unwrap_or(None),
            None => None,
        };
        let house = rustix::process::geteuid().as_raw();
        match uid {
            Some(uid) if uid == 0 || uid == house => Ok(Self(uid)),
            Some(uid) => Err(refuse(&format!("user {uid} may not change this house; root and user {house} may"))),
            None => Err(refuse("the system does not say who you are; use the command line on the house's own machine")),
        }
    }
}

fn refuse(words: &str) -> Response {
    (StatusCode::FORBIDDEN, format!("{words}\n")).into_response()
}

/// The owner of the socket at the other end of a connection within this machine (in a container: within its network
/// namespace). `None`: the tables do not tell.
fn uid_of(peer: SocketAddr, ours: SocketAddr) -> Option<u32> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    tables.iter().find_map(|table| find(&fs::read_to_string(table).ok()?, peer, ours))
}

/// The line of the socket that is bound to `local` and connected to `remote`; its eighth word is the user
/// (proc_net_tcp of the Linux kernel's documentation).
fn find(table: &str, local: SocketAddr, remote: SocketAddr) -> Option<u32> {
    let line = table.lines().skip(1).find(|line| {
        let mut words = line.split_ascii_whitespace().skip(1);
        let is = |word: Option<&str>, address| word.is_some_and(|word| shown(address).iter().any(|form| form == word));
        is(words.next(), local) && is(words.next(), remote)
    })?;
    line.split_ascii_whitespace().nth(7)?.parse().ok()
}

/// An address as the tables show it: words of the machine's byte order in hexadecimal; an IPv4 address also as the mapped
/// IPv6 one.
fn shown(address: SocketAddr) -> Vec<String> {
    let hex = |octets: &[u8]| -> String {
        let words = octets.chunks_exact(4).filter_map(|word| word.try_into().ok());
        words.map(|word| format!("{:08X}", u32::from_ne_bytes(word))).collect()
    };
    let ip = address.ip().to_canonical();
    let mut forms = vec![match ip {
        IpAddr::V4(ip) => hex(&ip.octets()),
        IpAddr::V6(ip) => hex(&ip.octets()),
    }];
    if let IpAddr::V4(ip) = ip {
        forms.push(hex(&ip.to_ipv6_mapped().octets()));
    }
    forms.iter().map(|form| format!("{form}:{:04X}", address.port())).collect()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_kernel_says_who_holds_the_other_end() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else {
                eprintln!("no {address} here");
                continue;
            };
            let ours = listener.local_addr().unwrap();
            let client = TcpStream::connect(ours).unwrap();
            let (_held, peer) = listener.accept().unwrap();
            assert_eq!(uid_of(peer, ours), Some(rustix::process::geteuid().as_raw()));
            drop(client);
            let nobody = SocketAddr::new(ours.ip(), 1);
            assert_eq!(uid_of(nobody, ours), None);
        }
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn a_table_is_read_by_its_words() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
                     0: 0100007F:26B7 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 1\n   \
                     1: 0100007F:D431 0100007F:26B7 01 00000000:00000000 00:00000000 00000000  1000        0 2\n";
        let (house, client) = ("127.0.0.1:9911".parse().unwrap(), "127.0.0.1:54321".parse().unwrap());
        assert_eq!(find(table, client, house), Some(1000));
        assert_eq!(find(table, house, client), Some(0));
        assert_eq!(find(table, client, client), None);
        assert_eq!(find("", client, house), None);
    }
}
