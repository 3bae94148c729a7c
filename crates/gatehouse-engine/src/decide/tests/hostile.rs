//! Any bytes lead to a verdict.

use proptest::prelude::*;

use super::*;

/// Compiled once: what is tested is the judging.
static POLICY: std::sync::LazyLock<Policy> = std::sync::LazyLock::new(|| {
    policy(&[(
        "p",
        &rules(&[
            rule("re", r#"{"path":{"regex":"^/[a-z]+$"}}"#, r#""block""#),
            rule("h", r#"{"headers":{"x":{"contains":"y"}}}"#, r#""block""#),
        ]),
    )])
});

proptest! {
    #[test]
    fn any_bytes_lead_to_a_verdict(
        path in proptest::collection::vec(any::<u8>(), 0..64),
        authority in proptest::collection::vec(any::<u8>(), 0..32),
        name in proptest::collection::vec(any::<u8>(), 0..24),
        value in proptest::collection::vec(any::<u8>(), 0..24),
    ) {
        let connection = Connection::default();
        let pairs: [(&[u8], &[u8]); 4] =
            [(b":path", &path), (b":authority", &authority), (b"accept", &value), (&name, &value)];
        let head = Head::new(&pairs, &connection);
        let judged = judge(Some(&POLICY), &Settings::default(), request(head), &mut State::new([3; 16], &[1; 16]), &NoSlots);
        prop_assert_eq!(judged.verdict.mitigates(), matches!(judged.step, Step::Reply(_)));
    }
}

fn reason(host: &str, state: &mut State) -> Reason {
    static CLAIMED: std::sync::LazyLock<Policy> =
        std::sync::LazyLock::new(|| policy(&[("p", r#""hosts":["shop.example.com"],"otherwise":"block""#)]));
    let connection = Connection::default();
    let pairs: [(&[u8], &[u8]); 2] = [(b":path", b"/"), (b":authority", host.as_bytes())];
    judge(Some(&CLAIMED), &Settings::default(), request(Head::new(&pairs, &connection)), state, &NoSlots).verdict.reason
}

#[test]
fn a_host_that_is_remembered_hides_no_other_way_of_writing_one() {
    let mut state = State::new([3; 16], &[1; 16]);
    // Each is read as the name that the next one has as it stands.
    for _ in 0..2 {
        assert_eq!(reason("shop.example.com..", &mut state), Reason::NotCovered);
        assert_eq!(reason("shop.example.com.", &mut state), Reason::Otherwise);
        assert_eq!(reason("open@shop.example.com", &mut state), Reason::Otherwise);
        assert_eq!(reason("shop.example.com", &mut state), Reason::Otherwise);
    }
}

proptest! {
    #[test]
    fn what_was_asked_before_changes_no_scope(hosts in proptest::collection::vec("(SHOP|shop|%73hop|x)\\.example\\.com[.]{0,3}(:80|@|)", 1..12)) {
        let mut state = State::new([3; 16], &[1; 16]);
        for host in hosts.iter().chain(&hosts) {
            prop_assert_eq!(reason(host, &mut state), reason(host, &mut State::new([3; 16], &[1; 16])), "{}", host);
        }
    }
}
