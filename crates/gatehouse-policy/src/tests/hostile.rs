//! Hostile images are refused or safe to match against; none panics.

use proptest::prelude::*;

use super::*;
use crate::{Action, Candidates, Effect, PolicyError};

const GOOD: &str = include_str!("../../testdata/image/every-word.yaml");
const SEVERAL: &str = include_str!("../../testdata/good/several-documents.yaml");

/// Compiled once: what is tested is the loading.
static IMAGE: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
    compiled(&format!(
        "{GOOD}---\n{}",
        SEVERAL.replace("name: shop", "name: shop2").replace("hosts: shop.", "hosts: s2.")
    ))
    .unwrap_or_else(|problems| panic!("{problems}"))
    .image
});

fn image() -> Vec<u8> {
    IMAGE.clone()
}

/// Loads it and, if it loads, asks it everything that the gate would.
fn exercise(image: Vec<u8>) -> Result<usize, PolicyError> {
    let policy = Policy::load(image, 1)?;
    let connection = connection("192.0.2.1");
    let headers: [(&[u8], &[u8]); 3] = [(b"user-agent", b"curl/8 \xff"), (b"x-debug", b""), (b"x-plain", b"1")];
    let head = Head::new(&headers, &connection);
    let (mut held, mut candidates) = (0, Candidates::default());
    for (host, path) in
        [("shop.example.com", "/admin/x"), ("a.shop.example.com", "/v1/x.php"), ("", "*"), ("other.example", "/")]
    {
        let facts = facts(host, path.as_bytes(), "GET", head);
        let Some(scope) = policy.for_host(host.as_bytes()) else { continue };
        let _ = (scope.client_source(), scope.client_key(), scope.ambiguous(), scope.ambiguous_mode());
        let _ = (scope.otherwise().map(|(then, ..)| act(then)), scope.backend(), scope.support(), scope.name());
        let _ = (scope.identity_headers().map(|headers| headers.names.holds(b"x")), scope.require_mutual_tls());
        for phase in [Phase::Request, Phase::Response] {
            scope.candidates(&facts, phase, &mut candidates);
            held += candidates.iter().filter(|index| policy.rule(*index).holds(&facts) == Truth::True).count();
            for rule in scope.all_rules(phase) {
                let _ = (rule.id(), rule.rollout(), rule.unknown_fields(&facts), rule.reads());
                act(rule.then());
                act(rule.step_then(1));
            }
        }
    }
    let _ = (policy.rule_names().count(), policy.set_headers().count(), policy.sets_header(b"x-gatehouse-class"));
    Ok(held)
}

/// Reads everything that a `then` says.
fn act(then: crate::Then<'_>) {
    let effects = then.effects().map(|effect| match effect {
        Effect::RemoveResponseHeaders(names) => names.iter().map(str::len).sum(),
        Effect::SetResponseHeaders(pairs) => pairs.iter().map(|(name, _)| name.len()).sum(),
        Effect::Sanitize { headers, query } => headers.iter().count() + query.iter().count(),
        _ => 0usize,
    });
    let _ = effects.sum::<usize>();
    if let Some(Action::Block(refusal) | Action::Limit(refusal)) = then.decides() {
        let _ = (refusal.body(), refusal.headers().iter().count(), refusal.status());
    }
}

#[test]
fn the_image_of_every_word_loads_and_answers() {
    assert!(exercise(image()).expect("loads") > 0);
}

#[test]
fn every_truncation_is_refused() {
    let image = image();
    for length in 0..image.len() {
        assert!(exercise(image[..length].to_vec()).is_err(), "{length}");
    }
}

#[test]
fn a_flipped_bit_in_any_byte_is_refused_or_safe() {
    let image = image();
    for at in 0..image.len() {
        let mut flipped = image.clone();
        flipped[at] ^= 1 << (at % 8);
        let _ = exercise(flipped);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn overwritten_words_are_refused_or_safe(changes in proptest::collection::vec((0usize..4096, prop_oneof![0u32..64, any::<u32>()]), 1..6)) {
        let mut image = image();
        for (at, value) in changes {
            let at = 12 + at * 4 % (image.len() - 16);
            let at = at - at % 4;
            image[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        let _ = exercise(image);
    }

    #[test]
    fn whatever_compiles_loads(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..4)) {
        let mut words: Vec<&str> = GOOD.split_inclusive([' ', '\n']).collect();
        for (from, to) in changes {
            let (from, to) = (from.index(words.len()), to.index(words.len()));
            words[to] = words[from];
        }
        if let Ok(compiled) = compiled(&words.concat()) {
            prop_assert!(Policy::load(compiled.image, 1).is_ok());
        }
    }

    #[test]
    fn random_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(exercise(bytes).is_err());
    }

    #[test]
    fn random_bytes_behind_a_sound_header_are_refused_or_safe(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
        let mut image = image();
        let from = image.len().saturating_sub(bytes.len()).max(112);
        let length = image.len() - from;
        image[from..].copy_from_slice(&bytes[..length]);
        let _ = exercise(image);
    }
}

#[test]
fn many_nodes_that_share_one_text_are_checked_in_one_pass() {
    use crate::image::{Builder, Section, node};
    let mut builder = Builder::default();
    let long = builder.text(&"x".repeat(1 << 20));
    for _ in 0..100_000 {
        builder.push(Section::Conditions, &[u32::from(node::METHOD) | 1 << 8, 1, long[0], long[1], 0, 0]);
        builder.push(Section::Regexes, &[long[0], long[1], 0, 0]);
        builder.push(Section::Pairs, &[long[0], 4096, long[0], 4096]);
    }
    let begin = std::time::Instant::now();
    assert!(matches!(Policy::load(builder.finish(crate::IMAGE_VERSION), 1), Err(PolicyError::Malformed(_))));
    assert!(begin.elapsed().as_secs() < 5, "{:?}", begin.elapsed());
}

#[test]
fn the_largest_texts_that_a_document_may_hold_load() {
    let long = "\u{e9}".repeat(500);
    let host = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61));
    let rules = [
        format!("{{ name: {}, match: {{ path: '/{long}' }}, then: record }}", "n".repeat(63)),
        format!("{{ name: b, match: {{ headers: {{ {}: '{long}' }} }}, then: record }}", "h".repeat(252)),
        format!("{{ name: c, match: {{ all: true }}, then: {{ redirect: {{ location: '/{}' }} }} }}", "x".repeat(4095)),
        format!("{{ name: d, match: {{ all: true }}, then: {{ block: {{ body: '{}' }} }} }}", "x".repeat(65536)),
        format!(
            "{{ name: e, match: {{ all: true }}, then: {{ tag: {{ header: x-{}, value: '{}' }} }} }}",
            "t".repeat(250),
            "v".repeat(4096)
        ),
    ];
    let nested = "{ method: A, not: ".repeat(24)
        + "{ headers: { x: [{ present: false }, { present: true }] } }"
        + &" }".repeat(24);
    let rules =
        format!("hosts: '*.{host}'\nrules: [{}, {{ name: f, match: {nested}, then: allow }}]", rules.join(", "));
    assert_eq!(policy(&document("p", &rules)).rules(), 6);
}

#[test]
fn documents_that_share_a_trust_share_its_networks() {
    let networks: Vec<String> = (0..200).map(|i| format!("10.{i}.0.0/16")).collect();
    let client = format!("client: {{ address: {{ from: x-forwarded-for, trust: [{}] }} }}", networks.join(", "));
    let mut text = document("org", &client);
    for i in 0..300 {
        text.push_str(&document(&format!("d{i}"), &format!("hosts: h{i}.example")));
    }
    assert!(policy(&text).for_host(b"h7.example").is_some());
}
