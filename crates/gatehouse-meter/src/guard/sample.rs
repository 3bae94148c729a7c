//! Distinct clients of one period, and whether so many hit among them can be chance.

use super::{Arm, Effect, Evidence, Figures, GuardSpec, Rollback};
use crate::table::{Cell, Hold};

const CANARY: u8 = 1;
const CANARY_HIT: u8 = 2;
const CONTROL: u8 = 4;
const CONTROL_HIT: u8 = 8;
const WOULD_HAVE: u8 = 16;

/// What was seen of one client.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    marks: u8,
}

/// The clients of one period, counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    figures: Figures,
}

// === impl Sample ===

impl Sample {
    /// Notes what a request showed of a client; says whether that was new.
    pub(super) fn note(&mut self, seen: &mut Seen, arm: Arm, effect: Effect) -> bool {
        let arm_mark = match arm {
            Arm::Canary => CANARY,
            Arm::Control => CONTROL,
        };
        let effect_mark = match (arm, effect) {
            (_, Effect::Nothing) => 0,
            (Arm::Canary, Effect::Mitigated) => CANARY_HIT,
            (Arm::Control, Effect::Mitigated) => CONTROL_HIT,
            (_, Effect::WouldHave) => WOULD_HAVE,
        };
        let before = seen.marks;
        seen.marks |= arm_mark | effect_mark;
        if seen.marks == before {
            return false;
        }
        let became = |any: u8| u32::from(before & any == 0 && seen.marks & any != 0);
        let figures = &mut self.figures;
        for (count, any) in [
            (&mut figures.canary, CANARY),
            (&mut figures.canary_hit, CANARY_HIT),
            (&mut figures.control, CONTROL),
            (&mut figures.control_hit, CONTROL_HIT),
            (&mut figures.clients, CANARY | CONTROL),
            (&mut figures.clients_hit, CANARY_HIT | WOULD_HAVE),
        ] {
            *count = count.saturating_add(became(any));
        }
        true
    }

    /// There was no room for a client.
    pub(super) const fn left_out(&mut self) {
        self.figures.left_out = self.figures.left_out.saturating_add(1);
    }

    pub(super) const fn figures(&self) -> Figures {
        self.figures
    }

    /// Whether the change is to be taken back.
    pub(super) fn judge(&self, spec: &GuardSpec) -> Option<Rollback> {
        let figures = self.figures;
        let judged = |evidence, hit: u32, clients: u32| {
            if clients < spec.min_clients || hit < spec.min_hit {
                return None;
            }
            let at_least = lower_bound(hit, clients, spec.certainty);
            let allowed = spec.threshold + self.control_share(spec);
            (at_least > allowed).then_some(Rollback { evidence, figures, at_least, allowed })
        };
        judged(Evidence::Canary, figures.canary_hit, figures.canary)
            .or_else(|| judged(Evidence::Forecast, figures.clients_hit, figures.clients))
    }

    fn control_share(&self, spec: &GuardSpec) -> f64 {
        let Figures { control, control_hit, .. } = self.figures;
        if control < spec.min_clients { 0.0 } else { f64::from(control_hit) / f64::from(control) }
    }
}

/// The lower end of Wilson's score interval for `hit` of `all` (at least 1), `z` standard deviations wide to each side.
///
/// Only operations that IEEE 754 defines to the last bit, so every machine agrees.
pub(super) fn lower_bound(hit: u32, all: u32, z: f64) -> f64 {
    let (all, square) = (f64::from(all), z * z);
    let share = f64::from(hit) / all;
    let spread = (share * (1.0 - share) / all + square / (4.0 * all * all)).sqrt();
    ((share + square / (2.0 * all) - z * spread) / (1.0 + square / all)).max(0.0)
}

// === impl Cell ===

impl Cell for Seen {
    fn hold(&self, _: u64) -> Hold {
        if self.marks == 0 { Hold::Spent } else { Hold::Idle }
    }
}
