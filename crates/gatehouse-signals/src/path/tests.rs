mod envoy;

use std::time::Instant;

use proptest::prelude::*;

use super::*;

fn canonical(raw: &str) -> String {
    String::from_utf8(Path::parse(raw.as_bytes()).canonical.into_owned()).unwrap()
}

fn readings(raw: &str) -> Vec<String> {
    Path::parse(raw.as_bytes()).readings.into_iter().map(|r| String::from_utf8(r).unwrap()).collect()
}

fn ambiguity(raw: &str) -> Option<Ambiguity> {
    Path::parse(raw.as_bytes()).ambiguity
}

#[test]
fn a_plain_path_is_borrowed_and_has_one_reading() {
    for raw in [
        "/",
        "/catalog/items",
        "/a.b/~c/d-e_f",
        "/a/",
        "/caf%C3%A9",
        "/a%20b",
        "/@me/x:y,z=1",
        "/...",
        "/.well-known/x",
    ] {
        let path = Path::parse(raw.as_bytes());
        assert!(matches!(path.canonical, Cow::Borrowed(_)), "{raw}");
        assert_eq!((&*path.canonical, path.ambiguity, path.readings.len()), (raw.as_bytes(), None, 0), "{raw}");
    }
}

#[test]
fn another_spelling_of_the_same_path_is_not_ambiguous() {
    for (raw, expected) in [
        ("/%61dmin", "/admin"),
        ("/%7Euser/%2Dx", "/~user/-x"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/a b|c", "/a%20b%7Cc"),
        ("/caf\u{e9}", "/caf%C3%A9"),
        ("", "/"),
        ("*", "*"),
    ] {
        assert_eq!((canonical(raw).as_str(), ambiguity(raw)), (expected, None), "{raw}");
    }
}

#[test]
fn the_query_is_split_off_and_left_alone() {
    let path = Path::parse(b"/a/b?x=%2e%2e/../y?z");
    assert_eq!((&*path.canonical, path.query, path.ambiguity), (&b"/a/b"[..], Some(&b"x=%2e%2e/../y?z"[..]), None));
    assert_eq!(Path::parse(b"/a?").query, Some(&b""[..]));
    assert_eq!(Path::parse(b"/a").query, None);
}

#[test]
fn dot_segments_and_repeated_slashes_are_resolved() {
    for (raw, expected) in [
        ("/a/b/../c", "/a/c"),
        ("/a/b/./c", "/a/b/c"),
        ("/a/b/../../../../c", "/c"),
        ("/a/b/%2E%2e/c", "/a/c"),
        ("/a/.", "/a/"),
        ("/a/..", "/"),
        ("/a/b/..", "/a/"),
        ("/..", "/"),
        ("/a//b///c", "/a/b/c"),
        ("//a", "/a"),
        ("/a/b//", "/a/b/"),
        ("/a//../b", "/a/b"),
    ] {
        assert_eq!(canonical(raw), expected, "{raw}");
        assert!(matches!(ambiguity(raw), Some(Ambiguity::DotSegments | Ambiguity::EmptySegments)), "{raw}");
    }
    assert_eq!(readings("/a//../b"), ["/b", "/a//../b", "/a/../b"]);
    assert_eq!(readings("/public/../admin"), ["/public/../admin"]);
}

#[test]
fn encoded_dot_segments_are_kept_for_those_who_remove_the_plain_ones_before_they_decode() {
    assert_eq!(readings("/a/../b/%2e%2e/c"), ["/a/../b/../c", "/b/../c"]);
    assert_eq!(readings("/b//%2e/c"), ["/b//./c", "/b/./c"]);
    // Or leave them to the next one, who finds others before them.
    assert_eq!(readings("/a/b/%2e/../c"), ["/a/b/./../c", "/a/b/c"]);
}

#[test]
fn a_segment_of_parameters_alone_is_an_empty_one_to_those_who_drop_them_first() {
    assert!(readings("/a/;x/../%3b").contains(&"/%3B".to_owned()));
}

#[test]
fn every_disguise_of_admin_has_the_reading_admin() {
    for (raw, why) in [
        ("/public/..;/admin", Ambiguity::DotSegmentParameter),
        ("/public/..;x=1/admin", Ambiguity::DotSegmentParameter),
        ("/admin;x=1", Ambiguity::Parameters),
        ("/public%2f..%2fadmin", Ambiguity::EscapedSlash),
        ("/public/..%2fadmin", Ambiguity::EscapedSlash),
        ("/%2fadmin", Ambiguity::EscapedSlash),
        ("/public\\..\\admin", Ambiguity::Backslash),
        ("/public/..%5cadmin", Ambiguity::Backslash),
        ("/%2561dmin", Ambiguity::DoubleEncoding),
        ("/%25%36%31dmin", Ambiguity::DoubleEncoding),
        ("/%256%31dmin", Ambiguity::DoubleEncoding),
        ("/public/%252e%252e/admin", Ambiguity::DoubleEncoding),
        ("/public/%25252e%25252e/admin", Ambiguity::DoubleEncoding),
        ("/public/..%c0%afadmin", Ambiguity::Overlong),
        ("/public/%c0%ae%c0%ae/admin", Ambiguity::Overlong),
        ("/public/..%e0%80%afadmin", Ambiguity::Overlong),
        ("/public/%%32%65%%32%65/admin", Ambiguity::BadEscape),
        ("/public#/../admin", Ambiguity::Fragment),
        ("//admin", Ambiguity::EmptySegments),
        ("admin", Ambiguity::NotRooted),
        ("http://other.example/admin", Ambiguity::AbsoluteForm),
    ] {
        let path = Path::parse(raw.as_bytes());
        assert!(path.all().any(|reading| reading == b"/admin"), "{raw}: {:?}", readings(raw));
        assert_eq!(path.ambiguity, Some(why), "{raw}");
    }
    assert!(readings("/%40dmin").contains(&"/@dmin".to_owned()));
}

#[test]
fn control_bytes_are_ambiguous_raw_and_encoded() {
    for raw in ["/a%00b", "/a\rb", "/a%0d%0ab", "/a\x7f", "/a%7F"] {
        assert_eq!(ambiguity(raw), Some(Ambiguity::ControlByte), "{raw:?}");
    }
}

#[test]
fn letters_of_latin_one_are_not_taken_for_overlong_characters() {
    assert_eq!(Path::parse(b"/\xC1rea/caf\xE9").ambiguity, None);
    assert_eq!(ambiguity("/%C1rea/%E0%E1"), None);
}

#[test]
fn an_absolute_form_target_tells_its_authority() {
    let path = Path::parse(b"https://u@shop.example.com:8443?x=1");
    assert_eq!(path.authority, Some(&b"u@shop.example.com:8443"[..]));
    assert_eq!((&*path.canonical, path.query), (&b"/"[..], Some(&b"x=1"[..])));
    assert_eq!(Path::parse(b"/redirect/http://other.example/").authority, None);
}

#[test]
fn more_readings_than_are_kept_are_refused_by_default() {
    let path = Path::parse(b"/a;p/x//..;q/%252e%252e/%40y/../z#/../w//%2f..");
    assert_eq!(path.readings.len(), MAX_READINGS);
    assert!(path.ambiguity.is_some_and(Ambiguity::reject_by_default));
}

#[test]
fn the_table_of_ambiguities_is_whole_and_gravest_first() {
    assert!(Ambiguity::ALL.is_sorted());
    let names: std::collections::HashSet<_> = Ambiguity::ALL.iter().map(|a| a.as_str()).collect();
    assert_eq!(names.len(), Ambiguity::ALL.len());
    let rejected = Ambiguity::ALL.iter().take_while(|a| a.reject_by_default()).count();
    assert!(Ambiguity::ALL.iter().skip(rejected).all(|a| !a.reject_by_default()));
}

#[test]
fn a_literal_of_an_operator_is_what_a_request_for_it_becomes() {
    for written in ["/a b/c", "/caf\u{e9}", "/%61%2f", "/x|y", "/plain"] {
        assert_eq!(literal(written.as_bytes()), Path::parse(written.as_bytes()).canonical, "{written}");
    }
    assert_eq!(&*literal(b"what?"), b"what%3F");
}

#[test]
fn a_mebibyte_of_the_worst_is_read_in_linear_time() {
    for unit in ["/..", "/a/..", "//", "%25", "%2f..", ";", "\\", "/.;", "%", "#", "/../..;a%252f"] {
        let mut raw = b"/".to_vec();
        while raw.len() < 1 << 20 {
            raw.extend_from_slice(unit.as_bytes());
        }
        let started = Instant::now();
        let path = Path::parse(&raw);
        assert!(path.all().all(|reading| reading.len() <= raw.len() * 3));
        // A quadratic pass over a mebibyte would take minutes; the bound only has to tell the two apart on a busy machine.
        assert!(started.elapsed().as_secs() < 20, "{unit}: {:?}", started.elapsed());
    }
}

fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "/", "//", ".", "..", ";", "%2f", "%2F", "%5c", "\\", "%25", "%", "%2", "%2e", "%00", "?", "#", "a", "Z",
            "%41", "%40", "%c0%af", "http://", "*", " ", "é"
        ])
        .prop_map(|s| s.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn parsing_is_total_and_canonical_form_is_a_fixed_point(raw in hostile()) {
        let path = Path::parse(&raw);
        if &*path.canonical != b"*" {
            prop_assert!(path.canonical.starts_with(b"/"));
        }
        prop_assert!(path.canonical.iter().all(|b| (0x21..0x7F).contains(b) && !b"?#\\".contains(b)));
        prop_assert_eq!(&Path::parse(&path.canonical).canonical, &path.canonical);
        prop_assert!(path.readings.len() <= MAX_READINGS);
        prop_assert!(path.readings.iter().all(|r| r.starts_with(b"/") && r[..] != *path.canonical));
        prop_assert!(path.ambiguity.is_some() || path.readings.is_empty());
    }

    #[test]
    fn spelling_a_character_as_an_escape_changes_nothing(path in "(/[a-z0-9._~-]{1,6}){1,4}", at in any::<prop::sample::Index>()) {
        let at = at.index(path.len());
        let (before, rest) = path.split_at(at);
        prop_assume!(!rest.starts_with('/'));
        let (spelled, after) = rest.split_at(1);
        let spelled = format!("{before}%{:02x}{after}", spelled.as_bytes()[0]);
        let (plain, spelled) = (Path::parse(path.as_bytes()), Path::parse(spelled.as_bytes()));
        prop_assert_eq!(&plain.canonical, &spelled.canonical);
        prop_assert_eq!(plain.ambiguity, spelled.ambiguity);
    }
}

proptest! {
    #[test]
    fn the_short_way_says_what_the_long_way_says(
        raw in proptest::collection::vec(proptest::sample::select(b"/ab.;?#%2e\\*:@~\x00\xff".to_vec()), 0..16)
    ) {
        let mut target = vec![b'/'];
        target.extend(raw);
        if let Some((path, query)) = scan::plain(&target) {
            let split = scan::Target::split(&target);
            prop_assert!(split.is_plain() && scan::features(split.path).is_canonical());
            prop_assert_eq!((path, query), (split.path, split.query));
        }
    }
}
