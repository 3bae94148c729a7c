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
