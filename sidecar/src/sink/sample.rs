//! `sample`: a share of the records that were let through, always the same ones. What was mitigated is always sent.

use core::hash::Hasher as _;

use gatehouse_policy::document::{Node, Problems, quoted};
use siphasher::sip::SipHasher13;

/// Parts of a whole.
const WHOLE: u64 = 1_000_000;

/// A share in millionths; every house chooses the same records, so two sinks of one share hold the same ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample(u64);

impl Sample {
    /// Reads `10%`, `0.25%`: above 0, at most 100, at most four decimals.
    pub(super) fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let text = node.string(problems)?;
        let share = share(text).filter(|share| (1..=WHOLE).contains(share));
        if share.is_none() {
            let help = "write a share such as `10%` or `0.25%`: above 0, at most 100, at most four decimals";
            problems.push(&node.place, format!("{} is no share", quoted(text)), help);
        }
        share.map(Self)
    }

    /// The record with this id is among those sent.
    pub(super) fn has(self, id: [u8; 16]) -> bool {
        let mut hasher = SipHasher13::new();
        hasher.write(&id);
        hasher.finish() % WHOLE < self.0
    }
}

/// A percentage in millionths.
fn share(text: &str) -> Option<u64> {
    let number = text.strip_suffix('%')?.trim_end();
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(decimals) {
        return None;
    }
    let fraction: u64 = format!("{decimals:0<4}").parse().ok()?;
    Some(whole.parse::<u64>().ok()? * 10_000 + fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_percentage() {
        assert_eq!((share("10%"), share("0.25%"), share("100 %")), (Some(100_000), Some(2_500), Some(WHOLE)));
        for text in ["10", "%", "-1%", "1e1%", ".5%", "0.00001%", "1.%"] {
            assert_eq!(share(text), None, "{text}");
        }
    }

    #[test]
    fn the_same_records_are_chosen_always_and_about_as_many_as_asked_for() {
        let id = |sequence: u64| gatehouse_verdict::record::RecordId { epoch: 9, sequence }.to_bytes();
        let chosen: Vec<u64> = (0..100_000).filter(|sequence| Sample(100_000).has(id(*sequence))).collect();
        assert!((9_500..10_500).contains(&chosen.len()), "{}", chosen.len());
        assert!(chosen.iter().all(|sequence| Sample(200_000).has(id(*sequence))), "a larger share holds the smaller");
        assert!((0..1_000).all(|sequence| Sample(WHOLE).has(id(sequence))));
    }
}
