//! A hostile image is refused, or is safe to judge with: every question that the gate asks of a policy is answered, twice the
//! same.

use std::sync::LazyLock;

use gatehouse_engine::{Connection, Head, Policy};
use gatehouse_policy::{Format, Source, compile};

use crate::asked::Worker;
use crate::given::Dice;

/// Real images, of the documents that the policy crate accepts, so that what is changed has every section.
pub static REAL: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    macro_rules! good {
        ($($name:literal)*) => { [$(include_str!(concat!("../../../crates/gatehouse-policy/testdata/good/", $name, ".yaml"))),*] };
    }
    let documents = good!("actions" "layers" "limits" "match-client" "match-request" "settings" "several-documents" "shop" "smallest");
    // Some name files of lists, which a gate never sees.
    let compiled =
        documents.iter().filter_map(|text| compile(&[Source { name: "good", text, format: Format::Yaml }]).ok());
    let images: Vec<Vec<u8>> = compiled.map(|compiled| compiled.image).collect();
    assert!(images.len() > 6, "{} of the good documents compile", images.len());
    images
});

/// One byte for which real image (0xFF: the rest is the image itself), then changes: place, what, how.
pub fn check(bytes: &[u8]) {
    let image = match bytes.split_first() {
        Some((0xFF, image)) => image.to_vec(),
        _ => changed(bytes),
    };
    if let Ok(policy) = Policy::load(image, 1) {
        exercise(&policy, false);
    }
}

/// A real image with some of its words overwritten, its end cut off or bytes doubled.
pub fn changed(bytes: &[u8]) -> Vec<u8> {
    let mut dice = Dice(bytes);
    let number = usize::from(dice.byte()) % REAL.len();
    let mut image = REAL[number].clone();
    while !dice.is_empty() && image.len() > 4 {
        let at = dice.below(image.len() - 3);
        match dice.byte() % 8 {
            0 => image[at] ^= 1 << (dice.byte() % 8),
            1 => image[at] = dice.byte(),
            2..=4 => image[at & !3..][..4].copy_from_slice(&dice.word().to_le_bytes()),
            5 => {
                let from = dice.below(image.len() - 3) & !3;
                image.copy_within(from..from + 4, at & !3);
            }
            6 => {
                let word = u32::from_le_bytes(core::array::from_fn(|i| image[(at & !3) + i]));
                let next = word.wrapping_add_signed(i32::from(dice.byte() as i8));
                image[at & !3..][..4].copy_from_slice(&next.to_le_bytes());
            }
            _ => image.truncate(at),
        }
    }
    image
}

/// Asks it everything that the gate would. What a `genuine` image decides is also what its explanation says: the index, which
/// the explanation does without, leaves out no rule that may hold.
pub fn exercise(policy: &Policy, genuine: bool) {
    let connection = Connection { peer: Some([192, 0, 2, 1].into()), ..Connection::default() };
    let more: [(&[u8], &[u8]); 5] = [
        (b"user-agent", b"curl/8 \xff"),
        (b"x-debug", b""),
        (b"x-plain", b"1"),
        (b"x-forwarded-for", b"203.0.113.9, 10.0.0.1"),
        (b"cookie", b"a=1"),
    ];
    for (host, path) in [
        ("shop.example.com", "/admin/x?debug=1&a+b=x"),
        ("api.shop.example.com:8443", "/v1/x.php"),
        ("", "*"),
        ("a.example", "/22"),
        ("a.example", "/6?key=1"),
        ("c.b.example", "/users/7/orders/9"),
        ("[2001:db8::1]", "/a/../api//b;c"),
    ] {
        let mut pairs: Vec<(&[u8], &[u8])> =
            vec![(b":method", b"GET"), (b":authority", host.as_bytes()), (b":path", path.as_bytes())];
        pairs.extend_from_slice(&more);
        let head = Head::new(&pairs, &connection);
        let (mut gate, mut asked) = (Worker::default(), Worker::default());
        for status in [200, 401, 0] {
            let mut judged = gate.judge(policy, head);
            let again = if genuine { asked.explain(policy, head).0 } else { asked.judge(policy, head) };
            assert_eq!((&judged.verdict, &judged.step), (&again.verdict, &again.step), "one verdict");
            gate.answer(policy, head, &mut judged, status, &more);
        }
    }
    let _ = (policy.rule_names().count(), policy.set_headers().count(), policy.sets_header(b"x-gatehouse-class"));
}
