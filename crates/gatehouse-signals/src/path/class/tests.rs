use std::hash::DefaultHasher;

use proptest::prelude::*;

use super::*;
use crate::path::Path;

fn text(path: &str) -> String {
    class(&Path::parse(path.as_bytes()).canonical).to_string()
}

fn hash(class: PathClass<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    class.hash(&mut hasher);
    hasher.finish()
}

#[test]
fn segments_that_are_one_of_many_share_a_class() {
    for (path, expected) in [
        ("/catalog/1", "/catalog/{n}"),
        ("/catalog/20480/reviews/7", "/catalog/{n}/reviews/{n}"),
        ("/at/52.52,13.40", "/at/{n}"),
        ("/offset/-3", "/offset/{n}"),
        ("/catalog/17.json", "/catalog/{n}.json"),
        ("/items/1,2,3", "/items/{n}"),
        ("/u/3f2504e0-4f89-41d3-9a0c-0305e82c3301", "/u/{uuid}"),
        ("/u/3F2504E0-4F89-41D3-9A0C-0305E82C3301.pdf", "/u/{uuid}.pdf"),
        ("/o/507f1f77bcf86cd799439011", "/o/{hex}"),
        ("/commit/deadbeef", "/commit/{hex}"),
        ("/tx/0x1f", "/tx/{hex}"),
        ("/o/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/o/{id}"),
        ("/o/01arz3ndektsv4rrffq69g5fav", "/o/{id}"),
        ("/v/dQw4w9WgXcQ", "/v/{id}"),
        ("/k/0ujtsYcgvSTl8PAuAdqWYSMnLOv", "/k/{id}"),
        ("/n/V1StGXR8_Z5jdHi6B-myT", "/n/{id}"),
        ("/customers/cus_9s6XKzkNRiz8i3", "/customers/{id}"),
        ("/orders/order-20177", "/orders/{id}"),
        ("/dp/B07XJ8C8F5", "/dp/{id}"),
        ("/s/x7k2p9", "/s/{id}"),
        ("/t/QWxhZGRpbjpvcGVuIHNlc2FtZQ", "/t/{id}"),
        ("/t/JBSWYDPEBLWKXYZABCDE", "/t/{id}"),
        ("/news/2024-05-31", "/news/{date}"),
        ("/news/2024-05/top", "/news/{date}/top"),
        ("/log/2024-05-31T10:30:00Z", "/log/{date}"),
        ("/log/2024-05-31T10%3A30%3A00%2B02%3A00", "/log/{date}"),
        ("/users/someone@example.com/cart", "/users/{email}/cart"),
        ("/users/some.one%40mail.example.com", "/users/{email}"),
        ("/static/app.8f3a2b1c9d.js", "/static/{id}.js"),
    ] {
        assert_eq!(text(path), expected, "{path}");
    }
}

#[test]
fn names_stay_names() {
    for path in [
        "/",
        "/catalog/shoes",
        "/api/v1/users/me",
        "/api/v12/x",
        "/apis/apps/v2beta10/deployments",
        "/oauth2/token",
        "/.well-known/openid-configuration",
        "/top-10",
        "/sha256",
        "/utf8mb4",
        "/iphone-15-pro",
        "/getUserAccountByIdentifier",
        "/favicon.ico",
        "/en-GB/help",
        "/caf%C3%A9/%D0%BA%D1%82%D0%BE",
        "/@me/settings",
        "/a.b.c",
        "/facade/decade",
        "/robots.txt",
        "/a.mp4",
        "*",
    ] {
        assert_eq!(text(path), path);
    }
}

#[test]
fn parameters_empty_segments_and_the_last_slash_are_left_out() {
    for path in ["/catalog/7", "/catalog/7/", "/catalog;v=1/7;jsessionid=AB12", "/catalog//7"] {
        assert_eq!(class(path.as_bytes()).to_string(), "/catalog/{n}", "{path}");
    }
    assert_eq!((class(b"").to_string(), class(b"//").to_string()), (String::new(), "/".to_owned()));
}

#[test]
fn a_class_is_bounded_in_segments_and_bytes() {
    let deep = format!("/a{}", "/b".repeat(40));
    assert_eq!(text(&deep), format!("/a{}/**", "/b".repeat(15)));
    assert_eq!(text(&format!("/a{}", "/b".repeat(15))), format!("/a{}", "/b".repeat(15)));
    let wide = format!("/{}", vec!["abcdefghij-".repeat(5); 10].join("/"));
    assert!(text(&wide).ends_with("/**") && text(&wide).len() <= MAX_CLASS_BYTES);
    assert_eq!(text(&format!("/x/{}", "long-slug-".repeat(30))), "/x/{id}");
}

#[test]
fn equal_classes_are_equal_and_hash_alike() {
    let (one, two, other) = (class(b"/catalog/1"), class(b"/catalog/22/"), class(b"/catalog/x"));
    assert_eq!((one, hash(one)), (two, hash(two)));
    assert_ne!((one, hash(one)), (other, hash(other)));
}

proptest! {
    #[test]
    fn the_class_is_total_bounded_and_canonical_paths_agree_with_it(raw in prop::collection::vec(any::<u8>(), 0..400)) {
        let path = Path::parse(&raw);
        for reading in path.all().chain([&raw[..]]) {
            let pieces: Vec<u8> = class(reading).pieces().flatten().copied().collect();
            prop_assert!(pieces.len() <= MAX_CLASS_BYTES, "{}", pieces.len());
            let slashes = pieces.iter().filter(|byte| **byte == b'/').count();
            prop_assert!(slashes <= MAX_CLASS_SEGMENTS + 1);
        }
        let class = class(&path.canonical);
        prop_assert_eq!(class.to_string().into_bytes(), class.pieces().collect::<Vec<_>>().concat());
    }

    #[test]
    fn classes_that_are_written_alike_are_equal(one in "(/(a|b|[0-9]{1,3}|[0-9a-f]{8})){1,3}/?", two in "(/(a|b|[0-9]{1,3}|[0-9a-f]{8})){1,3}/?") {
        let (one, two) = (class(one.as_bytes()), class(two.as_bytes()));
        prop_assert_eq!(one == two, one.to_string() == two.to_string());
        prop_assert!(one != two || hash(one) == hash(two));
    }
}
