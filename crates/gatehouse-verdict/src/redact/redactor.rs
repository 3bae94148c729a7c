//! What replaces what in the records of one gate.

use core::ops::Range;
use std::net::IpAddr;

use super::decoded::{Decoded, MAX_DECODES, innermost};
use super::printable::Bounded;
use super::{AddressForm, KeyedHash, MAX_NAME_BYTES, MAX_PATH_BYTES, MAX_VALUE_BYTES, Shown, Written};

/// How far beyond its longest form a text is still searched, bytes: a value that the cut divides is found whole.
const LOOKAHEAD_BYTES: usize = 2048;

/// Knows sensitive values when it sees them.
pub trait Classify {
    /// Tells `found` every sensitive value in `text`, as it stands: where, and the name of its class.
    fn find(&self, text: &[u8], found: &mut dyn FnMut(Range<usize>, &'static str));

    /// `text` is printable ASCII without a percent sign, and nothing sensitive stands in it.
    fn is_plain(&self, text: &[u8]) -> bool;

    /// The same of a text that comes again and again: what was found may be remembered.
    fn is_usual(&self, text: &[u8]) -> bool {
        self.is_plain(text)
    }

    /// The class of a whole value, which may be percent-encoded more than once; `None`: not sensitive.
    fn classify_segment(&self, value: &[u8]) -> Option<&'static str>;
}

/// Makes text fit to leave the gate. Every method is total and bounded.
#[derive(Debug, Clone)]
pub struct Redactor<C> {
    hash: KeyedHash,
    key_id: u32,
    address_form: AddressForm,
    classify: C,
}

/// A sensitive value: where it stands in the text as received, and its class.
type Found = (Range<usize>, &'static str);

impl<C: Classify> Redactor<C> {
    /// `key` is the installation's, `key_id` its number (0: the gate's own).
    #[must_use]
    pub fn new(key: &[u8; 16], key_id: u32, address_form: AddressForm, classify: C) -> Self {
        Self { hash: KeyedHash::new(key), key_id, address_form, classify }
    }

    /// Number of the key.
    #[must_use]
    pub fn key_id(&self) -> u32 {
        self.key_id
    }

    /// The hash under the key.
    #[must_use]
    pub fn hash(&self) -> &KeyedHash {
        &self.hash
    }

    /// Free text in at most `most` bytes: every sensitive value in it, percent-encoded ones too, becomes `{class:hash}`; the
    /// rest is made printable. Nearly every text is shown as it stands, and then nothing is copied.
    #[must_use]
    pub fn bounded_text<'a>(&self, raw: &'a [u8], most: usize) -> Shown<'a> {
        if raw.len() <= most && self.classify.is_plain(raw) {
            return Shown::plain(raw);
        }
        Shown::made(self.searched(raw, most))
    }

    /// [`Redactor::bounded_text`] of what comes again and again, as browsers send it: in the same words, and cheaper.
    #[must_use]
    pub fn usual_text<'a>(&self, raw: &'a [u8], most: usize) -> Shown<'a> {
        if raw.len() <= most && self.classify.is_usual(raw) {
            return Shown::plain(raw);
        }
        Shown::made(self.searched(raw, most))
    }

    /// The text with what is found in it replaced.
    fn searched(&self, raw: &[u8], most: usize) -> String {
        let raw = raw.get(..most.saturating_add(LOOKAHEAD_BYTES)).unwrap_or(raw);
        let mut out = Bounded::new(most, raw.len());
        let mut at = 0;
        for (range, class) in self.finds(raw) {
            out.push_raw(raw.get(at..range.start).unwrap_or_default());
            let value = raw.get(range.clone()).unwrap_or_default();
            out.push(&format!("{{{class}:{}}}", self.hash.short(&innermost(value))));
            at = range.end;
            if out.is_full() {
                break;
            }
        }
        out.push_raw(raw.get(at..).unwrap_or_default());
        out.finish()
    }

    /// A header value or user agent: [`Redactor::bounded_text`] in [`MAX_VALUE_BYTES`].
    #[must_use]
    pub fn text<'a>(&self, raw: &'a [u8]) -> Shown<'a> {
        self.bounded_text(raw, MAX_VALUE_BYTES)
    }

    /// A path: [`Redactor::bounded_text`] in [`MAX_PATH_BYTES`].
    #[must_use]
    pub fn path<'a>(&self, raw: &'a [u8]) -> Shown<'a> {
        self.bounded_text(raw, MAX_PATH_BYTES)
    }

    /// A name: [`Redactor::bounded_text`] in [`MAX_NAME_BYTES`].
    #[must_use]
    pub fn name<'a>(&self, raw: &'a [u8]) -> Shown<'a> {
        self.bounded_text(raw, MAX_NAME_BYTES)
    }

    /// A value of which nothing is shown: `{class:hash}`, the class being `value` where it is of none. At most 64 bytes.
    #[must_use]
    pub fn hashed(&self, value: &[u8]) -> String {
        let class = self.classify.classify_segment(value).unwrap_or("value");
        ["{", class, ":", &self.hash.short(&innermost(value)), "}"].concat()
    }

    /// The form of addresses.
    #[must_use]
    pub fn address_form(&self) -> AddressForm {
        self.address_form
    }

    /// The class of a value that itself is not kept; empty: none.
    #[must_use]
    pub fn class(&self, value: &[u8]) -> &'static str {
        self.classify.classify_segment(value).unwrap_or_default()
    }

    /// An address in the installation's form: `192.0.2.7`, `192.0.2.0/24`, or 32 hexadecimal digits.
    #[must_use]
    pub fn address(&self, address: IpAddr) -> Written {
        match (self.address_form, address.to_canonical()) {
            (AddressForm::Full, address) => Written::of(address),
            (AddressForm::Hash, address) => {
                Written::digits(self.hash.digits("address", Written::of(address).as_bytes()))
            }
            (AddressForm::Prefix, IpAddr::V4(v4)) => Written::network((u32::from(v4) & !0xFF).to_be_bytes().into(), 24),
            (AddressForm::Prefix, IpAddr::V6(v6)) => {
                Written::network((u128::from(v6) & (u128::MAX << 80)).to_be_bytes().into(), 48)
            }
        }
    }

    /// Sensitive values of `raw` at every depth of encoding, in order and disjoint.
    fn finds(&self, raw: &[u8]) -> Vec<Found> {
        let mut found: Vec<Found> = Vec::new();
        self.classify.find(raw, &mut |range, class| found.push((range, class)));
        let mut layer = Decoded::of(raw);
        for _ in 0..MAX_DECODES {
            let Some(decoded) = layer else { break };
            self.classify.find(&decoded.bytes, &mut |range, class| {
                found.push((decoded.place(range.start)..decoded.place(range.end), class));
            });
            layer = decoded.again();
        }
        found.sort_by_key(|(range, _)| range.start);
        found.dedup_by(|(next, _), (kept, _)| {
            let joined = next.start < kept.end;
            if joined {
                kept.end = kept.end.max(next.end);
            }
            joined
        });
        found
    }
}
