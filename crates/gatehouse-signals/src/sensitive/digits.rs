//! Payment cards and telephone numbers.

use super::{Class, Found, runs};

/// Fewest and most digits of a payment card number (ISO/IEC 7812).
const CARD_DIGITS: core::ops::RangeInclusive<usize> = 13..=19;

/// Fewest digits that are taken for a telephone number, and the most that E.164 allows.
const PHONE_DIGITS: core::ops::RangeInclusive<usize> = 8..=15;

/// The number that begins at `at`, with its first digit or its plus sign. Returns where the search goes on.
pub(super) fn at(text: &[u8], at: usize, found: &mut Vec<Found>) -> usize {
    let (end, class) = match text.get(at) {
        Some(b'+') => (phone(text, at), Class::Phone),
        _ => (card(text, at), Class::Card),
    };
    let Some(end) = end else { return at + 1 };
    found.push((at..end, class));
    end
}

/// End of the card number that begins at `start`, the first digit of a group. It ends where a group ends.
fn card(text: &[u8], start: usize) -> Option<usize> {
    let mut digits = [0u8; 19];
    let mut count = 0;
    let mut at = start;
    loop {
        let next = text.get(at + 1).copied().unwrap_or_default();
        match text.get(at).copied()? {
            digit @ b'0'..=b'9' => {
                *digits.get_mut(count)? = digit - b'0';
                count += 1;
                let number = digits.get(..count)?;
                if !next.is_ascii_digit()
                    && CARD_DIGITS.contains(&count)
                    && is_card(number)
                    && !runs::in_uuid(text, start)
                {
                    return Some(at + 1);
                }
            }
            b' ' | b'-' | b'+' if next.is_ascii_digit() => {}
            _ => return None,
        }
        at += 1;
    }
}

fn is_card(digits: &[u8]) -> bool {
    let issued = match digits {
        // The two-series of Mastercard; other numbers that begin so are dates and counters.
        [2, a, b, c, ..] => {
            digits.len() == 16 && (221..=720).contains(&(u16::from(*a) * 100 + u16::from(*b) * 10 + u16::from(*c)))
        }
        [first, ..] => (3..=6).contains(first),
        [] => false,
    };
    issued && luhn(digits)
}

/// The check digit is right (ISO/IEC 7812-1, annex B).
fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit) => digit * 2 - if digit > 4 { 9 } else { 0 },
        })
        .sum();
    sum.is_multiple_of(10)
}

/// End of the telephone number whose plus sign stands at `start`.
fn phone(text: &[u8], start: usize) -> Option<usize> {
    if !matches!(text.get(start + 1)?, b'1'..=b'9') {
        return None;
    }
    let (mut count, mut at) = (0, start + 1);
    while let Some(&byte) = text.get(at) {
        let next = text.get(at + 1).copied().unwrap_or_default();
        match byte {
            b'0'..=b'9' => count += 1,
            b' ' | b'+' | b'-' | b'(' | b')' if next.is_ascii_digit() || matches!(next, b'(' | b' ') => {}
            _ => break,
        }
        at += 1;
        if count > *PHONE_DIGITS.end() {
            return None;
        }
    }
    let ends = !text.get(at).is_some_and(u8::is_ascii_alphabetic);
    (ends && PHONE_DIGITS.contains(&count)).then_some(at)
}
