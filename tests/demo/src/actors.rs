//! Who the clients are and what they send. Nothing is random: shot `n` of an actor is the same in every run.
//!
//! Most come through a load balancer, which the policy trusts to name the client in `X-Forwarded-For`; the others
//! connect to Envoy themselves, from addresses of their own. All addresses are on loopback, all names are examples.

use std::net::Ipv4Addr;

/// The load balancer in front of Envoy: the one peer that the demo's policy trusts.
pub const LOAD_BALANCER: Ipv4Addr = Ipv4Addr::new(127, 0, 20, 1);

/// The shop's name.
pub const HOST: &str = "shop.example.com";

/// Password of every account of the shop.
pub const PASSWORD: &str = "correct-horse";

/// A kind of client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Actor {
    /// Browses, searches, buys, logs in.
    Shopper,
    /// Works in the office and may use /admin.
    Office,
    /// Follows links of the old shop.
    Bookmark,
    /// An old browser whose headers are not UTF-8.
    OldBrowser,
    /// Reads the whole catalogue.
    Crawler,
    /// Tries passwords.
    Guesser,
    /// Looks for forgotten files.
    Scanner,
    /// Claims the office's address to get into /admin.
    Forger,
}

/// One request, as it will travel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shot {
    /// Who sends it.
    pub actor: Actor,
    /// The address it comes from.
    pub from: Ipv4Addr,
    /// Method.
    pub method: &'static str,
    /// Path and query.
    pub target: String,
    /// Headers besides Host and Content-Length.
    pub headers: Vec<(&'static str, Vec<u8>)>,
    /// Body; empty: none.
    pub body: String,
}

impl Actor {
    /// All of them, in the order of the report.
    pub const ALL: [Self; 8] = [
        Self::Shopper,
        Self::Office,
        Self::Bookmark,
        Self::OldBrowser,
        Self::Crawler,
        Self::Guesser,
        Self::Scanner,
        Self::Forger,
    ];

    /// What the report calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shopper => "shoppers",
            Self::Office => "office",
            Self::Bookmark => "old links",
            Self::OldBrowser => "old browser",
            Self::Crawler => "crawler",
            Self::Guesser => "login guesser",
            Self::Scanner => "path scanner",
            Self::Forger => "forger",
        }
    }

    /// What it does, in a few words.
    pub const fn story(self) -> &'static str {
        match self {
            Self::Shopper => "browse, search, buy, log in",
            Self::Office => "uses /admin from the office network",
            Self::Bookmark => "follows links of the old shop",
            Self::OldBrowser => "sends headers that are not UTF-8",
            Self::Crawler => "reads the catalogue and searches",
            Self::Guesser => "tries a list of passwords",
            Self::Scanner => "looks for /.env, /.git, /wp-login.php …",
            Self::Forger => "forges X-Forwarded-For to enter /admin",
        }
    }

    /// Requests a second.
    pub const fn per_second(self) -> u32 {
        match self {
            Self::Shopper => 80,
            Self::Office | Self::OldBrowser => 3,
            Self::Bookmark => 4,
            Self::Crawler => 18,
            Self::Guesser => 12,
            Self::Scanner => 16,
            Self::Forger => 6,
        }
    }

    /// Its request number `n`.
    pub fn shot(self, n: u64) -> Shot {
        match self {
            Self::Shopper => shopper(n),
            Self::Office => Shot::get(self, "/admin/orders").forwarded(format!("192.0.2.{}", 10 + n % 20)),
            Self::Bookmark => Shot::get(self, format!("/shop/item-{}", n % 40)).forwarded(home(n)),
            Self::OldBrowser => old_browser(n),
            Self::Crawler => crawler(n),
            Self::Guesser => guesser(n),
            Self::Scanner => Shot::get(self, pick(SCANNED, n)).from([127, 0, 66, 1]),
            Self::Forger => forger(n),
        }
    }

    const fn agent(self) -> &'static str {
        match self {
            Self::Shopper | Self::Office | Self::Bookmark | Self::OldBrowser => {
                "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0"
            }
            Self::Crawler => "ExampleBot/2.1 (+https://crawler.example/bot.html)",
            Self::Guesser => "python-requests/2.32.3",
            Self::Scanner => "Mozilla/5.0 zgrab/0.x",
            Self::Forger => "curl/8.9.1",
        }
    }
}

/// What the scanner asks for; the last ones hide what they mean.
const SCANNED: &[&str] = &[
    "/.env",
    "/.git/config",
    "/wp-login.php",
    "/wp-admin/setup-config.php",
    "/phpmyadmin/index.php",
    "/backup.sql",
    "/server-status",
    "/%2eenv",
    "//.git//HEAD",
    "/static/../.env",
    "/static/..%2f..%2fetc/passwd",
    "/old/index.php",
];

const SEARCHED: &[&str] = &["lamp", "chair", "blue+table", "desk", "caf%C3%A9+mug"];

fn shopper(n: u64) -> Shot {
    let item = n * 7 % 200;
    let shot = match n % 20 {
        0 | 1 => Shot::get(Actor::Shopper, "/"),
        2..=5 => Shot::get(Actor::Shopper, format!("/search?q={}&page={}", pick(SEARCHED, n / 20), 1 + n % 3)),
        6 => Shot::post(Actor::Shopper, "/login", credentials(n, PASSWORD)),
        7 => Shot::post(Actor::Shopper, "/cart", format!("{{\"item\":{item},\"count\":1}}")),
        8..=10 => Shot::get(Actor::Shopper, format!("/catalog/{item}/reviews")),
        _ => Shot::get(Actor::Shopper, format!("/catalog/{item}")),
    };
    shot.with("Cookie", format!("session=s{:08x}; theme=dark", n % 400)).forwarded(home(n))
}

fn old_browser(n: u64) -> Shot {
    let shot = Shot::get(Actor::OldBrowser, format!("/catalog/{}", n % 200)).forwarded(home(n));
    shot.with("Referer", b"http://caf\xe9.example/\xfcber-uns".as_slice())
        .with("X-Note", (0x80..=0xff).collect::<Vec<u8>>())
}

fn crawler(n: u64) -> Shot {
    let target = match n % 6 {
        0 => format!("/search?q={}&page={}", pick(SEARCHED, n / 6), n % 50),
        _ => format!("/catalog/{}", n % 200),
    };
    Shot::get(Actor::Crawler, target).forwarded("198.51.100.7".to_owned())
}

/// Goes through, so it also shows what becomes of headers that are not a client's to send.
fn guesser(n: u64) -> Shot {
    let shot = Shot::post(Actor::Guesser, "/login", credentials(n / 50, &format!("hunter{n}"))).from([127, 0, 66, 2]);
    shot.with("X-Gatehouse-Verdict", b"allow".as_slice()).with("X-Shop-Client", b"partner".as_slice())
}

/// Half of the tries come straight to Envoy, half through the load balancer, which adds the address it saw.
fn forger(n: u64) -> Shot {
    let shot = Shot::get(Actor::Forger, "/admin/orders").with("X-Gatehouse-Verdict", b"allow".as_slice());
    match n % 2 {
        0 => shot.forwarded("192.0.2.10".to_owned()).from([127, 0, 66, 3]),
        _ => shot.forwarded("192.0.2.10, 198.51.100.66".to_owned()),
    }
}

fn credentials(account: u64, password: &str) -> String {
    format!("{{\"user\":\"user{}\",\"password\":\"{password}\"}}", account % 50)
}

fn home(n: u64) -> String {
    format!("203.0.113.{}", 1 + n * 13 % 250)
}

fn pick<'a>(list: &[&'a str], n: u64) -> &'a str {
    let at = n % (list.len().max(1) as u64);
    list.get(at as usize).copied().unwrap_or_default()
}

impl Shot {
    fn get(actor: Actor, target: impl Into<String>) -> Self {
        let headers = vec![("User-Agent", actor.agent().into()), ("Accept", "*/*".into())];
        Self { actor, from: LOAD_BALANCER, method: "GET", target: target.into(), headers, body: String::new() }
    }

    fn post(actor: Actor, target: &str, body: String) -> Self {
        let shot = Self { method: "POST", body, ..Self::get(actor, target) };
        shot.with("Content-Type", b"application/json".as_slice())
    }

    fn with(mut self, name: &'static str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn forwarded(self, clients: String) -> Self {
        self.with("X-Forwarded-For", clients)
    }

    fn from(self, address: [u8; 4]) -> Self {
        Self { from: address.into(), ..self }
    }

    /// The request's exact bytes in HTTP/1.1.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\nHost: {HOST}\r\n", self.method, self.target).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        if !self.body.is_empty() {
            bytes.extend(format!("Content-Length: {}\r\n", self.body.len()).into_bytes());
        }
        bytes.extend([b"\r\n", self.body.as_bytes()].concat());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shot_is_the_same_in_every_run_and_all_come_from_loopback() {
        for actor in Actor::ALL {
            for n in 0..500 {
                let shot = actor.shot(n);
                assert_eq!(shot, actor.shot(n));
                assert!(shot.from.is_loopback() && shot.target.starts_with('/') && shot.target.is_ascii(), "{shot:?}");
            }
        }
    }

    #[test]
    fn the_rate_is_between_a_hundred_and_two_hundred_a_second() {
        let sum: u32 = Actor::ALL.iter().map(|actor| actor.per_second()).sum();
        assert!((100..=200).contains(&sum), "{sum}");
    }

    #[test]
    fn only_the_old_browser_sends_bytes_that_are_not_utf_8() {
        for actor in Actor::ALL {
            let plain = (0..100).all(|n| std::str::from_utf8(&actor.shot(n).bytes()).is_ok());
            assert_eq!(plain, actor != Actor::OldBrowser, "{}", actor.name());
        }
    }

    #[test]
    fn a_post_says_its_length() {
        let bytes = String::from_utf8(Actor::Guesser.shot(0).bytes()).unwrap();
        let (head, body) = bytes.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /login HTTP/1.1\r\nHost: shop.example.com\r\n"), "{head}");
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
    }
}
