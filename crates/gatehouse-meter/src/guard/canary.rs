//! Who is in the canary.

use siphasher::sip::SipHasher13;

/// Whether a client is among the `percent` of 100 that a change is tried on.
///
/// Always the same for the same client and `salt`; who is in at 10 % is in at 20 %; at 0 nobody is, from 100 on everybody.
/// Another salt, another choice: each rule has its own, secret where a client must not know, and the same on every worker.
/// `client` is a 64-bit keyed hash.
pub fn canary_share(client: u64, salt: u64, percent: u8) -> bool {
    let hash = SipHasher13::new_with_keys(salt, 0x6361_6e61_7279).hash(&client.to_le_bytes());
    // The hash as a share of one, in hundredths: below 100, so that 100 % is everybody.
    let hundredth = (u128::from(hash) * 100) >> 64;
    hundredth < u128::from(percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_is_in_stays_in_as_the_canary_grows() {
        for client in 0..2_000 {
            let first = (0..=100).find(|&percent| canary_share(client, 7, percent)).unwrap();
            assert!(first > 0 && (first..=u8::MAX).all(|percent| canary_share(client, 7, percent)));
        }
    }

    #[test]
    fn each_percentage_takes_its_share_of_clients() {
        for percent in [1_u8, 10, 50, 90] {
            let taken = (0..100_000).filter(|&client| canary_share(client, 7, percent)).count() as f64;
            let (share, n) = (f64::from(percent) / 100.0, 100_000.0);
            let deviation = (n * share * (1.0 - share)).sqrt();
            assert!((taken - n * share).abs() < 5.0 * deviation, "{percent}: {taken}");
        }
    }

    #[test]
    fn rules_choose_independently() {
        let both = (0..100_000).filter(|&client| canary_share(client, 1, 10) && canary_share(client, 2, 10)).count();
        assert!((both as i64 - 1_000).abs() < 5 * 32, "{both}");
    }
}
