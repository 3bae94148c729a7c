use std::time::Instant;

use proptest::prelude::*;

use super::*;

fn found(text: &str) -> Vec<(&str, &'static str)> {
    find(text.as_bytes()).map(|(range, class)| (text.get(range).unwrap(), class.as_str())).collect()
}

const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";

#[test]
fn each_class_is_found_in_the_middle_of_text() {
    for (value, class) in [
        (JWT, "jwt"),
        ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", "api_key"),
        ("AKIAIOSFODNN7EXAMPLE", "api_key"),
        ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "api_key"),
        ("xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy", "api_key"),
        ("AIzaSyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe", "api_key"),
        ("4111111111111111", "card"),
        ("4111 1111 1111 1111", "card"),
        ("5555-5555-5555-4444", "card"),
        ("378282246310005", "card"),
        ("6011000990139424", "card"),
        ("2223003122003222", "card"),
        ("dXNlcjpwYXNzd29yZA", "basic"),
        ("alice.b+x@mail.example.co.uk", "email"),
        ("+44 20 7946 0958", "phone"),
        ("+12025550123", "phone"),
        ("9f86d081884c7d659a2feaa0c55ad015", "token"),
        ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "token"),
        ("Xk9_vQ2mLp7-Rt4sWz8nBc3yHj6", "token"),
    ] {
        let text = format!("x {value}, y");
        assert_eq!(found(&text), [(value, class)], "{text}");
        let text = format!("\"{value}\"");
        assert_eq!(found(&text), [(value, class)], "{text}");
    }
}

#[test]
fn the_word_after_bearer_and_basic_is_the_secret_however_short() {
    assert_eq!(found("Authorization: Bearer abc, x"), [("abc", "bearer")]);
    assert_eq!(found("bEaReR+tok-1"), [("tok-1", "bearer")]);
    assert_eq!(found("basic YTpi;"), [("YTpi", "basic")]);
    assert_eq!(found(&format!("Bearer {JWT}")), [(JWT, "jwt")]);
    assert_eq!(found("bearer"), []);
    assert_eq!(found("basics of it"), []);
}

#[test]
fn the_user_information_of_a_uri_is_a_credential() {
    assert_eq!(found("see https://u:p@host.example/x?y"), [("u:p@host.example", "basic")]);
    assert_eq!(found("ftp://alice@host/x"), [("alice", "basic")]);
    assert_eq!(found("https://host/a:b@c"), []);
}

#[test]
fn ordinary_text_is_left_alone() {
    for text in [
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
        "Mozilla/5.0 (Linux; Android 13; SM-G991B Build/TP1A.220624.014) AppleWebKit/537.36 Mobile Safari/537.36",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
        "\"Chromium\";v=\"126\", \"Google Chrome\";v=\"126\", \"Not-A.Brand\";v=\"8\"",
        "/api/v1/getCustomerAccountDetailsListForUser",
        "/blog/2024/01/15/ten-things-to-know-about-version-2-of-it",
        "/orders/1718000000000/items/20240115103045",
        "/assets/main-1a2b3c4d.js",
        "/a1/b2/c3/D4/e5/f6/g7/h8/i9/j0",
        "/550e8400-e29b-41d4-a716-446655440000/x",
        "lodash@4.17.21",
        "@scope/name",
        "https://shop.example.com/a/b.html",
        "2024-01-15T10:30:00+02:00",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "sk-learn-contrib-package-name",
        "npm_config_registry_default",
        "192.168.100.200:8080",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
}

#[test]
fn a_uuid_is_no_token_and_hides_no_card() {
    assert_eq!(found("id 41111111-1111-4111-8111-111111111111."), []);
}

#[test]
fn a_card_is_found_behind_another_number() {
    assert_eq!(found("order 123 4111 1111 1111 1111"), [("4111 1111 1111 1111", "card")]);
    assert_eq!(found("4111111111111112"), []);
    assert_eq!(found("411111111111111111111"), []);
}

#[test]
fn encoded_values_are_classified_up_to_three_times_encoded() {
    assert_eq!(classify_segment(b"alice%40example.com"), Some(Class::Email));
    assert_eq!(classify_segment(b"alice%2540example.com"), Some(Class::Email));
    assert_eq!(classify_segment(b"alice%252540example.com"), Some(Class::Email));
    assert_eq!(classify_segment(b"Bearer%20x"), Some(Class::Bearer));
    assert_eq!(classify_segment(b"4111%201111%201111%201111"), Some(Class::Card));
    assert_eq!(classify_segment(b"plain%20text"), None);
    assert_eq!(classify_segment(b""), None);
}

#[test]
fn a_long_text_of_the_worst_is_searched_in_linear_time() {
    for unit in [
        "@",
        "a@",
        "://",
        "1 ",
        "1-",
        "+1",
        "eyJ.",
        "eyJaaaaaaaa.",
        "eyJaaaaaa-",
        "bearer ",
        "a/",
        "4111111111111111 ",
        "sk-",
        "x@y.zz ",
        "b",
    ] {
        let text = unit.repeat((1 << 18) / unit.len());
        let started = Instant::now();
        assert!(find(text.as_bytes()).count() <= text.len() / 4);
        // A quadratic pass over 256 KiB would take minutes; the bound only has to tell the two apart on a busy machine.
        assert!(started.elapsed().as_secs() < 20, "{unit}: {:?}", started.elapsed());
    }
}

/// Characters drawn by a fixed generator (SplitMix64), so that the share found is the same in every run.
fn draw(alphabet: &[u8], length: usize, state: &mut u64) -> String {
    let next = |state: &mut u64| {
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) >> 33).unwrap()
    };
    (0..length).map(|_| char::from(alphabet[next(state) % alphabet.len()])).collect()
}

#[test]
fn random_tokens_are_found() {
    let mut state = 7;
    for (alphabet, length, most_missed) in [
        (&b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[..], 32, 5),
        (b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 40, 10),
        (b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 24, 5),
        (b"0123456789abcdef", 32, 1),
        (b"abcdefghijklmnopqrstuvwxyz0123456789", 20, 150),
    ] {
        let missed =
            (0..10_000).filter(|_| found(&format!("x={}&", draw(alphabet, length, &mut state))).is_empty()).count();
        assert!(missed <= most_missed, "{missed} of 10000 missed, {length} of {}", alphabet.len());
    }
}

fn check_digit(digits: &str) -> char {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, b)| {
            let digit = u32::from(b - b'0');
            if place % 2 == 0 { digit * 2 / 10 + digit * 2 % 10 } else { digit }
        })
        .sum();
    char::from_digit((10 - sum % 10) % 10, 10).unwrap()
}

/// The pass without its table: everybody is asked at every byte where something may begin.
fn plainly(text: &[u8]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut tokens = credentials::Runs::new(text);
    let any = |range| runs::Run { range, mixes: true, has_parts: true };
    let (mut next_credential, mut next_number, mut run) = (0, 0, 0);
    let alike = |at: usize, kind: fn(&u8) -> bool| at.checked_sub(1).and_then(|at| text.get(at)).is_some_and(kind);
    for (at, byte) in text.iter().enumerate().filter(|_| text.len() >= 6) {
        if !byte.is_ascii_alphanumeric() && !b"+/-_".contains(byte) {
            if at - run >= 8 {
                runs::judge(text, any(run..at), &mut found);
            }
            run = at + 1;
        }
        let begins = byte.is_ascii_alphabetic() && !alike(at, u8::is_ascii_alphanumeric);
        if (begins || b"@:".contains(byte)) && at >= next_credential {
            next_credential = credentials::at(&mut tokens, at, &mut found);
        }
        let counts = (byte.is_ascii_digit() && !alike(at, u8::is_ascii_digit))
            || (*byte == b'+' && !alike(at, u8::is_ascii_alphanumeric));
        if counts && at >= next_number {
            next_number = digits::at(text, at, &mut found);
        }
    }
    if text.len() - run >= 8 {
        runs::judge(text, any(run..text.len()), &mut found);
    }
    found
}

/// Text of what values are made of.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        &b"bearer "[..],
        b"Basic ",
        b"eyJ",
        b"eyJhbGci.",
        b"4111 1111 1111 1111",
        b"4111-1111",
        b"a@b.example",
        b"%40",
        b"%",
        b"\xc3\xa9",
        b"\xff",
        b"\x01",
        b"/",
        b"?",
        b"=",
        b";",
        b"+49 30 1234567",
        b"+1",
        b"abcdefgh",
        b"Xk9_vQ2mLp7",
        b" ",
        b"-",
        b".",
        b"://",
        b"x",
    ];
    let prefixes = credentials::PREFIXES.map(|(prefix, _)| prefix);
    let piece = prop_oneof![
        prop::sample::select([&words[..], &prefixes[..]].concat()).prop_map(<[u8]>::to_vec),
        prop::collection::vec(any::<u8>(), 0..4),
        "[a-zA-Z0-9+/_-]{1,40}".prop_map(String::into_bytes),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

#[test]
fn what_the_pass_skips_holds_nothing_in_any_seed_of_the_fuzzer() {
    let seeds = std::fs::read_dir("../../tests/fuzz/corpus").unwrap().flat_map(|folder| {
        std::fs::read_dir(folder.unwrap().path()).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap())
    });
    let mut some = 0;
    for seed in seeds {
        for text in seed.split(|byte| *byte == b'\n').chain([&seed[..]]) {
            some += usize::from(!plainly(text).is_empty());
            assert_eq!(scan::scan(text).0, plainly(text), "{}", text.escape_ascii());
        }
    }
    assert!(some > 20, "{some}");
}

proptest! {
    #[test]
    fn what_the_pass_skips_holds_nothing(text in pieces()) {
        let (found, plain) = scan::scan(&text);
        prop_assert_eq!(&found, &plainly(&text));
        prop_assert_eq!(plain, text.iter().all(|byte| (0x20..0x7F).contains(byte) && *byte != b'%'));
        prop_assert_eq!(is_plain(&text), plain && found.is_empty());
    }

    #[test]
    fn every_card_number_is_found(body in "[3-6][0-9]{11,17}") {
        let card = format!("{body}{}", check_digit(&body));
        let text = format!("/pay/{card}/x");
        prop_assert_eq!(found(&text), [(card.as_str(), "card")]);
    }

    #[test]
    fn finds_lie_in_the_text_in_order_and_disjoint(text in "[a-zA-Z0-9@:/+. -]{0,200}") {
        let mut end = 0;
        for (range, _) in find(text.as_bytes()) {
            prop_assert!(range.start >= end && range.start < range.end && range.end <= text.len());
            end = range.end;
        }
    }

    #[test]
    fn searching_is_total(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = find(&text).count();
        let _ = classify_segment(&text);
    }
}
