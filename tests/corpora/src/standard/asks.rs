//! The traffic of the standard case: 2,000 clients, most of them browsers.

use super::HOSTS;
use crate::{Ask, Dice, clients, networks};

/// Different clients that do nothing wrong.
const CLIENTS: u64 = 2000;

pub(super) fn host(number: usize) -> String {
    format!("shop-{number}.example.com")
}

pub(super) fn asks(count: usize, bad: &[String], rules: usize) -> Vec<Ask> {
    let mut dice = Dice::new(0x5eed);
    (0..count).map(|_| ask(&mut dice, bad, rules)).collect()
}

fn ask(dice: &mut Dice, bad: &[String], rules: usize) -> Ask {
    let host = host(dice.below(HOSTS as u64) as usize);
    match dice.below(1000) {
        0..20 => bad_network(&host, bad, dice),
        20..30 => {
            let address = address(dice);
            clients::scanner(Ask::new("GET", &host, "/wp-login.php"), &address, dice)
        }
        30..40 => closed(&host, &format!("/admin{}/users?page=2", numbered(dice, rules, 2)), dice),
        40..44 => closed(&host, &format!("/v2/r{}/list", numbered(dice, rules, 6)), dice),
        44..47 => closed(&host, "/.git/config", dice),
        47..50 => {
            let number = numbered(dice, rules, 7);
            closed(&host, "/catalog", dice).with("x-client", format!("old-{number}"))
        }
        _ => allowed(&host, dice),
    }
}

/// The number of some rule of a kind that a host has.
fn numbered(dice: &mut Dice, rules: usize, kind: usize) -> usize {
    let of_kind = (rules.saturating_sub(kind + 1) / 15 + 1) as u64;
    kind + 15 * dice.below(of_kind) as usize
}

fn bad_network(host: &str, bad: &[String], dice: &mut Dice) -> Ask {
    // The first list holds every second network.
    let at = 2 * dice.below(bad.len().div_ceil(2) as u64) as usize;
    let address = bad.get(at).and_then(|network| networks::inside(network)).map_or_else(String::new, |a| a.to_string());
    clients::browser(Ask::new("GET", host, "/catalog?page=3"), &address, dice)
}

fn closed(host: &str, path: &str, dice: &mut Dice) -> Ask {
    let address = address(dice);
    clients::browser(Ask::new("GET", host, path), &address, dice)
}

fn allowed(host: &str, dice: &mut Dice) -> Ask {
    let (address, item) = (address(dice), dice.below(100_000));
    let pages = [
        "/".to_owned(),
        format!("/catalog/shoes?page={}&sort=price", item % 40),
        format!("/catalog/c{}/item-{item}", 15 * (item % 4)),
        format!("/product/{item}?ref=home"),
        "/search?q=red%20shoes".to_owned(),
        format!("/static/app.{item:05}.js"),
    ];
    match dice.below(10) {
        0..2 => {
            let path = format!("/api/v1/items/{item}?expand=price");
            clients::application(Ask::new("GET", host, &path), &address, dice)
        }
        2 => clients::application(Ask::new("POST", host, "/api/v1/carts"), &address, dice),
        3 if dice.per_mille(200) => clients::browser(Ask::new("POST", host, "/login"), &address, dice),
        _ => {
            let page = dice.one_of(&pages).cloned().unwrap_or_default();
            clients::browser(Ask::new("GET", host, &page), &address, dice)
        }
    }
}

/// An address in the range for measurements (RFC 2544).
fn address(dice: &mut Dice) -> String {
    let client = dice.below(CLIENTS);
    format!("198.18.{}.{}", 100 + client / 250, 1 + client % 250)
}
