//! Traffic played at a guard: floods, a bad rule, a single client, an attacker; and who counts as known to be good.

use proptest::prelude::*;

use super::sample::lower_bound;
use super::*;

/// Tags as a hash gives them: all over the numbers.
fn tag(client: u64) -> u64 {
    client.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A salt for the canary and a state for the traffic, so that each run is another and can be had again.
struct Traffic {
    guard: Guard,
    salt: u64,
    percent: u8,
    state: u64,
}

impl Traffic {
    fn new(percent: u8, salt: u64) -> Self {
        let guard = Guard::try_new(GuardSpec::default(), 8_192, 0).unwrap();
        Self { guard, salt, percent, state: salt }
    }

    fn random(&mut self, below: u64) -> u64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % below
    }

    fn arm(&self, client: u64) -> Arm {
        if canary_share(tag(client), self.salt, self.percent) { Arm::Canary } else { Arm::Control }
    }

    /// One request, which the change touches or not.
    fn request(&mut self, client: u64, known_good: bool, touched: bool, now: u64) -> Option<Rollback> {
        let (arm, effect) = match (self.arm(client), touched) {
            (arm, false) => (arm, Effect::Nothing),
            (Arm::Canary, true) => (Arm::Canary, Effect::Mitigated),
            (Arm::Control, true) => (Arm::Control, Effect::WouldHave),
        };
        self.guard.observe(tag(client), known_good, arm, effect, now)
    }

    /// `clients` known-good ones come at random, `rate` requests a second, for so long; the change hits one in `hit`.
    fn good_clients(&mut self, clients: u64, rate: u64, seconds: u64, hit: u64) -> Option<(u64, Rollback)> {
        (0..seconds * rate).find_map(|i| {
            let (client, now) = (self.random(clients), i * SECOND / rate);
            self.request(client, true, client % hit == 0, now).map(|rollback| (now, rollback))
        })
    }
}

#[test]
fn a_flood_of_blocked_requests_from_strangers_does_not_roll_back() {
    for percent in [10, 100] {
        let (mut traffic, mut familiar) =
            (Traffic::new(percent, 5), Familiar::try_new(FamiliarSpec::default(), 4_096).unwrap());
        // A thousand addresses without a success before, 95 % of whose requests are blocked; and fifty good clients.
        for client in 10_000..10_050 {
            (1..=3).for_each(|now| familiar.succeeded(tag(client), now));
        }
        traffic.guard = Guard::try_new(GuardSpec::default(), 8_192, SECOND).unwrap();
        for i in 0..200_000_u64 {
            let (stranger, now) = (i % 21 != 0, 2 * SECOND + i * SECOND / 1_000);
            let client = if stranger { traffic.random(1_000) } else { 10_000 + traffic.random(50) };
            let blocked = stranger && traffic.random(100) < 95;
            let known_good = familiar.known_good(tag(client), traffic.guard.began(), now);
            assert_eq!(traffic.request(client, known_good, blocked, now), None);
            if !blocked {
                familiar.succeeded(tag(client), now);
            }
        }
        let figures = traffic.guard.figures();
        assert_eq!((figures.clients, figures.clients_hit), (50, 0));
        assert!(traffic.guard.is_armed(300 * SECOND));
    }
}

#[test]
fn a_rule_that_hits_five_percent_of_400_good_clients_is_taken_back_within_30_seconds() {
    for percent in [10, 50, 100] {
        for salt in 0..50 {
            let mut traffic = Traffic::new(percent, salt);
            let Some((at, rollback)) = traffic.good_clients(400, 40, 30, 20) else { panic!("{percent} %, {salt}") };
            assert!(rollback.at_least > 0.01 && rollback.figures.clients_hit >= 3 && at < 30 * SECOND);
            assert!(!traffic.guard.is_armed(at));
            assert_eq!(traffic.request(0, true, true, at), None);
        }
    }
}

#[test]
fn without_a_forecast_it_takes_enough_canary_clients() {
    let found = |clients: u64| {
        let run = |salt| {
            let mut traffic = Traffic::new(10, salt);
            (0..60_000_u64).any(|i| {
                let client = traffic.random(clients);
                let (arm, hit) = (traffic.arm(client), client.is_multiple_of(20));
                let effect = if hit && arm == Arm::Canary { Effect::Mitigated } else { Effect::Nothing };
                traffic.guard.observe(tag(client), true, arm, effect, i * SECOND / 400).is_some()
            })
        };
        (0..50).filter(|&salt| run(salt)).count()
    };
    let (few, many) = (found(400), found(4_000));
    assert!((5..30).contains(&few) && many == 50, "{few} and {many} of 50");
}

#[test]
fn a_rule_that_hits_nobody_or_one_in_five_hundred_stays() {
    let taken_back =
        (0..100).filter(|&salt| Traffic::new(20, salt).good_clients(2_000, 100, 300, 500).is_some()).count();
    assert!(taken_back <= 2, "{taken_back}");
    assert_eq!(Traffic::new(20, 1).good_clients(2_000, 100, 300, u64::MAX).map(|(_, rollback)| rollback), None);
}

/// How many clients of a promoted change it takes until it is taken back, in runs of at most 3,000; sorted.
fn clients_until_taken_back(hit_of_a_thousand: u64) -> Vec<u32> {
    let run = |salt: u64| {
        let mut traffic = Traffic::new(100, salt * 7_919);
        (0..3_000).find_map(|client| {
            let hit = traffic.random(1_000) < hit_of_a_thousand;
            traffic.request(client, true, hit, 1).map(|rollback| rollback.figures.canary)
        })
    };
    let mut taken: Vec<_> = (0..200).filter_map(run).collect();
    taken.sort_unstable();
    taken
}

#[test]
fn it_is_as_sure_as_the_docs_say() {
    let (bad, poor) = (clients_until_taken_back(50), clients_until_taken_back(20));
    assert!(bad.len() == 200 && (30..90).contains(&bad[100]) && bad[190] <= 400, "{bad:?}");
    assert!(poor.len() >= 195, "{}", poor.len());
    let (fair, fine) = (clients_until_taken_back(5), clients_until_taken_back(2));
    assert!(fair.len() <= 8 && fine.len() <= 1, "{fair:?} {fine:?}");
}

#[test]
fn one_client_that_hammers_never_rolls_back() {
    for percent in [10, 100] {
        let mut traffic = Traffic::new(percent, 5);
        let loud = (0..).find(|&client| traffic.arm(client) == Arm::Canary).unwrap();
        for i in 0..100_000 {
            let client = if i % 10 == 0 { 1_000 + traffic.random(60) } else { loud };
            assert_eq!(traffic.request(client, true, client == loud, i * SECOND / 100), None);
        }
        assert_eq!((traffic.guard.figures().canary_hit, traffic.guard.figures().clients_hit), (1, 1));
    }
}

#[test]
fn an_attacker_needs_as_many_known_good_clients_as_the_docs_say() {
    let spec = GuardSpec::default();
    for (clients, needed) in [(20_u32, 3), (30, 3), (100, 4), (400, 10), (1_000, 19), (10_000, 126)] {
        let enough = |hit: u32| hit >= spec.min_hit && lower_bound(hit, clients, spec.certainty) > spec.threshold;
        assert!(enough(needed) && !enough(needed - 1), "{clients}");
    }
    // A thousand honest clients, and an attacker with eighteen in the canary: it holds.
    let mut guard = Guard::try_new(spec, 4_096, 0).unwrap();
    for client in 0..1_000 {
        assert_eq!(guard.observe(tag(client), true, Arm::Canary, Effect::Nothing, 1), None);
    }
    for i in 0..100_000 {
        assert_eq!(guard.observe(tag(i % 18), true, Arm::Canary, Effect::Mitigated, 1), None);
    }
    let rollback = guard.observe(tag(18), true, Arm::Canary, Effect::Mitigated, 1).unwrap();
    assert_eq!(
        (rollback.evidence, rollback.figures.canary, rollback.figures.canary_hit),
        (Evidence::Canary, 1_000, 19)
    );
}

#[test]
fn fewer_clients_than_the_minimum_say_nothing() {
    let mut guard = Guard::try_new(GuardSpec::default(), 4_096, 0).unwrap();
    for client in 0..19 {
        assert_eq!(guard.observe(tag(client), true, Arm::Canary, Effect::Mitigated, 1), None);
    }
    assert!(guard.observe(tag(19), true, Arm::Canary, Effect::Nothing, 1).is_some());
}

#[test]
fn what_hits_the_control_as_well_is_not_the_changes_doing() {
    let run = |control_hit: bool| {
        let mut guard = Guard::try_new(GuardSpec::default(), 4_096, 0).unwrap();
        (0..2_000_u64).any(|client| {
            let arm = if client % 2 == 0 { Arm::Canary } else { Arm::Control };
            let hit = client / 2 % 20 == 19 && (arm == Arm::Canary || control_hit);
            guard.observe(tag(client), true, arm, if hit { Effect::Mitigated } else { Effect::Nothing }, 1).is_some()
        })
    };
    assert!(run(false) && !run(true));
}

#[test]
fn a_control_arm_that_is_too_small_says_nothing() {
    let mut guard = Guard::try_new(GuardSpec::default(), 4_096, 0).unwrap();
    for client in 1_000..1_019 {
        assert_eq!(guard.observe(tag(client), true, Arm::Control, Effect::Mitigated, 1), None);
    }
    let hit = |client: u64| if client.is_multiple_of(4) { Effect::Mitigated } else { Effect::Nothing };
    let rollback = (0..40).find_map(|client| guard.observe(tag(client), true, Arm::Canary, hit(client), 1)).unwrap();
    assert!((rollback.allowed - 0.01).abs() < 1e-12);
}

#[test]
fn it_watches_as_a_canary_and_for_the_bake_time_and_no_longer() {
    let new = || Guard::try_new(GuardSpec::default(), 64, 0).unwrap();
    let mut guard = new();
    assert!(guard.is_armed(u64::MAX) && guard.began() == 0);
    guard.promoted(1_000 * SECOND);
    assert!(guard.is_armed(4_600 * SECOND - 1) && !guard.is_armed(4_600 * SECOND));
    // Promoted once more, it is not guarded longer.
    guard.promoted(2_000 * SECOND);
    let all =
        |guard: &mut Guard, now| (0..64).find_map(|c| guard.observe(tag(c), true, Arm::Canary, Effect::Mitigated, now));
    assert_eq!(all(&mut guard, 4_600 * SECOND), None);
    assert!(all(&mut new(), 4_600 * SECOND).is_some());
}

#[test]
fn what_begins_to_bite_late_is_judged_by_who_is_there_then() {
    let mut guard = Guard::try_new(GuardSpec::default(), 16_384, 0).unwrap();
    for client in 0..8_000 {
        assert_eq!(guard.observe(tag(client), true, Arm::Canary, Effect::Nothing, 10), None);
    }
    let bites = |guard: &mut Guard, now| {
        let effect = |client| if client % 20 == 0 { Effect::Mitigated } else { Effect::Nothing };
        (0..400).find_map(|client| guard.observe(tag(client), true, Arm::Canary, effect(client), now))
    };
    assert_eq!(bites(&mut guard, 3_000 * SECOND), None);
    assert_eq!(guard.figures().clients, 8_000);
    assert!(bites(&mut guard, 3_601 * SECOND).is_some());
}

#[test]
fn a_full_guard_leaves_newcomers_out_and_goes_on_with_those_it_has() {
    let mut guard = Guard::try_new(GuardSpec::default(), 64, 0).unwrap();
    for client in 0..1_000 {
        assert_eq!(guard.observe(tag(client), true, Arm::Canary, Effect::Nothing, 1), None);
    }
    let figures = guard.figures();
    assert_eq!((figures.canary, figures.left_out, guard.bytes()), (64, 936, 8 * (128 + 64)));
    let rollback = (0..1_000).find_map(|c| guard.observe(tag(c), true, Arm::Canary, Effect::Mitigated, 2)).unwrap();
    assert_eq!((rollback.figures.canary, rollback.figures.canary_hit), (64, 3));
}

proptest! {
    /// The figures are those of plain sets of clients, whatever comes in whatever order.
    #[test]
    fn figures_are_distinct_clients(sightings in prop::collection::vec((0_u64..30, any::<bool>(), any::<bool>(), 0_u8..3), 0..300)) {
        // Nothing is ever enough to take it back.
        let spec = GuardSpec { min_hit: u32::MAX, ..GuardSpec::default() };
        let mut guard = Guard::try_new(spec, 1_024, 0).unwrap();
        let mut sets: [std::collections::BTreeSet<u64>; 6] = Default::default();
        for (client, known_good, canary, effect) in sightings {
            let (arm, effect) = (
                if canary { Arm::Canary } else { Arm::Control },
                [Effect::Nothing, Effect::Mitigated, Effect::WouldHave][usize::from(effect)],
            );
            prop_assert_eq!(guard.observe(tag(client), known_good, arm, effect, 1), None);
            let hit = effect == Effect::Mitigated;
            let belongs = [canary, canary && hit, !canary, !canary && hit, true, (canary && hit) || effect == Effect::WouldHave];
            for (set, _) in sets.iter_mut().zip(belongs).filter(|(_, belongs)| known_good && *belongs) {
                set.insert(client);
            }
        }
        let Figures { canary, canary_hit, control, control_hit, clients, clients_hit, left_out } = guard.figures();
        prop_assert_eq!([canary, canary_hit, control, control_hit, clients, clients_hit], sets.map(|set| set.len() as u32));
        prop_assert_eq!(left_out, 0);
    }

    #[test]
    fn the_lower_bound_is_a_share_below_what_was_seen(hit: u32, more: u32, z in 0.01..10.0_f64) {
        let all = hit.saturating_add(more).max(1);
        let bound = lower_bound(hit, all, z);
        prop_assert!((0.0..=1.0).contains(&bound) && bound <= f64::from(hit) / f64::from(all));
    }
}

#[test]
fn the_lower_bound_is_wilsons() {
    // 10 of 100 at 1.96, and 2 of 40 at 1.96, reckoned by hand from the formula.
    assert!((lower_bound(10, 100, 1.96) - 0.055_229).abs() < 1e-6);
    assert!((lower_bound(2, 40, 1.96) - 0.013_820).abs() < 1e-6);
    assert!(lower_bound(0, 50, 2.58) < 1e-12);
}

#[test]
fn three_successes_before_the_change_make_familiar_and_later_ones_do_not() {
    let mut familiar = Familiar::try_new(FamiliarSpec::default(), 1_000).unwrap();
    let (early, late, few, gone) = (1, 2, 3, 4);
    (1..=3).for_each(|i| familiar.succeeded(early, i * SECOND));
    (1..=2).for_each(|i| familiar.succeeded(few, i * SECOND));
    (1..=9).for_each(|i| familiar.succeeded(gone, i * SECOND));
    familiar.mitigated(gone);
    let began = 10 * SECOND;
    (10..=13).for_each(|i| familiar.succeeded(late, i * SECOND));
    let known = [early, late, few, gone, 5].map(|client| familiar.known_good(client, began, 20 * SECOND));
    assert_eq!(known, [true, false, false, false, false]);
    assert!(familiar.known_good(late, 13 * SECOND, 20 * SECOND));
}

#[test]
fn successes_age_by_half_and_a_client_that_comes_back_must_earn_them_anew() {
    let spec = FamiliarSpec { successes: 3, half_after: 100 };
    let mut familiar = Familiar::try_new(spec, 8).unwrap();
    (0..1_000).for_each(|_| familiar.succeeded(1, 50));
    // 255 halve to 127, 63, 31, 15, 7, 3, 1.
    assert!(familiar.known_good(1, 51, 749) && !familiar.known_good(1, 51, 750));
    familiar.succeeded(1, 760);
    assert!(!familiar.known_good(1, 1_000, 760));
    familiar.succeeded(1, 761);
    assert!(familiar.known_good(1, 1_000, 761) && !familiar.known_good(1, 761, 761));
}

#[test]
fn strangers_leave_a_full_table_before_familiar_clients() {
    let mut familiar = Familiar::try_new(FamiliarSpec::default(), 8).unwrap();
    (1..=3).for_each(|i| familiar.succeeded(77, i));
    (100..10_000).for_each(|client| familiar.succeeded(client, 10));
    assert!(familiar.known_good(77, 5, 20));
    assert_eq!((familiar.evictions().busy, familiar.evictions().idle, familiar.bytes()), (0, 9_893, 128 + 8 * 32));
}

#[test]
fn guards_that_could_never_or_always_act_are_refused() {
    let spec = GuardSpec::default();
    for wrong in [
        GuardSpec { threshold: -0.1, ..spec },
        GuardSpec { threshold: f64::NAN, ..spec },
        GuardSpec { min_clients: 0, ..spec },
        GuardSpec { min_hit: 0, ..spec },
        GuardSpec { certainty: 0.0, ..spec },
        GuardSpec { certainty: f64::INFINITY, ..spec },
    ] {
        assert_eq!(Guard::try_new(wrong, 8, 0).err(), Some(Impossible::Guard));
    }
    assert!(matches!(Guard::try_new(spec, 0, 0), Err(Impossible::Capacity { .. })));
    let wrong = FamiliarSpec { successes: 0, ..FamiliarSpec::default() };
    assert_eq!(Familiar::try_new(wrong, 8).err(), Some(Impossible::Guard));
}
