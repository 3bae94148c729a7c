//! The decision, on policies made of every word that there is and on any requests: one verdict, explained as it is given and
//! carried out as it says; nothing of ours from a client; a mandate is a mandate; monitor mode lets through; what is canonical
//! already is judged as itself; and no value of a query, cookie or credential reaches the record.

mod pieces;

use gatehouse_engine::record::{Context, Outcome};
use gatehouse_engine::{Head, Judged, Policy, Step, Transaction, UsualTexts, record};
use gatehouse_proto::v1;
use gatehouse_signals::Path;
use gatehouse_verdict::record::{Origin, RecordId};
use gatehouse_verdict::redact::AddressForm;
use gatehouse_verdict::{Action, Reason, Record};
use prost::Message as _;

use crate::answers::well_formed;
use crate::asked::Worker;
use crate::given::Given;
use pieces::Policies;

/// Stands for every value that a record must not hold.
const CANARY: &str = "zq7canaryzq7";
/// What the application answers.
const STATUS: [u16; 4] = [200, 401, 500, 0];

/// Lines `?rules` (the pieces, by numbers), `?again` (one byte for each time that the request comes), `?peer` …, then the head.
pub fn check(bytes: &[u8]) {
    let given = Given::read(bytes);
    let policies = Policies::of(given.scene("rules").unwrap_or_default());
    let Policies { enforced, monitored, mandate, below } = &*policies;
    let pairs = given.pairs();
    let head = given.head(&pairs);
    again_and_again(enforced, head, given.scene("again").unwrap_or_default());

    let first = Worker::default().judge(enforced, head);
    let watched = Worker::default().judge(monitored, head);
    let by_rule = matches!(first.verdict.reason, Reason::Rule | Reason::Otherwise | Reason::Ambiguous);
    if by_rule {
        assert_eq!(watched.verdict.action(), Action::Allow, "monitor mode only says what it would have done");
        assert!(!first.verdict.mitigates() || !watched.verdict.would_have.is_empty(), "and says it");
    }
    if let Some(path) = canonical(head) {
        let straight = with(&pairs, b":path", &path);
        let straight = Worker::default().judge(enforced, given.head(&straight));
        assert_eq!(first.verdict.rule, straight.verdict.rule, "a canonical path is judged as itself");
    }
    if Worker::default().judge(mandate, head).verdict.reason == Reason::Rule {
        assert!(Worker::default().judge(below, head).verdict.mitigates(), "a mandate was weakened from below");
    }
    kept_out(&given, enforced);
}

/// Two workers see the same; one is asked why.
fn again_and_again(policy: &Policy, head: Head<'_>, times: &[u8]) {
    let (mut gate, mut asked) = (Worker::default(), Worker::default());
    for time in [0].iter().chain(times.iter().take(12)) {
        let mut judged = gate.judge(policy, head);
        let (mut explained, steps) = asked.explain(policy, head);
        assert_eq!((&judged.verdict, &judged.step), (&explained.verdict, &explained.step), "one verdict, explained");
        if let (Reason::Rule, Some(rule)) = (judged.verdict.reason, &judged.verdict.rule) {
            assert!(steps.iter().any(|step| step.rule == *rule), "`{rule}` decided and stands in no step");
        }
        carried_out(&judged, head);
        let status = STATUS[usize::from(time & 3)];
        let headers: [(&[u8], &[u8]); 2] = [(b"server", b"xyz"), (b"content-length", b"1048576")];
        gate.answer(policy, head, &mut judged, status, &headers);
        asked.answer(policy, head, &mut explained, status, &headers);
        assert_eq!(judged.verdict, explained.verdict, "and after the response too");
        for worker in [&mut gate, &mut asked] {
            worker.wait(u64::from(time >> 2));
        }
    }
}

/// What the host is told to do is what the verdict says.
fn carried_out(judged: &Judged, head: Head<'_>) {
    assert_eq!(judged.verdict.mitigates(), !matches!(judged.step, Step::Forward(_)));
    assert_eq!(judged.verdict.action() == Action::Drop, judged.step == Step::Drop);
    match &judged.step {
        Step::Drop => {}
        Step::Reply(reply) => well_formed(reply),
        Step::Forward(None) => assert!(!head.headers.iter().any(|(name, _)| is_ours(name)), "ours came through"),
        Step::Forward(Some(pairs)) => {
            let foreign = pairs.iter().filter(|(name, _)| !is_ours(name)).count();
            assert!(foreign <= head.headers.len() + judged.verdict.tags.len(), "nothing is made up");
            for (name, value) in pairs.iter().filter(|(name, _)| is_ours(name)) {
                let tagged = judged.verdict.tags.iter().any(|tag| tag.as_bytes() == name);
                assert!(tagged && value.is_ascii(), "`{}` is not the policy's", name.escape_ascii());
            }
        }
    }
}

fn is_ours(name: &[u8]) -> bool {
    let folded: Vec<u8> =
        name.iter().map(|byte| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }).collect();
    folded.starts_with(b"x-gatehouse-")
}

/// The canonical path with its query, where the path has one reading.
fn canonical(head: Head<'_>) -> Option<Vec<u8>> {
    let path = Path::parse(head.first(b":path")?);
    let query = path.query.map(|query| [b"?", query].concat()).unwrap_or_default();
    path.ambiguity.is_none().then(|| [&path.canonical, &*query].concat())
}

fn with<'a>(pairs: &[(&'a [u8], &'a [u8])], name: &[u8], value: &'a [u8]) -> Vec<(&'a [u8], &'a [u8])> {
    pairs.iter().map(|(own, old)| (*own, if *own == name { value } else { *old })).collect()
}

/// The record of the request with the canary in each place that is kept out.
fn kept_out(given: &Given, policy: &Policy) {
    let mut pairs = given.pairs();
    let path = [b"/x?k=", CANARY.as_bytes()].concat();
    pairs.insert(0, (b":path", &path));
    let cookie = format!("k={CANARY}");
    pairs.extend([(&b"cookie"[..], cookie.as_bytes()), (b"authorization", CANARY.as_bytes())]);
    let head = given.head(&pairs);
    let context = Context {
        origin: Origin::default(),
        hash_key: [5; 16],
        hash_key_id: 1,
        address_form: AddressForm::Hash,
        usual: UsualTexts::default(),
    };
    let judged = Worker::default().judge(policy, head);
    let mut bytes = Vec::new();
    let of = Transaction { number: 1, head, judged: &judged, policy: Some(policy) };
    record(RecordId::from_bytes([1; 16]), &of, &Outcome::default(), &context, &mut bytes);
    let read = v1::Record::decode(&*bytes).expect("our own form");
    assert_eq!(read.encode_to_vec(), bytes, "read and written by the generated messages");
    let kept = Record::try_from(read).expect("a record");
    assert!(!format!("{kept:?}").contains(CANARY), "{kept:?}");
    assert_eq!(v1::Record::from(kept).encode_to_vec(), bytes, "over the wire and back");
}
