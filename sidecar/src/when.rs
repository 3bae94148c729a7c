//! Moments as people and logs write them, to nanoseconds since the Unix epoch; and durations on a clock of their own.

/// The nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;
/// 2501-01-01T00:00:00Z: no moment is as late.
const END: u64 = 16_756_761_600 * SECOND;

const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// RFC 3339 (`2026-01-31T12:34:56.789Z`), also with a space for the `T` or an offset without a colon. `None`: it is none, or
/// lies before 1970 or beyond 2500.
#[must_use]
pub fn rfc3339(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    let (date, rest) = bytes.split_at_checked(10)?;
    if *date.get(4)? != b'-' || *date.get(7)? != b'-' || !matches!(rest.first(), Some(b'T' | b't' | b' ')) {
        return None;
    }
    let days = days(number(date.get(..4)?)?, number(date.get(5..7)?)?, number(date.get(8..10)?)?)?;
    let (clock, rest) = rest.get(1..)?.split_at_checked(8)?;
    let (nanos, zone) = fraction(rest)?;
    moment(days, clock, nanos, offset(zone)?)
}

/// The time of common log lines (`10/Oct/2000:13:55:36 -0700`). `None`: as for [`rfc3339`].
#[must_use]
pub fn common(text: &[u8]) -> Option<u64> {
    let (date, rest) = text.split_at_checked(11)?;
    let month = MONTHS.iter().position(|name| date.get(3..6).is_some_and(|word| word.eq_ignore_ascii_case(name)))?;
    let days = days(number(date.get(7..)?)?, month as u64 + 1, number(date.get(..2)?)?)?;
    let (clock, rest) = rest.strip_prefix(b":")?.split_at_checked(8)?;
    moment(days, clock, 0, offset(rest.trim_ascii())?)
}

/// Seconds since the Unix epoch, or milliseconds, microseconds or nanoseconds where only that gives a year before 5000.
/// `None`: it is negative, or beyond 2500.
#[must_use]
pub fn unix(number: f64) -> Option<u64> {
    let factor = match number {
        n if !(0.0..9.0e18).contains(&n) => return None,
        n if n < 1.0e11 => 1.0e9,
        n if n < 1.0e14 => 1.0e6,
        n if n < 1.0e17 => 1.0e3,
        _ => 1.0,
    };
    // To the microsecond: a double of today's seconds holds no more.
    ((number * factor / 1.0e3).round() as u64).checked_mul(1_000).filter(|nanos| *nanos < END)
}

/// Now, by the wall clock.
#[must_use]
pub fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Shows a moment as RFC 3339 with milliseconds.
#[must_use]
pub fn shown(nanos: u64) -> String {
    crate::ocsf::time::Rfc3339(nanos / 1_000_000).to_string()
}

fn moment(days: u64, clock: &[u8], nanos: u64, offset: i64) -> Option<u64> {
    let at = |from: usize| number(clock.get(from..from + 2)?);
    let (hour, minute, second) = (at(0)?, at(3)?, at(6)?);
    // A leap second is the next second.
    let sound = hour < 24 && minute < 60 && second < 61 && clock.get(2) == Some(&b':') && clock.get(5) == Some(&b':');
    let local = days * 86_400 + hour * 3_600 + minute * 60 + second;
    let seconds = local.checked_add_signed(-offset).filter(|_| sound)?;
    seconds.checked_mul(SECOND)?.checked_add(nanos).filter(|nanos| *nanos < END)
}

/// Digits after a point, as nanoseconds, and what follows.
fn fraction(rest: &[u8]) -> Option<(u64, &[u8])> {
    let Some(after) = rest.strip_prefix(b".").or_else(|| rest.strip_prefix(b",")) else { return Some((0, rest)) };
    let length = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, zone) = after.split_at_checked(length).filter(|_| length > 0)?;
    let kept = digits.get(..9).unwrap_or(digits);
    Some((number(kept)? * 10u64.pow(9 - kept.len() as u32), zone))
}

/// Seconds east of Greenwich.
fn offset(zone: &[u8]) -> Option<i64> {
    let (sign, digits) = match zone {
        b"Z" | b"z" | b"" => return Some(0),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits {
        [h1, h2, m1, m2] | [h1, h2, b':', m1, m2] => ([*h1, *h2], [*m1, *m2]),
        _ => return None,
    };
    let (hours, minutes) = (number(&hours)?, number(&minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60) as i64)
}

fn number(digits: &[u8]) -> Option<u64> {
    let digit = |byte: &u8| byte.is_ascii_digit().then_some(u64::from(byte.wrapping_sub(b'0')));
    digits.iter().try_fold(0u64, |sum, byte| Some(sum * 10 + digit(byte)?)).filter(|_| (1..=9).contains(&digits.len()))
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar, counted in years that begin in March.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let last = match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1970..=2500).contains(&year) || day == 0 || day > last {
        return None;
    }
    let year = year - u64::from(month <= 2);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    (year * 365 + year / 4 - year / 100 + year / 400 + day_of_year).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_back_as_they_are_shown() {
        for ms in [0, 951_782_399_999, 951_782_400_000, 1_709_251_200_000, 4_107_542_400_000, 1_767_225_599_001] {
            assert_eq!(rfc3339(&shown(ms * 1_000_000)), Some(ms * 1_000_000));
        }
    }

    #[test]
    fn offsets_fractions_and_other_spellings_are_one_moment() {
        let same = Some(971_211_336_000_000_000);
        for text in
            ["2000-10-10T20:55:36Z", "2000-10-10 20:55:36Z", "2000-10-10T13:55:36-07:00", "2000-10-10t20:55:36.0z"]
        {
            assert_eq!(rfc3339(text), same, "{text}");
        }
        assert_eq!(common(b"10/Oct/2000:13:55:36 -0700"), same);
        assert_eq!(rfc3339("2000-10-10T20:55:36.123456789Z"), same.map(|ns| ns + 123_456_789));
        assert_eq!(unix(971_211_336.5), same.map(|ns| ns + 500_000_000));
        assert_eq!((unix(971_211_336_000.0), unix(971_211_336_000_000.0)), (same, same));
    }

    #[test]
    fn what_is_no_moment_is_none() {
        assert_eq!((unix(9.0e10), unix(f64::INFINITY)), (None, None));
        assert_eq!((unix(16_756_761_600.0), rfc3339("2500-12-31T23:59:59-00:01")), (None, None));
        assert_eq!(unix(16_756_761_599.0), rfc3339("2500-12-31T23:59:59Z"));
        for text in ["", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "1969-12-31T23:59:59Z", "2026-01-01T24:00:00Z"]
        {
            assert_eq!(rfc3339(text), None, "{text}");
        }
        for text in ["2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+25:00", "2026-01-01", "1970-01-01T00:00:00+01:00"] {
            assert_eq!(rfc3339(text), None, "{text}");
        }
        assert_eq!(
            (common(b"10/Foo/2000:13:55:36 -0700"), common(b""), unix(-1.0), unix(f64::NAN)),
            (None, None, None, None)
        );
    }
}
