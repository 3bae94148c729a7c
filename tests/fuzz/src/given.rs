//! Inputs that people can read and write: a request head as lines of `name: value`, so that seeds are text and a reproducer tells
//! its story. Lines whose name begins with `?` set the scene (`?peer: 192.0.2.1`) and are no part of the head.

use gatehouse_signals::{Connection, Head, Pair};

/// Stands for a line feed in a value, since lines end at the real one.
const LINE_FEED: u8 = 0x0B;

/// A head and its scene.
pub struct Given {
    scene: Vec<(Vec<u8>, Vec<u8>)>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The connection, by `?peer`, `?local`, `?uri`, `?tls` and `?sni`.
    pub connection: Connection,
}

impl Given {
    /// Reads any bytes. At most 64 lines, as Envoy takes about that many headers.
    pub fn read(bytes: &[u8]) -> Self {
        let (mut scene, mut headers) = (Vec::new(), Vec::new());
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).take(64) {
            // The colon of a pseudo-header does not end its name.
            let end = line.iter().skip(1).position(|byte| *byte == b':').map_or(line.len(), |at| at + 1);
            let value = line.get(end + 1..).unwrap_or_default();
            let value = value.strip_prefix(b" ").unwrap_or(value);
            let value = value.iter().map(|byte| if *byte == LINE_FEED { b'\n' } else { *byte }).collect();
            match line[..end].strip_prefix(b"?") {
                Some(name) => scene.push((name.to_vec(), value)),
                None => headers.push((line[..end].to_vec(), value)),
            }
        }
        let mut given = Self { scene, headers, connection: Connection::default() };
        given.connection = given.connection_of();
        given
    }

    fn connection_of(&self) -> Connection {
        Connection {
            peer: self.text("peer").and_then(|text| text.parse().ok()),
            peer_local: self.scene("local").is_some(),
            peer_uri: self.text("uri").map(str::to_owned),
            mutual_tls: self.scene("tls").map(|value| value == b"mutual"),
            sni: self.text("sni").map(str::to_owned),
            ..Connection::default()
        }
    }

    /// The first value of this line of the scene.
    pub fn scene(&self, name: &str) -> Option<&[u8]> {
        self.scene.iter().find(|(own, _)| own == name.as_bytes()).map(|(_, value)| value.as_slice())
    }

    /// Every value of this line of the scene.
    pub fn scenes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.scene.iter().filter(move |(own, _)| own == name.as_bytes()).map(|(_, value)| value.as_slice())
    }

    /// The same as text, if it is any.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.scene(name).and_then(|value| core::str::from_utf8(value).ok())
    }

    /// The header pairs.
    pub fn pairs(&self) -> Vec<Pair<'_>> {
        self.headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect()
    }

    /// The head over these pairs.
    pub fn head<'a>(&'a self, pairs: &'a [Pair<'a>]) -> Head<'a> {
        Head::new(pairs, &self.connection)
    }
}

/// Takes numbers off the front of the input; an exhausted one gives zeros, so every prefix of an input means something.
pub struct Dice<'a>(pub &'a [u8]);

impl Dice<'_> {
    /// One byte.
    pub fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().map_or((0, &[][..]), |(first, rest)| (*first, rest));
        self.0 = rest;
        first
    }

    /// A number below `limit` (at least 1).
    pub fn below(&mut self, limit: usize) -> usize {
        self.word() as usize % limit.max(1)
    }

    /// Two bytes, or four behind 0xFFFF: small numbers are frequent.
    pub fn word(&mut self) -> u32 {
        let short = u32::from(u16::from_le_bytes([self.byte(), self.byte()]));
        if short == 0xFFFF { u32::from_le_bytes(core::array::from_fn(|_| self.byte())) } else { short }
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::from(self.byte()) % from.len()]
    }

    /// Nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
