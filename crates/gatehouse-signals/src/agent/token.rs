//! The product token around a place, and what it tells by itself.

/// Longest name that is reported, in bytes.
const NAME_LIMIT: usize = 48;

/// The token around `at`: letters, digits, `-`, `_`, `.`, `!`; empty where there is none. Never longer than [`NAME_LIMIT`].
pub(super) fn around(text: &[u8], at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or_default();
    let start = at - before.iter().rev().take_while(|byte| is_token(**byte)).count().min(at);
    let rest = text.get(start..).unwrap_or_default();
    let mut length = rest.iter().take(NAME_LIMIT).take_while(|byte| is_token(**byte)).count();
    while length > 0 && matches!(rest.get(length - 1), Some(b'.' | b'-' | b'_')) {
        length -= 1;
    }
    (start, length)
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'!')
}

/// The token names artificial intelligence: `AI` as a word of its own in any spelling, `GPT`, `LLM`; or it is named as those
/// agents are that fetch for a person or for training (`…-User`, `…-SearchBot`, `…-Extended`).
pub(super) fn tells_ai(token: &[u8]) -> bool {
    let ends = |end: &[u8]| token.len() > end.len() && token.iter().rev().zip(end.iter().rev()).all(same_letter);
    has(token, b"gpt")
        || has(token, b"llm")
        || ends(b"-user")
        || ends(b"-searchbot")
        || ends(b"-extended")
        || (0..token.len()).any(|at| is_ai_word(token, at))
}

fn same_letter((one, other): (&u8, &u8)) -> bool {
    one.eq_ignore_ascii_case(other)
}

fn has(token: &[u8], part: &[u8]) -> bool {
    token.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

/// The two bytes at `at` are the word `ai`: bordered by signs, or by a change of case as in `OpenAIBot`, `aiHit`, `UseAI`.
fn is_ai_word(token: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| token.get(before)).copied();
    let rest = token.get(at..).unwrap_or_default();
    let (Some(word), behind) = (rest.get(..2), rest.get(2)) else { return false };
    let bordered = |byte: Option<u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric());
    let camel = behind.is_some_and(u8::is_ascii_uppercase);
    match word {
        b"AI" => {
            let starts = before.is_none_or(|byte| !byte.is_ascii_uppercase());
            let next_word = camel && rest.get(3).is_some_and(u8::is_ascii_lowercase);
            starts && (bordered(behind.copied()) || next_word || behind.is_some_and(u8::is_ascii_digit))
        }
        b"ai" | b"Ai" => bordered(before) && (bordered(behind.copied()) || camel),
        _ => false,
    }
}
