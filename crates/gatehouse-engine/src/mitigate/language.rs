//! In which language the client reads (`accept-language`; lookup of RFC 4647, 3.4): the range of the highest weight for which there
//! is a text, each range shortened from its end until there is one; English for everybody else.

use gatehouse_signals::Head;

use super::weighted::weighted;
use super::words::{ENGLISH, LANGUAGES, Words};

/// The longest range that is looked at; the longest sensible one has 35 bytes (RFC 5646, 4.4.1).
const MAX_RANGE: usize = 64;

/// Our words in the client's language.
pub(super) fn words(head: Head<'_>) -> &'static Words {
    let mut best = (0, &ENGLISH);
    for (range, weight) in weighted(head, b"accept-language") {
        if weight > best.0
            && let Some(words) = lookup(range)
        {
            best = (weight, words);
        }
    }
    best.1
}

fn lookup(range: &[u8]) -> Option<&'static Words> {
    let mut rest = range.get(..range.len().min(MAX_RANGE))?;
    loop {
        if let Some(words) = LANGUAGES.iter().find(|words| words.has_tag(rest)) {
            return Some(words);
        }
        rest = rest.get(..rest.iter().rposition(|byte| *byte == b'-')?)?;
        // A single letter begins an extension and means nothing by itself.
        if let [shorter @ .., b'-', _] = rest {
            rest = shorter;
        }
    }
}
