//! Secrets to plant, a new set each run, in every place that a client controls, and the search for them.

use crate::HOST;
use gatehouse_support::client::request;

/// One planted secret.
pub struct Planted {
    /// What and where, for messages.
    pub place: String,
    /// What must not be found: the part of the secret that gives it away.
    pub needle: String,
    /// The request that carries it.
    pub request: Vec<u8>,
}

/// Kind, the secret as sent, and the needle to look for.
type Secret = (&'static str, String, String);

/// About a hundred requests, each with one secret in one place.
#[must_use]
pub fn planted() -> Vec<Planted> {
    let mut all = Vec::new();
    for round in 0..3u64 {
        for (kind, secret, needle) in secrets(round + seed()) {
            for (place, request) in places(kind, &secret, round) {
                all.push(Planted { place: format!("{kind} in {place}"), needle: needle.clone(), request });
            }
        }
    }
    all
}

/// The text around the first place where `needle` stands, in any letter case, raw or percent-decoded.
#[must_use]
pub fn found(needle: &str, bytes: &[u8]) -> Option<String> {
    let needle = needle.to_ascii_lowercase().into_bytes();
    let mut text = bytes.to_ascii_lowercase();
    for _ in 0..3 {
        if let Some(at) = text.windows(needle.len()).position(|window| window == needle) {
            let around = &text[at.saturating_sub(60)..(at + needle.len() + 60).min(text.len())];
            return Some(String::from_utf8_lossy(around).into_owned());
        }
        if !text.contains(&b'%') {
            return None;
        }
        text = decoded(&text);
    }
    None
}

fn secrets(seed: u64) -> Vec<Secret> {
    let mut random = Random(seed);
    let card = card(&mut random);
    let word = random.letters(24);
    let payload = random.letters(40);
    let jwt = format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI{payload}.{}", random.letters(43));
    let basic = format!("dXNlc{}Og==", random.letters(20));
    let key = format!("sk_live_{}", random.letters(24));
    let person = format!("p{}", random.letters(9));
    vec![
        ("card", card.clone(), card),
        ("jwt", jwt, payload),
        ("bearer", format!("Bearer {word}"), word),
        ("basic", format!("Basic {basic}"), basic),
        ("api key", key.clone(), key[8..].to_owned()),
        ("email", format!("{person}@mail.example"), person),
    ]
}

fn places(kind: &str, secret: &str, round: u64) -> Vec<(&'static str, Vec<u8>)> {
    let base = ["/open", "/blocked", "/watched"][round as usize % 3];
    let once = encoded(secret);
    let twice = once.replace('%', "%25");
    let get = |target: String, extra: &[(&str, &str)]| {
        let mut fields = vec![("host", HOST)];
        fields.extend(extra);
        request("GET", &target, &fields, b"")
    };
    let referer = format!("https://www.example.org/found?q={once}");
    let cookie = format!("theme=dark; session={once}");
    let agent = format!("probe/1.0 ({secret})");
    let mut all = vec![
        ("path", get(format!("{base}/{once}/end"), &[])),
        ("query", get(format!("{base}?q={once}&page=2"), &[])),
        ("double-encoded query", get(format!("{base}?next={twice}"), &[])),
        ("header", get(base.to_owned(), &[("x-custom", secret), ("accept", secret)])),
        ("cookie", get(base.to_owned(), &[("cookie", &cookie)])),
        ("referer", get(base.to_owned(), &[("referer", &referer)])),
        ("user agent", get(base.to_owned(), &[("user-agent", &agent)])),
    ];
    if matches!(kind, "bearer" | "basic" | "jwt") {
        all.push(("authorization", get(base.to_owned(), &[("authorization", secret)])));
    }
    all
}

fn card(random: &mut Random) -> String {
    let mut digits: Vec<u32> = vec![4];
    digits.extend((0..14).map(|_| (random.next() % 10) as u32));
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, &digit)| {
            if i % 2 == 0 {
                let twice = digit * 2;
                if twice > 9 { twice - 9 } else { twice }
            } else {
                digit
            }
        })
        .sum();
    digits.push((10 - sum % 10) % 10);
    digits.iter().filter_map(|&digit| char::from_digit(digit, 10)).collect()
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

fn decoded(bytes: &[u8]) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16)).map(|value| value as u8);
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(&byte) = bytes.get(at) {
        match (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push(high * 16 + low);
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

fn seed() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(1, |since| since.as_nanos() as u64) | 1
}

/// SplitMix64: enough to make secrets that no source file holds.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Letters and digits mixed, with at least two of each.
    fn letters(&mut self, count: usize) -> String {
        const ALL: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        let mut text = String::from("a7K3");
        while text.len() < count {
            text.push(char::from(ALL[(self.next() % 62) as usize]));
        }
        text
    }
}
