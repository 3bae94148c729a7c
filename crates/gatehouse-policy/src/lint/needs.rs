//! Fields that the gate will never know as things stand, identities of any trust domain, and regexes that are dear.

use crate::automata;
use crate::document::{Place, Problems, quoted};
use crate::spec::types::{Condition, Document, KeyPart, Rule};
use crate::spec::{PathPattern, TextPattern};

use super::{Dear, Surroundings, is_packed, lists};

/// Bytes of an automaton above which its regex is dear.
const REGEX_BYTES: usize = 8 << 10;

/// What may be missing: its name, who reads it, and what to do.
const NEEDS: [Need; 5] = [
    Need {
        given: |s| s.countries,
        what: "no table of countries is given, so `country` is unknown",
        help: "give the house a table of countries (`geo`), and `check` the same by `--geo`",
        leaf: |leaf| matches!(leaf, Condition::Country(_) | Condition::CountryList(_)),
        key: |key| matches!(key, KeyPart::Country),
    },
    Need {
        given: |s| s.asns,
        what: "no table of autonomous systems is given, so `asn` is unknown",
        help: "give the house a table of autonomous systems (`geo`), and `check` the same by `--geo`",
        leaf: |leaf| matches!(leaf, Condition::Asn(_) | Condition::AsnList(_)),
        key: |key| matches!(key, KeyPart::Asn),
    },
    Need {
        given: |s| s.jwt,
        what: "nothing verifies JSON web tokens before the gate, so `jwt` is unknown",
        help: "put Envoy's jwt_authn before the gate",
        leaf: |leaf| matches!(leaf, Condition::Claim(..)),
        key: |key| matches!(key, KeyPart::Claim(_)),
    },
    Need {
        given: |s| s.client_certificates,
        what: "clients are not asked for certificates, so `identity` never matches",
        help: "let the listener ask for client certificates",
        leaf: |leaf| matches!(leaf, Condition::Identity(_) | Condition::IdentityList(_) | Condition::TlsMutual(true)),
        key: |key| matches!(key, KeyPart::Identity),
    },
    Need {
        given: |s| s.ja4,
        what: "Envoy does not tell JA4, so `fingerprint` is unknown",
        help: "let the TLS inspector make JA4 fingerprints",
        leaf: |leaf| matches!(leaf, Condition::Fingerprint(text) if !text.starts_with('h')),
        key: |_| false,
    },
];

/// One thing that may be missing.
struct Need {
    given: fn(&Surroundings<'_>) -> bool,
    what: &'static str,
    help: &'static str,
    leaf: fn(&Condition) -> bool,
    key: fn(&KeyPart) -> bool,
}

pub(super) fn check(documents: &[Document], surroundings: &Surroundings<'_>, warnings: &mut Problems) {
    for need in NEEDS.iter().filter(|need| !(need.given)(surroundings)) {
        missing(documents, need, warnings);
    }
    for document in documents {
        for rule in document.rules.iter().filter(|rule| !is_packed(document, &rule.place)) {
            let dear = surroundings.regex_budget.unwrap_or(&large);
            rule.condition.each_leaf(&mut |leaf| regex(leaf, &rule.place, dear, warnings));
            let mut told = false;
            rule.condition.each_leaf(&mut |leaf| {
                if let Condition::Identity(pattern) = leaf
                    && pattern.starts_with("spiffe://*/")
                    && !std::mem::replace(&mut told, true)
                {
                    lists::any_domain(&rule.place, pattern, warnings);
                }
            });
        }
    }
}

/// One warning at the first rule that needs it, with the number of the others.
fn missing(documents: &[Document], need: &Need, warnings: &mut Problems) {
    let reads = |rule: &Rule| {
        let keys = rule.limit.iter().flat_map(|limit| &limit.by);
        rule.condition.some_leaf(need.leaf) || keys.into_iter().any(need.key)
    };
    let mut reading = documents.iter().flat_map(|document| &document.rules).filter(|rule| reads(rule));
    let Some(first) = reading.next() else { return };
    let others = match reading.count() {
        0 => String::new(),
        1 => " and 1 other rule".to_owned(),
        more => format!(" and {more} other rules"),
    };
    let message = format!("{} in the rule {}{others}", need.what, quoted(&first.name));
    warnings.push(&first.place, message, need.help);
}

/// The automaton of a regex takes much of the image, and of the worker's cache.
fn large(pattern: &str) -> Option<String> {
    // Without counted repetitions a short pattern has few states: building its automaton once more tells nothing.
    if pattern.len() < 64 && !pattern.contains('{') {
        return None;
    }
    let bytes = automata::compile(pattern).ok()?.len() * size_of::<u16>();
    (bytes > REGEX_BYTES).then(|| format!("its automaton takes {} KiB", bytes.div_ceil(1024)))
}

fn regex(leaf: &Condition, place: &Place, dear: &Dear, warnings: &mut Problems) {
    let (Condition::Path(PathPattern::Regex(written))
    | Condition::Header(_, TextPattern::Regex(written))
    | Condition::Query(_, TextPattern::Regex(written))
    | Condition::Cookie(_, TextPattern::Regex(written))
    | Condition::Claim(_, TextPattern::Regex(written))
    | Condition::ResponseHeader(_, TextPattern::Regex(written))) = leaf
    else {
        return;
    };
    if let Some(why) = dear(written) {
        let help = "use `prefix`, `suffix`, `contains` or `*` where they do";
        warnings.push(place, format!("the regex {} is dear: {why}", quoted(written)), help);
    }
}
