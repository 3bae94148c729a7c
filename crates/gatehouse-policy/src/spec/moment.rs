//! Moments (RFC 3339) and windows of wall-clock time.

#[cfg(feature = "yaml")]
pub(crate) mod text;

use crate::document::{Fields, Node, Problems, Value, quoted};

use super::types::TimeWindow;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const EVERY_DAY: u8 = 0x7f;
const MINUTES_A_DAY: u16 = 24 * 60;

/// A moment such as `2027-01-01T00:00:00Z` or `2027-01-01T00:00:00+01:00`, as Unix seconds; fractions are refused.
pub(super) fn moment(node: &Node, problems: &mut Problems) -> Option<u64> {
    let written = node.string(problems)?;
    let read = parse(written);
    if read.is_none() {
        let help = "write date, time and zone, such as `2027-01-01T00:00:00Z`";
        problems.push(&node.place, format!("{} is not a moment", quoted(written)), help);
    }
    read
}

fn parse(text: &str) -> Option<u64> {
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let mark = |at: usize, marks: &[u8]| text.as_bytes().get(at).is_some_and(|b| marks.contains(b));
    let shaped = mark(4, b"-") && mark(7, b"-") && mark(10, b"T") && mark(13, b":") && mark(16, b":");
    let offset = zone(text.get(19..)?)?;
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let real = (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    if !(shaped && real && hour < 24 && minute < 60 && second < 60) {
        return None;
    }
    let seconds = days_since_epoch(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    u64::try_from(seconds - i64::from(offset) * 60).ok()
}

/// `Z` or `+01:00`, in minutes east of UTC.
fn zone(text: &str) -> Option<i16> {
    if text == "Z" {
        return Some(0);
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let minutes = clock(rest).filter(|minutes| *minutes < MINUTES_A_DAY)?;
    i16::try_from(minutes).ok().map(|minutes| sign * minutes)
}

/// `HH:MM` in minutes; `24:00` is the end of a day.
fn clock(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |digits: &str| -> Option<u16> {
        (digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
    };
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (minutes < 60 && hours * 60 + minutes <= MINUTES_A_DAY).then_some(hours * 60 + minutes)
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + is_leap(year) as i64,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01, by years of 365 days and the leap days before the date (proleptic Gregorian calendar).
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let leap_days = |years: i64| years / 4 - years / 100 + years / 400;
    let before = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969);
    before + (1..month).map(|m| days_of(year, m)).sum::<i64>() + day - 1
}

/// `{ after, before, days, hours, zone }`: all that is written holds together.
pub(super) fn window(node: &Node, problems: &mut Problems) -> Option<TimeWindow> {
    let told = problems.0.len();
    let mut fields = Fields::of("time", node, "a time window", problems)?;
    let after = fields.take("after").and_then(|n| moment(n, problems));
    let before = fields.take("before").and_then(|n| moment(n, problems));
    let days = fields.take("days").and_then(|n| days(n, problems));
    let hours = fields.take("hours").and_then(|n| hours(n, problems));
    let zone_node = fields.take("zone");
    let offset = zone_node.and_then(|n| read_zone(n, problems));
    fields.finish(problems);
    if problems.0.len() > told {
        return None;
    }
    if after.is_none() && before.is_none() && days.is_none() && hours.is_none() {
        let help = "write `after`, `before`, `days` or `hours`";
        problems.push(&node.place, "the time window is open at every side", help);
        return None;
    }
    if after.zip(before).is_some_and(|(after, before)| after >= before) {
        problems.push(
            &node.place,
            "`after` is not before `before`: no moment is both",
            "write the earlier one as `after`",
        );
        return None;
    }
    if let Some(zone) = zone_node.filter(|_| days.is_none() && hours.is_none()) {
        problems.push(&zone.place, "`zone` stands without `days` and `hours`", "leave it out: moments have their own");
        return None;
    }
    let days = days.unwrap_or(EVERY_DAY);
    Some(TimeWindow { after, before, days, hours, offset_minutes: offset.unwrap_or(0) })
}

fn read_zone(node: &Node, problems: &mut Problems) -> Option<i16> {
    let written = node.string(problems)?;
    let read = zone(written);
    if read.is_none() {
        let help = "write `Z` or what is added to UTC, such as `\"+01:00\"`; names of zones are not known here";
        problems.push(&node.place, format!("{} is not a zone", quoted(written)), help);
    }
    read
}

/// `HH:MM-HH:MM`.
fn hours(node: &Node, problems: &mut Problems) -> Option<(u16, u16)> {
    let written = node.string(problems)?;
    let read = written.split_once('-').and_then(|(from, to)| clock(from).zip(clock(to)));
    let read = read.filter(|(from, to)| from != to && *from < MINUTES_A_DAY);
    if read.is_none() {
        let help = "write begin and end, such as `08:00-18:00`, or `22:00-06:00` over midnight";
        problems.push(&node.place, format!("{} is no part of a day", quoted(written)), help);
    }
    read
}

/// `mon`, `sat-sun`, or a list of these, as bits.
fn days(node: &Node, problems: &mut Problems) -> Option<u8> {
    let items = node.one_or_many();
    if items.is_empty() {
        problems.push(&node.place, "an empty list matches nothing", "write days, or leave the field out");
        return None;
    }
    let mut bits = 0;
    for item in items {
        bits |= day_bits(item, problems)?;
    }
    Some(bits)
}

fn day_bits(node: &Node, problems: &mut Problems) -> Option<u8> {
    let Value::String(written) = &node.value else {
        node.string(problems)?;
        return None;
    };
    let number = |name: &str| DAYS.iter().position(|day| *day == name);
    let range = match written.split_once('-') {
        Some((first, last)) => number(first).zip(number(last)),
        None => number(written).map(|day| (day, day)),
    };
    let Some((first, last)) = range else {
        node.one_of(&DAYS, problems)?;
        return None;
    };
    let mut bits = 1u8 << first;
    let mut day = first;
    while day != last {
        day = (day + 1) % DAYS.len();
        bits |= 1 << day;
    }
    Some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_with_their_zone() {
        assert_eq!(parse("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(parse("2027-01-01T00:00:00Z"), Some(1_798_761_600));
        assert_eq!(parse("2000-02-29T12:34:56+01:30"), Some(951_822_296));
        assert_eq!(parse("9999-12-31T23:59:59Z"), Some(253_402_300_799));
        for bad in [
            "2027-01-01",
            "2027-01-01T00:00:00",
            "2027-02-29T00:00:00Z",
            "2027-13-01T00:00:00Z",
            "2027-01-01 00:00:00Z",
            "2027-01-01T24:00:00Z",
            "2027-01-01T00:00:00.5Z",
            "1969-12-31T23:59:59Z",
            "2027-01-01T00:00:00+1:00",
            "+027-01-01T00:00:00Z",
            "",
            "2027-01-01T00:00:00é",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn clocks_and_zones_have_two_digits_each() {
        assert_eq!((clock("00:00"), clock("24:00"), clock("23:59")), (Some(0), Some(1440), Some(1439)));
        assert_eq!((clock("24:01"), clock("9:00"), clock("+9:00")), (None, None, None));
        assert_eq!((zone("-03:30"), zone("+24:00"), zone("UTC")), (Some(-210), None, None));
    }
}
