//! What files say, and what becomes of the table as they change.

mod writer;

use std::fs;
use std::net::IpAddr;

use writer::{Value, database};

use super::*;

const OLD: u32 = 1_600_000_000;

fn now() -> u32 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as u32
}

fn country(code: &'static str) -> Value {
    let names = Value::Map(vec![("en", Value::Text("a name"))]);
    let inner = Value::Map(vec![("iso_code", Value::Text(code)), ("names", names)]);
    Value::Map(vec![("continent", Value::Map(vec![("code", Value::Text("EU"))])), ("country", inner)])
}

fn system(number: u32) -> Value {
    let organisation = ("autonomous_system_organization", Value::Text("an organisation"));
    Value::Map(vec![("autonomous_system_number", Value::Number(number)), organisation])
}

/// Files in a folder, and the table that they make.
struct Desk {
    dir: tempfile::TempDir,
    paths: Vec<PathBuf>,
}

impl Desk {
    fn new(files: &[(&str, Vec<u8>)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let paths = files.iter().map(|(name, bytes)| {
            let path = dir.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        });
        Self { paths: paths.collect(), dir }
    }

    fn table(&self) -> Table {
        let Loaded { image, .. } = load(&self.paths).unwrap_or_else(|problems| panic!("{problems:?}"));
        let mut bytes = Vec::new();
        while let Some(chunk) = image.chunk(bytes.len()) {
            bytes.extend_from_slice(&chunk.data);
        }
        Table::load(bytes).unwrap()
    }

    fn problems(&self) -> String {
        let problems = load(&self.paths).err().expect("refused");
        problems.into_iter().map(|problem| problem.problem).collect::<Vec<_>>().join("\n")
    }

    fn geo(&self, max_age: Duration) -> (Geo, Watcher) {
        let config = config::Geo { files: self.paths.clone(), max_age };
        let geo = Geo::new(Some(&config));
        let watcher =
            Watcher { geo: geo.clone(), config: Arc::new(config), seen: Vec::new(), tried: None, told_age: None };
        (geo, watcher)
    }
}

fn at(table: &Table, address: &str) -> (String, u32) {
    let place = table.lookup(address.parse::<IpAddr>().unwrap());
    (String::from_utf8(place.country.unwrap_or(*b"--").to_vec()).unwrap(), place.asn.unwrap_or(0))
}

#[test]
fn databases_of_cities_countries_and_systems_are_read_together() {
    let cities = database(
        "X-City",
        now(),
        &[("192.0.2.0/25", country("DE")), ("192.0.2.128/25", country("FR")), ("2001:db8::/32", country("NL"))],
    );
    let systems = database("X-ASN", now(), &[("192.0.2.0/24", system(64500)), ("2001:db8:1::/48", system(64501))]);
    let table = Desk::new(&[("city.mmdb", cities), ("asn.mmdb", systems)]).table();
    for (address, expected) in [
        ("192.0.2.1", ("DE", 64500)),
        ("192.0.2.200", ("FR", 64500)),
        ("192.0.3.1", ("--", 0)),
        ("2001:db8::1", ("NL", 0)),
        ("2001:db8:1::1", ("NL", 64501)),
        ("::ffff:192.0.2.1", ("DE", 64500)),
    ] {
        assert_eq!(at(&table, address), (expected.0.to_owned(), expected.1), "{address}");
    }
}

#[test]
fn the_flat_layout_is_read_too_and_where_a_network_is_registered_is_not() {
    let flat = Value::Map(vec![("country_code", Value::Text("se")), ("asn", Value::Text("AS64502"))]);
    let registered = Value::Map(vec![("registered_country", Value::Map(vec![("iso_code", Value::Text("AU"))]))]);
    let file = database("flat", now(), &[("192.0.2.0/24", flat), ("198.51.100.0/24", registered)]);
    let table = Desk::new(&[("flat.mmdb", file)]).table();
    assert_eq!(at(&table, "192.0.2.1"), ("SE".into(), 64502));
    assert_eq!(at(&table, "198.51.100.1"), ("--".into(), 0));
}

#[test]
fn neighbours_that_say_the_same_are_one_network_and_never_across_files() {
    let mut taker = Taker::default();
    let said = |network: &str, code: &[u8; 2]| (network.parse().unwrap(), Some(*code), None);
    taker.begin();
    for (network, code) in [
        ("10.0.0.0/26", b"DE"),
        ("10.0.0.64/26", b"DE"),
        ("10.0.0.128/25", b"DE"),
        ("10.0.1.0/24", b"DE"),
        ("10.0.2.0/24", b"FR"),
        ("10.0.3.0/24", b"FR"),
        ("10.0.5.0/24", b"FR"),
    ] {
        taker.join(said(network, code)).unwrap();
    }
    assert_eq!(taker.count(), 7);
    taker.begin();
    taker.join(said("10.0.4.0/24", b"FR")).unwrap();
    let kept: Vec<String> = taker.into_said().iter().map(|(network, ..)| network.to_string()).collect();
    assert_eq!(kept, ["10.0.0.0/23", "10.0.2.0/23", "10.0.5.0/24", "10.0.4.0/24"]);
}

#[test]
fn csv_of_every_shape_is_told_by_its_columns() {
    let simple = "network,country,asn\n10.0.0.0/8,DE,64500\n10.1.0.0/16,,AS64501\n2001:db8::/32,fr,\n";
    let table = Desk::new(&[("a.csv", simple.into())]).table();
    assert_eq!(at(&table, "10.0.0.1"), ("DE".into(), 64500));
    assert_eq!(at(&table, "10.1.0.1"), ("DE".into(), 64501), "a network within another says only what it knows");
    assert_eq!(at(&table, "2001:db8::1"), ("FR".into(), 0));

    let blocks = "network,geoname_id,registered_country_geoname_id,is_anonymous_proxy\n\
                  192.0.2.0/24,1,3,0\n198.51.100.0/24,,3,0\n203.0.113.0/24,2,,0\n";
    let locations = "\u{feff}geoname_id,locale_code,continent_code,country_iso_code,country_name\n\
                     1,en,EU,DE,\"Germany, or so\"\n2,en,EU,,\n3,en,OC,AU,Australia\n";
    let systems = "network,autonomous_system_number,autonomous_system_organization\n192.0.2.0/25,64500,\"A, B\"\n";
    let files = [("blocks.csv", blocks.into()), ("asn.csv", systems.into()), ("locations.csv", locations.into())];
    let table = Desk::new(&files).table();
    assert_eq!(at(&table, "192.0.2.1"), ("DE".into(), 64500));
    assert_eq!(at(&table, "192.0.2.200"), ("DE".into(), 0));
    assert_eq!(at(&table, "198.51.100.1"), ("--".into(), 0));
    assert_eq!(at(&table, "203.0.113.1"), ("--".into(), 0));
}

#[test]
fn one_wrong_line_refuses_the_file_and_says_which() {
    for (text, words) in [
        ("network,country\n10.0.0.0/8,DE\n10.0.0.1/8,DE\n", "line 3: `10.0.0.1/8` has bits set after its prefix"),
        ("network,country\nhere,DE\n", "line 2: `here` is no network"),
        ("network,country\n10.0.0.0/8,Germany\n", "line 2: `Germany` is no country"),
        ("network,asn\n10.0.0.0/8,x1\n", "line 2: `x1` is no number of a system"),
        ("network,asn\n10.0.0.0/8\n", "line 2: it has 1 columns, the first line has 2"),
        ("network,geoname_id\n10.0.0.0/8,7\n", "line 2: location `7` stands in no file of locations"),
        ("address,land\n", "names no columns that can be used"),
        ("", "names no columns that can be used"),
    ] {
        let told = Desk::new(&[("a.csv", text.into())]).problems();
        assert!(told.contains(words), "{text}: {told}");
    }
    let mut cut = database("X-Country", OLD, &[("192.0.2.0/24", country("DE"))]);
    let told = Desk::new(&[("a.mmdb", cut.split_off(40))]).problems();
    assert!(told.contains("the database is broken"), "{told}");
    let useless = database("X-Other", OLD, &[("192.0.2.0/24", Value::Map(vec![("is_hosting", Value::Number(1))]))]);
    assert!(Desk::new(&[("a.mmdb", useless)]).problems().contains("has a country or a system"));
}

#[test]
fn what_makes_too_large_a_table_is_refused_with_what_to_do() {
    use std::fmt::Write;
    let mut text = "network,asn\n".to_owned();
    // Every other /24 of IPv6's /48s with a number of its own: with what lies between, 840,000 ranges.
    for number in 0..420_000u32 {
        writeln!(text, "2001:{:x}:{:x}::/48,{}", number >> 15, (number & 0x7fff) * 2, number + 1).unwrap();
    }
    let told = Desk::new(&[("a.csv", text.into())]).problems();
    assert!(told.contains("8 MiB") && told.contains("a database of countries"), "{told}");
}

#[test]
fn a_broken_byte_is_a_problem_and_never_a_panic() {
    let networks = [("192.0.2.0/24", country("DE")), ("2001:db8::/32", system(64500))];
    let whole = database("X-Country", OLD, &networks);
    let desk = Desk::new(&[("a.mmdb", whole.clone())]);
    for at in (0..whole.len()).step_by(5) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        fs::write(&desk.paths[0], bytes).unwrap();
        let _ = load(&desk.paths);
    }
}

#[tokio::test]
async fn a_change_is_taken_when_it_has_settled_and_a_broken_one_changes_nothing() {
    let desk = Desk::new(&[("a.csv", "network,country\n10.0.0.0/8,DE\n".into())]);
    let (geo, mut watcher) = desk.geo(Duration::from_secs(86_400));
    let mut news = geo.subscribe();
    watcher.look().await;
    let first = news.borrow_and_update().clone().expect("a table at the first look");
    watcher.look().await;
    assert!(!news.has_changed().unwrap());

    fs::write(&desk.paths[0], "network,country\n10.0.0.0/8,FR\n11.0.0.0/8,FR\n").unwrap();
    watcher.look().await;
    assert!(!news.has_changed().unwrap(), "it may not be written whole");
    watcher.look().await;
    let second = news.borrow_and_update().clone().unwrap();
    assert_ne!(first.digest(), second.digest());
    assert_eq!((geo.view().files[0].networks, geo.view().ranges), (2, second.ranges()));

    fs::write(&desk.paths[0], "network,country\n10.0.0.0/8,France\n").unwrap();
    watcher.look().await;
    watcher.look().await;
    let view = geo.view();
    assert!(view.problems[0].problem.contains("line 2"), "{view:?}");
    assert_eq!(view.digest, Some(second.name()));
    assert!(!news.has_changed().unwrap());

    fs::remove_file(&desk.paths[0]).unwrap();
    watcher.look().await;
    watcher.look().await;
    assert!(geo.view().problems[0].problem.contains("cannot be read"));
    assert!(desk.dir.path().exists());
}

#[tokio::test]
async fn old_files_are_shown_as_old() {
    let countries = database("X-Country", OLD, &[("192.0.2.0/24", country("DE"))]);
    let fresh = "network,asn\n192.0.2.0/24,1\n";
    let desk = Desk::new(&[("country.mmdb", countries), ("asn.csv", fresh.into())]);
    let (geo, mut watcher) = desk.geo(Duration::from_secs(45 * 86_400));
    watcher.look().await;
    let files = geo.view().files;
    assert_eq!((files[0].stale, files[1].stale), (true, false));
    assert_eq!(files[0].kind, Kind::Mmdb("X-Country".into()));
    assert_eq!((files[0].built.as_str(), files[1].age_days), ("2020-09-13T12:26:40.000Z", 0));
    assert!(geo.oldest().unwrap() > Duration::from_secs(365 * 86_400));
    assert!(watcher.told_age.is_some(), "the log says so, and then for a day no more");
}
