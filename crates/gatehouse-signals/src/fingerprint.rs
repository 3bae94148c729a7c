//! Which kind of client a request's headers come from, told by which of them there are and in what order. Browsers of one
//! engine send them alike; an imitation by a library seldom gets them right. It is a sign, never a proof: whoever sends the
//! same headers in the same order has the same fingerprint.
//!
//! # What counts
//! Only headers that a client sends with every request by itself. All other headers are passed over, whatever their name, so
//! nothing that a page, a user, a proxy or Envoy adds changes the fingerprint.
//!
//! | letter | header | counts |
//! |---|---|---|
//! | `u` | `user-agent` | place |
//! | `a` | `accept` | place; presence where there is a client hint |
//! | `e` | `accept-encoding` | place |
//! | `l` | `accept-language` | place |
//! | `c` | `accept-charset` | place |
//! | `s`, `m`, `d` | `sec-fetch-site`, `-mode`, `-dest` | place |
//! | `f` | `from` | place |
//! | `g` | `grpc-accept-encoding` | place |
//! | `b`, `o`, `p` | `sec-ch-ua`, `-mobile`, `-platform` (client hints) | presence |
//!
//! Names are compared without regard to case; values never count; of a repeated name the first counts. Chromium moves the
//! client hints, and an `accept` that a script sets, about its other headers from one kind of request to another: therefore
//! only their presence counts.
//!
//! What does **not** count, and why:
//! - of the connection, not of the client: pseudo-headers, `host`, `connection`, `keep-alive`, `upgrade`, `te`, `priority`
//!   (they differ between HTTP/1.1 and HTTP/2, and Envoy orders pseudo-headers itself);
//! - of the single request: `content-*`, `authorization`, `cookie`, `origin`, `referer`, `range`, `if-*`, `cache-control`,
//!   `pragma`, `x-requested-with`, `upgrade-insecure-requests` and `sec-fetch-user` (navigations only), `sec-purpose`;
//! - of the user: `dnt`, `sec-gpc`, `save-data`; of the site's asking: all further client hints;
//! - of proxies and Envoy: `forwarded`, `via`, `x-forwarded-*`, `x-envoy-*`, `x-request-id`, `x-b3-*`, `traceparent`.
//!
//! A browser sends `sec-fetch-*` and client hints only where the connection is secure: it has another fingerprint over plain
//! HTTP.
//!
//! # The text form
//! ```text
//! h1_usmdel_abop
//! │  │      └ headers of which only the presence counts, in the order `abop`; `-` if there are none
//! │  └ headers whose place counts, in the order received; `-` if there are none
//! └ this scheme and its version
//! ```
//! The text says all that the fingerprint knows, so [`Fingerprint::parse`] gives back the same. Chromium 98 to 116 is
//! `h1_usmdel_abop`, Firefox 91 to 117 `h1_ualedms_-`, Safari 15 `h1_uale_-`, curl `h1_ua_-`.
//!
//! # JA4
//! A JA4 fingerprint is of the TLS handshake: ciphers, extensions, signature algorithms, ALPN. It tells apart what sends the same
//! headers (a library that copies a browser's) and what this one cannot see (clients of few headers). Envoy's TLS inspector works
//! it out, where it is told to (`enable_ja4_fingerprinting`); the gate is handed the text as a fact of the connection and
//! compares it as text. Nothing of it is computed here.

#[cfg(test)]
mod tests;

use std::fmt;

use crate::head::Head;

/// The headers that count: name, letter, and whether their place does.
const COUNTED: [(&[u8], u8, Counts); 13] = [
    (b"user-agent", b'u', Counts::Place),
    (b"accept", b'a', Counts::PlaceWithoutHints),
    (b"accept-encoding", b'e', Counts::Place),
    (b"accept-language", b'l', Counts::Place),
    (b"accept-charset", b'c', Counts::Place),
    (b"sec-fetch-site", b's', Counts::Place),
    (b"sec-fetch-mode", b'm', Counts::Place),
    (b"sec-fetch-dest", b'd', Counts::Place),
    (b"from", b'f', Counts::Place),
    (b"grpc-accept-encoding", b'g', Counts::Place),
    (b"sec-ch-ua", b'b', Counts::Presence),
    (b"sec-ch-ua-mobile", b'o', Counts::Presence),
    (b"sec-ch-ua-platform", b'p', Counts::Presence),
];

/// What of a header counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counts {
    Place,
    PlaceWithoutHints,
    Presence,
}

/// How many headers' places can count at once.
const PLACES: usize = 10;

/// The letters of presence, in the order of the text form. The first is no client hint.
const PRESENCE: [u8; 4] = *b"abop";

/// The scheme and its version, as the text form begins.
const SCHEME: &str = "h1_";

/// Order and presence of a client's own headers. The [module](self) says which count and what the text form is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Fingerprint {
    /// Letters in the order received, zeros behind.
    order: [u8; PLACES],
    /// Bit n: `PRESENCE[n]` is there.
    presence: u8,
}

/// The fingerprint of a request's head. Goes through the headers once; no allocation.
#[must_use]
pub fn fingerprint(head: &Head<'_>) -> Fingerprint {
    let mut seen = Seen::default();
    for (name, _) in head.headers {
        let counted = place(name).and_then(|place| PLACED.get(place)).copied().flatten();
        if let Some((counted, letter, counts)) = counted
            && (*name == counted || name.eq_ignore_ascii_case(counted))
        {
            seen.note(letter, counts);
        }
    }
    seen.fingerprint
}

/// The headers that count, each at its [`place`].
#[expect(clippy::indexing_slicing, reason = "while compiling: a place that is out of bounds does not compile")]
const PLACED: [Option<(&[u8], u8, Counts)>; 64] = {
    let mut placed = [None; 64];
    let mut rest: &[(&[u8], u8, Counts)] = &COUNTED;
    while let Some((counted, others)) = rest.split_first() {
        if let Some(place) = place(counted.0) {
            assert!(placed[place].is_none(), "two names at one place: find another rule for places");
            placed[place] = Some(*counted);
        }
        rest = others;
    }
    placed
};

/// Where a name of this length and third last letter stands: no two that count have both alike, and of all other names nearly
/// none is ever compared.
const fn place(name: &[u8]) -> Option<usize> {
    match name {
        [.., letter, _, _] if name.len() < 32 => Some((name.len() + (*letter as usize & 31) * 2) % 64),
        _ => None,
    }
}

/// The text of a fingerprint, where it stands; allocates nothing.
#[derive(Debug, Clone, Copy)]
pub struct Text {
    bytes: [u8; 64],
    length: usize,
}

impl Text {
    /// Its bytes, ASCII.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl Text {
    /// Letters, or a dash where there are none.
    fn letters(&mut self, letters: impl Iterator<Item = u8>) {
        let before = self.length;
        self.add(letters);
        if self.length == before {
            self.add([b'-']);
        }
    }

    /// The longest text there is fits (a test holds it).
    fn add(&mut self, bytes: impl IntoIterator<Item = u8>) {
        for (to, byte) in self.bytes.iter_mut().skip(self.length).zip(bytes) {
            *to = byte;
            self.length += 1;
        }
    }
}

/// Whether a header of this name counts, in either way. Without regard to case.
#[must_use]
pub fn counts(name: &[u8]) -> bool {
    COUNTED.iter().any(|(counted, ..)| counted.eq_ignore_ascii_case(name))
}

impl Fingerprint {
    /// The same as [`Display`](fmt::Display), on the stack.
    #[must_use]
    pub fn text(self) -> Text {
        let mut text = Text { bytes: [0; 64], length: 0 };
        let order = self.order.iter().copied().take_while(|letter| *letter != 0);
        let presence = PRESENCE.iter().enumerate().filter(|(bit, _)| self.presence & 1 << bit != 0);
        text.add(SCHEME.bytes());
        text.letters(order);
        text.add([b'_']);
        text.letters(presence.map(|(_, letter)| *letter));
        text
    }

    /// A 64-bit key for tables and sketches, the same everywhere and always. Different fingerprints have different keys: it
    /// packs the fingerprint, which takes less than 64 bits, and stirs by steps that can be undone (the finalizer of
    /// SplitMix64: Steele, Lea and Flood, 2014).
    #[must_use]
    pub fn key(&self) -> u64 {
        let places = self.order.iter().fold(0_u64, |packed, letter| {
            packed << 4
                | COUNTED.iter().position(|(_, counted, _)| counted == letter).map_or(0, |place| place as u64 + 1)
        });
        let packed = places << 4 | u64::from(self.presence);
        let stirred = (packed ^ packed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let stirred = (stirred ^ stirred >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        stirred ^ stirred >> 31
    }

    /// The fingerprint whose text form is `text`; `None` for anything that [`Display`](fmt::Display) would not write.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (order, presence) = text.strip_prefix(SCHEME)?.split_once('_')?;
        let mut seen = Seen::default();
        // Presence first: whether the place of `accept` counts depends on it.
        for letter in presence.bytes().chain(order.bytes()).filter(|letter| *letter != b'-') {
            let (_, letter, counts) = COUNTED.iter().find(|(_, counted, _)| *counted == letter)?;
            let counts = if presence.as_bytes().contains(letter) { Counts::Presence } else { *counts };
            seen.note(*letter, counts);
        }
        let only_accept = seen.fingerprint.presence == 1;
        Some(seen.fingerprint).filter(|parsed| !only_accept && parsed.to_string() == text)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::str::from_utf8(self.text().as_bytes()).unwrap_or_default())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A fingerprint while its headers come in. Invariant: no letter twice; `a` stands in the order only without client hints.
#[derive(Debug, Default)]
struct Seen {
    fingerprint: Fingerprint,
    length: usize,
}

impl Seen {
    fn note(&mut self, letter: u8, counts: Counts) {
        let present = &mut self.fingerprint.presence;
        let bit = PRESENCE.iter().position(|presence| *presence == letter).map_or(0, |bit| 1_u8 << bit);
        match counts {
            Counts::Presence => {
                *present |= bit;
                self.demote_accept();
            }
            Counts::PlaceWithoutHints if *present != 0 => *present |= bit,
            Counts::Place | Counts::PlaceWithoutHints => self.append(letter),
        }
    }

    fn append(&mut self, letter: u8) {
        if self.fingerprint.order.contains(&letter) {
            return;
        }
        if let Some(place) = self.fingerprint.order.get_mut(self.length) {
            *place = letter;
            self.length += 1;
        }
    }

    /// With the first client hint, the place of an `accept` that came before ceases to count.
    fn demote_accept(&mut self) {
        let order = &mut self.fingerprint.order;
        if let Some(place) = order.iter().position(|letter| *letter == b'a') {
            if let Some(from_here) = order.get_mut(place..) {
                from_here.rotate_left(1);
            }
            if let Some(last) = order.last_mut() {
                *last = 0;
            }
            self.length -= 1;
            self.fingerprint.presence |= 1;
        }
    }
}
