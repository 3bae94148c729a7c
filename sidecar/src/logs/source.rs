//! Where a log comes from: file or standard input, plain or gzip, and whether it is an archive or lines.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

use super::Meter;

/// Bytes looked at to tell what a log is.
const LOOK: u64 = 4096;
const BUFFER: usize = 128 << 10;
const GZIP: [u8; 2] = [0x1f, 0x8b];
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

type Bytes = BufReader<Box<dyn Read + Send>>;

/// An opened log.
pub(super) enum Source {
    /// An HTTP archive.
    Archive(Bytes),
    /// Anything else.
    Lines(Bytes),
}

/// Opens a log (`-`: standard input); what is read of it is counted.
pub(super) fn open(name: &str, meter: &Arc<Meter>) -> io::Result<Box<dyn Read + Send>> {
    let plain: Box<dyn Read + Send> = if name == "-" { Box::new(io::stdin()) } else { Box::new(File::open(name)?) };
    Ok(Box::new(Metered { reader: plain, meter: Arc::clone(meter) }))
}

impl Source {
    /// Looks at the beginning of a log.
    pub(super) fn of(plain: Box<dyn Read + Send>) -> io::Result<Self> {
        let (look, rest) = peek(plain)?;
        if !look.starts_with(&GZIP) {
            return Ok(Self::told_apart(look, rest));
        }
        // Compressed in several members too, as `cat a.gz b.gz` makes them.
        let (look, rest) = peek(Box::new(MultiGzDecoder::new(BufReader::with_capacity(BUFFER, joined(look, rest)))))?;
        Ok(Self::told_apart(look, rest))
    }

    fn told_apart(mut look: Vec<u8>, rest: Box<dyn Read + Send>) -> Self {
        if look.starts_with(BYTE_ORDER_MARK) {
            look.drain(..BYTE_ORDER_MARK.len());
        }
        let archive = is_archive(&look);
        let bytes = BufReader::with_capacity(BUFFER, joined(look, rest));
        if archive { Self::Archive(bytes) } else { Self::Lines(bytes) }
    }
}

/// The first bytes, and what follows them.
fn peek(mut reader: Box<dyn Read + Send>) -> io::Result<(Vec<u8>, Box<dyn Read + Send>)> {
    let mut look = Vec::new();
    reader.by_ref().take(LOOK).read_to_end(&mut look)?;
    Ok((look, reader))
}

fn joined(look: Vec<u8>, rest: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
    Box::new(Cursor::new(look).chain(rest))
}

/// `{ "log": {`, however it is spaced: the beginning of every HTTP archive (HAR 1.2), and of no line of a log.
fn is_archive(look: &[u8]) -> bool {
    let mut rest = look;
    [&b"{"[..], b"\"log\"", b":", b"{"].iter().all(|part| match rest.trim_ascii_start().strip_prefix(*part) {
        Some(after) => {
            rest = after;
            true
        }
        None => false,
    })
}

/// Counts what is read, before it is uncompressed.
struct Metered<R> {
    reader: R,
    meter: Arc<Meter>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(into)?;
        self.meter.add(read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_told_by_its_beginning() {
        assert!(is_archive(b" {\n  \"log\" : {\"version\""));
        for other in [&b"{\"log\": \"text\"}"[..], b"{\"time\":1}", b"", b"{", b"1.2.3.4 - -"] {
            assert!(!is_archive(other));
        }
    }

    #[test]
    fn standard_gzip_is_undone_in_all_its_members() {
        use flate2::{Compression, write::GzEncoder};
        use std::io::Write;
        let member = |text: &[u8]| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        };
        let both = [member(b"one\n"), member(b"two\n")].concat();
        let Source::Lines(mut lines) = Source::of(Box::new(Cursor::new(both))).unwrap() else { panic!("lines") };
        let mut text = String::new();
        lines.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one\ntwo\n");
    }
}
