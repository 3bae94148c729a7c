//! `time`: windows of wall-clock time. Unknown where the time is.

use super::{Facts, Leaf, Truth};
use crate::Field;
use crate::image::{Section, node, time};

pub(super) fn holds(leaf: Leaf<'_>, facts: &Facts<'_>) -> Truth {
    let Some(now) = facts.wall_s.filter(|_| facts.known.has(Field::Time)) else {
        return Truth::Unknown;
    };
    let at = leaf.index(node::A);
    let word = |word| leaf.view.word(Section::Times, at, word);
    let long = |word| leaf.view.long(Section::Times, at, word);
    let dates = (long(time::AFTER)..long(time::BEFORE)).contains(&now);
    (dates && in_week(now, word(time::DAYS), word(time::HOURS), word(time::OFFSET).cast_signed())).into()
}

/// The day of the week and the minute of the day, `offset` minutes east of UTC. Hours that wrap over midnight belong to the
/// day on which they begin.
fn in_week(now: u64, days: u32, hours: u32, offset: i32) -> bool {
    let minutes = i64::try_from(now / 60).unwrap_or(i64::MAX).saturating_add(i64::from(offset));
    // The first of January 1970 was a Thursday: day 3 where Monday is 0.
    let day = (minutes.div_euclid(1440) + 3).rem_euclid(7) as u32;
    let minute = minutes.rem_euclid(1440) as u32;
    let on = |day: u32| days & 1 << (day % 7) != 0;
    if hours == time::ALL_DAY {
        return on(day);
    }
    let (from, to) = (hours & 0xffff, hours >> 16);
    if from <= to {
        return on(day) && (from..to).contains(&minute);
    }
    on(day) && minute >= from || on(day + 6) && minute < to
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Friday, 1 March 2024, 12:00 UTC.
    const FRIDAY_NOON: u64 = 1_709_294_400;

    #[test]
    fn days_and_hours_are_told_where_the_operator_lives() {
        let hours = |from: u32, to: u32| (from * 60) | ((to * 60) << 16);
        assert!(in_week(FRIDAY_NOON, 1 << 4, time::ALL_DAY, 0));
        assert!(!in_week(FRIDAY_NOON, 0x7f & !(1 << 4), time::ALL_DAY, 0));
        assert!(in_week(FRIDAY_NOON, 1 << 5, time::ALL_DAY, 12 * 60));
        assert!(in_week(FRIDAY_NOON, 0x7f, hours(12, 13), 0) && !in_week(FRIDAY_NOON, 0x7f, hours(11, 12), 0));
        assert!(in_week(FRIDAY_NOON, 0x7f, hours(9, 10), -180));
    }

    #[test]
    fn hours_over_midnight_belong_to_the_day_on_which_they_begin() {
        let night = (22 * 60) | ((6 * 60) << 16);
        let (evening, morning) = (FRIDAY_NOON + 11 * 3600, FRIDAY_NOON + 17 * 3600);
        assert!(in_week(evening, 1 << 4, night, 0) && in_week(morning, 1 << 4, night, 0));
        assert!(!in_week(morning, 1 << 5, night, 0) && !in_week(FRIDAY_NOON, 0x7f, night, 0));
    }
}
