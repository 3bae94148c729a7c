//! The configuration of a guard, right and wrong.

use std::time::Duration;

use super::config::{Config, House};

const GOOD: &str = "
node: db-1
fronts:
  - { name: orders, listen: 0.0.0.0:5432, upstream: 127.0.0.1:5433, destination: Orders.internal }
  - { name: stock, listen: '[::]:5434', upstream: stock.svc:5434 }
tls: { certificate: tls.crt, key: tls.key, authorities: ca.crt }
policies: [policies]
house: { unix: /run/house.sock }
whenNoPolicy: allow
limits: { connections: 5, handshakes: 6, handshake: 2s, idle: 10m }
drain: 1m
admin: 127.0.0.1:0
";

#[test]
fn a_configuration_is_read_whole() {
    let config = Config::parse("guard.yaml", GOOD).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!((config.node.as_str(), config.fronts.len()), ("db-1", 2));
    assert_eq!(config.fronts[0].destination.as_deref(), Some("orders.internal"));
    assert_eq!(config.fronts[1].destination, None);
    assert_eq!(config.house, Some(House::Unix("/run/house.sock".into())));
    assert_eq!((config.limits.connections, config.limits.idle), (5, Duration::from_secs(600)));
    assert_eq!((config.limits.connect, config.drain), (Duration::from_secs(5), Duration::from_secs(60)));
}

#[test]
fn every_problem_is_told_with_its_place() {
    let wrong = "
fronts:
  - { name: a, listen: 5432, upstream: nowhere }
  - { name: b, listen: 127.0.0.1:1, upstream: h:1 }
  - { name: b, listen: 127.0.0.1:2, upstream: h:1, destinaton: x }
tls: { certificate: tls.crt, authorities: ca.crt }
limits: { connections: 0, idle: 9000d }
admin: 0.0.0.0:9912
";
    let problems = Config::parse("guard.yaml", wrong).expect_err("refused").to_string();
    for part in [
        "guard.yaml:3:24: `5432`, a number where a text is expected",
        "`nowhere` is no host and port",
        "the front `b` stands twice",
        "did you mean `destination`?",
        "`key`",
        "admin listener asks for no login",
        "nobody says who may connect",
        "out of range",
    ] {
        assert!(problems.contains(part), "`{part}` is missing in:\n{problems}");
    }
    assert!(Config::parse("guard.yaml", "").is_err());
    let second = Config::parse("guard.yaml", &format!("{GOOD}---\nfronts: []\n")).expect_err("refused").to_string();
    assert!(second.contains("a second document begins here"), "{second}");
}
