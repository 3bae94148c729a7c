//! Addresses as text, on the stack: every record holds two and a hash of one.

use core::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr};

use super::Shown;

/// An address, a network or a hash of one as text: at most 48 bytes, the longest address having 45.
#[derive(Clone, Copy)]
pub struct Written {
    bytes: [u8; 48],
    length: usize,
}

impl Written {
    /// `address` as it is written; one of IPv4 mapped into IPv6 as one of IPv4.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        let mut written = Self { bytes: [0; 48], length: 0 };
        match address.to_canonical() {
            IpAddr::V4(v4) => written.dotted(v4),
            // It fits.
            IpAddr::V6(v6) => _ = write!(written, "{v6}"),
        }
        written
    }

    /// The network of `length` bits that begins at `address`.
    pub(super) fn network(address: IpAddr, length: u8) -> Self {
        let mut written = Self::of(address);
        written.push(b'/');
        written.number(length);
        written
    }

    /// 32 digits.
    pub(super) fn digits(digits: [u8; 32]) -> Self {
        let mut written = Self { bytes: [0; 48], length: 0 };
        digits.into_iter().for_each(|digit| written.push(digit));
        written
    }

    /// The text, ASCII.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// The same as what may be shown.
    #[must_use]
    pub fn shown(&self) -> Shown<'_> {
        Shown::plain(self.as_bytes())
    }

    // Formatting goes through tables of functions for each octet, which costs ten times this.
    fn dotted(&mut self, address: Ipv4Addr) {
        let [first, rest @ ..] = address.octets();
        self.number(first);
        for octet in rest {
            self.push(b'.');
            self.number(octet);
        }
    }

    fn number(&mut self, value: u8) {
        if value >= 100 {
            self.push(b'0' + value / 100);
        }
        if value >= 10 {
            self.push(b'0' + value / 10 % 10);
        }
        self.push(b'0' + value % 10);
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }
}

impl fmt::Write for Written {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length.saturating_add(text.len());
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}
