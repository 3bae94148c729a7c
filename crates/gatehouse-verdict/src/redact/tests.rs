use core::ops::Range;
use std::net::IpAddr;

use super::*;

/// Finds one fixed word: what is sensitive is not this crate's knowledge.
struct Word;

impl Classify for Word {
    fn find(&self, text: &[u8], found: &mut dyn FnMut(Range<usize>, &'static str)) {
        const WORD: &[u8] = b"se/cret";
        let mut at = 0;
        while let Some(place) = text[at..].windows(WORD.len()).position(|window| window == WORD) {
            found(at + place..at + place + WORD.len(), "word");
            at += place + WORD.len();
        }
    }

    fn is_plain(&self, text: &[u8]) -> bool {
        let mut plain = text.iter().all(|byte| (0x20..0x7F).contains(byte) && *byte != b'%');
        self.find(text, &mut |_, _| plain = false);
        plain
    }

    fn classify_segment(&self, value: &[u8]) -> Option<&'static str> {
        (value == b"se/cret").then_some("word")
    }
}

fn redactor(form: AddressForm) -> Redactor<Word> {
    Redactor::new(&[7; 16], 3, form, Word)
}

#[test]
fn a_secret_has_one_hash_however_often_it_is_encoded() {
    let redactor = redactor(AddressForm::Full);
    let hash = redactor.hash().short(b"se/cret");
    for text in ["a se/cret b", "a se%2Fcret b", "a se%252fcret b", "a %73%65%25252f%63ret b"] {
        assert_eq!(redactor.text(text.as_bytes()), format!("a {{word:{hash}}} b"), "{text}");
    }
}

#[test]
fn what_cannot_be_shown_is_escaped() {
    let redactor = redactor(AddressForm::Full);
    assert_eq!(redactor.text(b"caf\xC3\xA9 \xFF\r\n\tx\x7F"), "café %FF%0D%0A%09x%7F");
    assert_eq!(redactor.text("a\u{202E}b\u{2028}".as_bytes()), "a%E2%80%AEb%E2%80%A8");
    assert_eq!(printable(b"100% of a b", 64), "100% of a b");
}

#[test]
fn long_text_is_cut_and_says_so() {
    let redactor = redactor(AddressForm::Full);
    let text = redactor.text(&[b'a'; 600]);
    let text = text.into_string();
    assert_eq!((text.len(), text.ends_with("a…")), (MAX_VALUE_BYTES, true));
    assert_eq!(redactor.text(&[b'a'; 512]), "a".repeat(512));
    assert!(redactor.path("é".repeat(2000).as_bytes()).as_bytes().len() <= MAX_PATH_BYTES);
    assert!(redactor.name(&[0xFF; 600]).as_bytes().len() <= MAX_NAME_BYTES);
}

#[test]
fn a_secret_that_the_cut_divides_does_not_show_its_beginning() {
    let redactor = redactor(AddressForm::Full);
    for before in 490..=520 {
        let raw = format!("{}se/cret and more", ".".repeat(before));
        let text = redactor.text(raw.as_bytes()).into_string();
        assert!(!text.contains("se"), "{before}: {text}");
        assert!(text.len() <= MAX_VALUE_BYTES);
    }
}

#[test]
fn addresses_take_the_form_of_the_installation() {
    let of = |form, text: &str| redactor(form).address(text.parse::<IpAddr>().unwrap()).shown().into_string();
    assert_eq!(of(AddressForm::Full, "::ffff:192.0.2.77"), "192.0.2.77");
    assert_eq!(of(AddressForm::Prefix, "192.0.2.77"), "192.0.2.0/24");
    assert_eq!(of(AddressForm::Prefix, "2001:db8:1:2::3"), "2001:db8:1::/48");
    let hash = of(AddressForm::Hash, "192.0.2.77");
    assert!(hash.len() == 32 && hash.bytes().all(|b| b.is_ascii_hexdigit()));
    assert_ne!(hash, of(AddressForm::Hash, "192.0.2.78"));
}

#[test]
fn an_address_is_written_as_the_standard_library_writes_it() {
    let octets = (0..=255u8).map(|octet| IpAddr::from([octet, 255 - octet, octet / 3, 7]));
    let others =
        ["::", "::1", "2001:db8:0:0:1::", "fe80:1111:2222:3333:4444:5555:6666:7777", "::ffff:1.2.3.4", "::1.2.3.4"];
    for address in octets.chain(others.map(|text| text.parse().unwrap())) {
        assert_eq!(Written::of(address).shown(), address.to_canonical().to_string());
    }
    let longest = Written::network(IpAddr::from([0xFF; 16]), 48).shown().into_string();
    assert_eq!(longest, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/48");
}

#[test]
fn every_byte_that_is_not_shown_is_seen_wherever_it_stands() {
    for (length, odd) in (1..20).flat_map(|length| (0..=255u8).map(move |odd| (length, odd))) {
        for at in 0..length {
            let mut text = vec![b'~'; length];
            text[at] = odd;
            text[(at + 1) % length] = if length > 1 { b' ' } else { odd };
            let plain = (0x20..0x7F).contains(&odd);
            assert_eq!(printable(&text, 20).as_bytes() == text, plain, "{odd:02x} at {at} of {length}");
        }
    }
}

#[test]
fn the_key_is_never_printed_and_changes_every_hash() {
    let one = KeyedHash::new(&[0xAB; 16]);
    assert_eq!(format!("{one:?}"), "KeyedHash(hidden)");
    assert!(!format!("{:?}", redactor(AddressForm::Full).hash()).contains('7'));
    assert_ne!(one.hex("client", b"x"), KeyedHash::new(&[0xAC; 16]).hex("client", b"x"));
    assert_ne!(one.hex("address", b"x"), one.hex("identity", b"x"));
    assert_eq!((one.hex("a", b"").len(), one.short(b"").len()), (32, 12));
}

#[test]
fn cutting_keeps_whole_characters() {
    let mut text = "ééé".to_owned();
    cut(&mut text, 5);
    assert_eq!(text, "é…");
    let mut short = "abc".to_owned();
    cut(&mut short, 3);
    assert_eq!(short, "abc");
}
