//! Lines as bytes, none longer than the limit: what lies beyond it is passed over without being kept.

use std::io::{self, BufRead};

use super::MAX_LINE;

/// One line after the other.
pub(super) struct Lines<R> {
    reader: R,
    line: Vec<u8>,
}

/// What came next.
pub(super) enum Line<'l> {
    /// A line without its end.
    Bytes(&'l [u8]),
    /// A line over the limit; it is passed over.
    TooLong,
    /// There is no more.
    End,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, line: Vec::new() }
    }

    pub(super) fn next(&mut self) -> io::Result<Line<'_>> {
        self.line.clear();
        let (mut read, mut too_long) = (false, false);
        loop {
            let chunk = match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                chunk => chunk?,
            };
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or(chunk);
            too_long |= self.line.len() + part.len() > MAX_LINE;
            if !too_long {
                self.line.extend_from_slice(part);
            }
            read |= !chunk.is_empty();
            let ended = end.is_some() || chunk.is_empty();
            let used = part.len() + usize::from(end.is_some());
            self.reader.consume(used);
            if ended {
                break;
            }
        }
        Ok(match (read, too_long) {
            (false, _) => Line::End,
            (true, true) => Line::TooLong,
            (true, false) => Line::Bytes(&self.line),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8], buffer: usize) -> Vec<Option<Vec<u8>>> {
        let mut lines = Lines::new(io::BufReader::with_capacity(buffer, text));
        let mut found = Vec::new();
        loop {
            match lines.next().unwrap() {
                Line::End => return found,
                Line::TooLong => found.push(None),
                Line::Bytes(line) => found.push(Some(line.to_vec())),
            }
        }
    }

    #[test]
    fn lines_end_where_they_end_whatever_the_buffer_holds() {
        for buffer in [1, 2, 3, 64] {
            let found = all(b"a\n\nlong line\nlast", buffer);
            assert_eq!(found, [&b"a"[..], b"", b"long line", b"last"].map(|line| Some(line.to_vec())));
        }
        assert!(all(b"", 8).is_empty());
    }

    #[test]
    fn a_line_over_the_limit_is_passed_over_and_the_next_is_whole() {
        let mut text = vec![b'x'; MAX_LINE + 1];
        text.extend_from_slice(b"\nnext\n");
        assert_eq!(all(&text, 4096), [None, Some(b"next".to_vec())]);
        text.remove(0);
        assert_eq!(all(&text, 4096).first().unwrap().as_ref().unwrap().len(), MAX_LINE);
    }
}
