//! What clients send besides what they ask for: the headers of browsers, applications and tools.

use crate::{Ask, Dice};

/// Browsers: user agent, client hints (empty: it sends none), JA4 of its hello.
const BROWSERS: [(&str, &str, &str); 4] = [
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
        "\"Chromium\";v=\"131\", \"Not_A Brand\";v=\"24\"",
        "t13d1516h2_0a1b2c3d4e5f_a0b1c2d3e4f5",
    ),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
        "\"Chromium\";v=\"130\", \"Not_A Brand\";v=\"99\"",
        "t13d1516h2_0a1b2c3d4e5f_a0b1c2d3e4f5",
    ),
    (
        "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
        "",
        "t13d1715h2_1b2c3d4e5f60_b1c2d3e4f5a6",
    ),
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
        "",
        "t13d2014h2_2c3d4e5f6071_c2d3e4f5a6b7",
    ),
];

/// Applications and libraries.
const TOOLS: [&str; 4] = ["ShopApp/7.4.1 (iOS 18.1)", "okhttp/4.12.0", "python-requests/2.32.3", "Go-http-client/2.0"];

/// Adds what a browser sends, and what a proxy before the gate adds.
pub(crate) fn browser(ask: Ask, address: &str, dice: &mut Dice) -> Ask {
    let which = dice.below(BROWSERS.len() as u64) as usize;
    let (agent, hints, ja4) = BROWSERS.get(which).copied().unwrap_or_default();
    let mut ask = ask;
    if !hints.is_empty() {
        ask = ask
            .with("sec-ch-ua", hints)
            .with("sec-ch-ua-mobile", "?0")
            .with("sec-ch-ua-platform", "\"Windows\"")
            .with("upgrade-insecure-requests", "1");
    }
    ask = ask
        .with("user-agent", agent)
        .with("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8")
        .with("sec-fetch-site", "same-origin")
        .with("sec-fetch-mode", "navigate")
        .with("sec-fetch-dest", "document")
        .with("referer", "https://www.example.com/catalog?page=1")
        .with("accept-encoding", "gzip, deflate, br, zstd")
        .with("accept-language", "en-GB,en;q=0.9,de;q=0.8")
        .with("cookie", format!("session={:032x}; theme=dark; consent=1", u128::from(dice.bits())));
    ask.ja4 = Some(ja4.to_owned());
    proxied(ask, address, dice)
}

/// Adds what an application sends.
pub(crate) fn application(ask: Ask, address: &str, dice: &mut Dice) -> Ask {
    let agent = dice.one_of(&TOOLS).copied().unwrap_or_default();
    let ask = ask
        .with("user-agent", agent)
        .with("accept", "application/json")
        .with("accept-encoding", "gzip")
        .with("x-api-key", format!("key-{:08x}", dice.below(500)))
        .with("content-type", "application/json");
    proxied(ask, address, dice)
}

/// Adds what a scanner sends.
pub(crate) fn scanner(ask: Ask, address: &str, dice: &mut Dice) -> Ask {
    let ask = ask.with("user-agent", "Mozilla/5.0 (compatible; Nuclei - Open-source project)").with("accept", "*/*");
    proxied(ask, address, dice)
}

fn proxied(ask: Ask, address: &str, dice: &mut Dice) -> Ask {
    let (high, low) = (dice.bits(), dice.bits());
    ask.with("x-forwarded-for", address).with("x-forwarded-proto", "https").with(
        "x-request-id",
        format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            low >> 52,
            low & 0xffff_ffff_ffff
        ),
    )
}
