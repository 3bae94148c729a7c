//! Texts that come again and again, and were found plain: to compare one costs a tenth of searching it.

use core::cell::RefCell;
use core::fmt;

use super::is_plain;

/// How many texts are remembered at most: the names and values of a few dozen kinds of browsers.
const PLACES: usize = 256;

/// Longest text that is remembered, bytes.
const MAX_TEXT_BYTES: usize = 256;

/// Remembers texts that [`is_plain`] held for: what a worker is asked most are the same few header values of browsers.
///
/// It takes 64 KiB and its own overhead at most. Each text has one place, which the next one of that place takes over; who makes
/// texts that share a place costs us the search that there would be without it. An answer never depends on what is remembered,
/// since a text is compared whole.
#[derive(Clone)]
pub struct UsualTexts {
    places: RefCell<Box<[Vec<u8>]>>,
}

impl Default for UsualTexts {
    fn default() -> Self {
        Self { places: RefCell::new(vec![Vec::new(); PLACES].into()) }
    }
}

impl fmt::Debug for UsualTexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UsualTexts(hidden)")
    }
}

impl UsualTexts {
    /// [`is_plain`], remembered.
    #[must_use]
    pub fn is_plain(&self, text: &[u8]) -> bool {
        let place = place(text).filter(|_| text.len() <= MAX_TEXT_BYTES);
        let mut places = self.places.try_borrow_mut().ok();
        let Some(kept) = place.and_then(|place| places.as_mut()?.get_mut(place)) else { return is_plain(text) };
        if **kept == *text {
            return true;
        }
        let plain = is_plain(text);
        if plain {
            kept.clear();
            kept.extend_from_slice(text);
        }
        plain
    }
}

/// Where a text is remembered; `None`: it is so short that it is searched as fast.
fn place(text: &[u8]) -> Option<usize> {
    // FxHash over words, the last of which may overlap the one before; the highest bits depend on all.
    const FACTOR: u64 = 0x517c_c1b7_2722_0a95;
    let mix = |hash: u64, word: [u8; 8]| (hash.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(FACTOR);
    let last = *text.last_chunk()?;
    let hash = text.as_chunks().0.iter().fold(text.len() as u64, |hash, word| mix(hash, *word));
    Some((mix(hash, last) >> 56) as usize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn remembered(texts: &UsualTexts) -> Vec<Vec<u8>> {
        texts.places.borrow().iter().filter(|text| !text.is_empty()).cloned().collect()
    }

    #[test]
    fn a_plain_text_is_remembered_and_a_sensitive_one_is_not() {
        let texts = UsualTexts::default();
        for _ in 0..2 {
            assert!(texts.is_plain(b"Mozilla/5.0 (X11; Linux x86_64)"));
            assert!(!texts.is_plain(b"mail alice@example.org"));
            assert!(!texts.is_plain("caf\u{e9} au lait".as_bytes()));
            assert!(!texts.is_plain(b"100%25 of it"));
        }
        assert_eq!(remembered(&texts), [b"Mozilla/5.0 (X11; Linux x86_64)"]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let texts = UsualTexts::default();
        for n in 0..100_000 {
            assert!(texts.is_plain(format!("agent number {n}").as_bytes()));
        }
        assert!(texts.is_plain(&b"word ".repeat(60)));
        let all = remembered(&texts);
        assert_eq!(all.len(), PLACES, "every place is used, once");
        assert!(all.iter().all(|text| text.len() <= MAX_TEXT_BYTES));
        assert_eq!(format!("{texts:?}"), "UsualTexts(hidden)");
    }

    #[test]
    fn texts_that_share_a_place_are_told_apart() {
        let texts = UsualTexts::default();
        let plain = b"plain text of a browser".to_vec();
        let mails = (0..100_000).map(|n| format!("alice{n}@example.org").into_bytes());
        let mails: Vec<_> = mails.filter(|mail| place(mail) == place(&plain)).collect();
        assert!(mails.len() > 100, "{}", mails.len());
        for mail in &mails {
            assert!(texts.is_plain(&plain) && !texts.is_plain(mail));
        }
    }

    proptest! {
        #[test]
        fn an_answer_does_not_depend_on_what_is_remembered(
            asked in prop::collection::vec("[ -~]{0,12}(@x\\.org|4111111111111111|%41|é| and more)?", 1..50)
        ) {
            let texts = UsualTexts::default();
            for text in asked.iter().chain(&asked) {
                prop_assert_eq!(texts.is_plain(text.as_bytes()), is_plain(text.as_bytes()));
            }
        }
    }
}
