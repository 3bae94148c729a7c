//! Moments and windows, written back.

use super::{DAYS, EVERY_DAY, days_of, days_since_epoch};
use crate::spec::types::TimeWindow;

/// Unix seconds as moments are read.
pub(crate) fn moment_text(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// The date of a day counted from 1970-01-01.
fn date(days: u64) -> (i64, i64, i64) {
    let days = i64::try_from(days).unwrap_or(i64::MAX);
    let mut year = 1970 + days / 366;
    while days_since_epoch(year + 1, 1, 1) <= days {
        year += 1;
    }
    let mut left = days - days_since_epoch(year, 1, 1);
    let mut month = 1;
    while left >= days_of(year, month) {
        left -= days_of(year, month);
        month += 1;
    }
    (year, month, left + 1)
}

/// The parts of a window as they are written: days as words, hours and zone as texts.
pub(crate) fn window_text(window: &TimeWindow) -> (Option<Vec<&'static str>>, Option<String>, Option<String>) {
    let days = (window.days != EVERY_DAY).then(|| {
        DAYS.iter().enumerate().filter(|(bit, _)| window.days & (1 << bit) != 0).map(|(_, day)| *day).collect()
    });
    let clock = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    let hours = window.hours.map(|(from, to)| format!("{}-{}", clock(from), clock(to)));
    let east = window.offset_minutes;
    let sign = if east < 0 { '-' } else { '+' };
    let zone = (east != 0).then(|| format!("{sign}{}", clock(east.unsigned_abs())));
    (days, hours, zone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::moment::parse;

    #[test]
    fn what_is_written_is_read_again() {
        for seconds in (0..200_000_000_000u64).step_by(123_456_789) {
            assert_eq!(parse(&moment_text(seconds)), Some(seconds));
        }
    }
}
