//! What the configuration refuses, and what it means.

use super::*;

fn problems(text: &str) -> Vec<String> {
    let problems = Config::parse("house.yaml", text, Overrides::default()).expect_err("refused");
    problems.to_string().lines().map(str::to_owned).collect()
}

fn config(text: &str) -> Config {
    Config::parse("house.yaml", text, Overrides::default()).unwrap()
}

#[test]
fn without_a_file_everything_lies_under_the_data_folder() {
    let overrides = Overrides { data: Some("/srv/house".into()), ..Overrides::default() };
    let config = Config::read(None, overrides).unwrap();
    assert_eq!(config.listen.unix, Some(("/srv/house/house.sock".into(), 0o660)));
    assert_eq!(config.listen.tcp, None);
    assert_eq!(config.spool.folder, Path::new("/srv/house/spool"));
    assert_eq!((config.sinks.len(), config.sinks[0].name.as_str(), config.sinks[0].kind.word()), (1, "events", "file"));
    assert!(config.admin.ip().is_loopback());
    assert_eq!((config.policies, config.access_log), (None, AccessLog::Off));
    assert!(!config.node.is_empty());
}

#[test]
fn everything_can_be_written() {
    let text = r#"
node: edge-1
data: /d
listen: { unix: /run/g/h.sock, mode: "0600", tcp: "127.0.0.1:7070" }
spool: { folder: /s, size: 256MiB, segment: 16MiB }
policies: { folder: /p, every: 1s }
packs: { ranges: /r }
geo: { files: [/g/country.mmdb, /g/asn.csv], maxAge: 30d }
sinks: { events: { file: {} } }
access_log: json
admin: "[::1]:0"
log: { level: debug, form: text }
address_form: hash
"#;
    let config = config(text);
    assert_eq!(config.node, "edge-1");
    let unix = Some((PathBuf::from("/run/g/h.sock"), 0o600));
    assert_eq!(config.listen, Listen { unix, uids: None, tcp: Some("127.0.0.1:7070".parse().unwrap()), tls: None });
    assert_eq!(config.spool, Spool { folder: "/s".into(), size: 256 << 20, segment: 16 << 20 });
    assert_eq!(
        config.policies,
        Some(Policies { folder: "/p".into(), every: Duration::from_secs(1), ranges: Some("/r".into()) })
    );
    let files = vec![PathBuf::from("/g/country.mmdb"), PathBuf::from("/g/asn.csv")];
    assert_eq!(config.geo, Some(Geo { files, max_age: Duration::from_secs(30 * 86_400) }));
    assert_eq!((config.access_log, config.address_form), (AccessLog::Json, AddressForm::Hash));
    assert_eq!((config.log_level, config.log_form), (Level::Debug, Form::Text));
    assert_eq!(config.admin, "[::1]:0".parse().unwrap());
}

const DOOR: &str = "listen: { uids: [1337], unix: /run/h.sock, tls: { address: \"0.0.0.0:7443\", certificate: /t/c, key: /t/k, authorities: /t/a,
  gates: [{ identity: \"spiffe://a/ns/b/sa/*\" }, { identity: \"spiffe://a/c\", node: edge, group: g/h, streams: 3, epochs: 4, rate: 1MiB }] } }
";

#[test]
fn the_door_for_other_machines_is_read_whole() {
    let listen = config(DOOR).listen;
    let door = listen.tls.unwrap();
    assert_eq!((listen.uids, door.address.port(), door.gates.len()), (Some(vec![1337]), 7443, 2));
    let second = &door.gates[1];
    assert_eq!((second.node.as_deref(), second.group.as_str()), (Some("edge"), "g/h"));
    assert_eq!((second.caps.streams, second.caps.epochs, second.caps.rate), (3, 4, 1 << 20));
    let alone = config(&DOOR.replace("uids: [1337], unix: /run/h.sock, ", "")).listen;
    assert!(alone.unix.is_none() && alone.tls.is_some());
}

#[test]
fn a_door_without_guests_or_with_wrong_ones_is_refused() {
    let told = problems("listen: { tls: { address: 7443, certificate: /c, authorities: /a, gates: [] } }\n").join("\n");
    for part in ["`tls` has no `key`", "7443", "names 0 identities"] {
        assert!(told.contains(part), "{part}:\n{told}");
    }
    let told = problems(&DOOR.replace("spiffe://a/ns/b/sa/*", "spiffe://a/*/sa/b").replace("rate: 1MiB", "rate: 1KiB"))
        .join("\n");
    assert!(told.contains("`spiffe://a/*/sa/b` is no SPIFFE id") && told.contains("`rate` is out of range"), "{told}");
}

#[test]
fn what_is_printed_reads_back_as_the_same_configuration() {
    for text in [
        "",
        DOOR,
        "listen: { tcp: \"127.0.0.1:0\" }\nspool: { size: 20MiB }\naccess_log: \"off\"\npolicies: { folder: /p }\npacks: { ranges: /r }\ngeo: { files: /g }\n",
    ] {
        let printed = config(text).to_string();
        assert_eq!(config(&printed).to_string(), printed);
    }
}

#[test]
fn every_problem_is_told_at_once_with_its_place() {
    let text = "lisen: 1\nspool: { size: 10 }\npolicies: { folder: /p, every: 5 }\nadmin: 0.0.0.0:9911\nlog: { level: loud }\n";
    let told = problems(text);
    let expected = [
        ("house.yaml:1:1", "unknown field `lisen`"),
        ("house.yaml:2:16", "has no unit"),
        ("house.yaml:3:32", "has no unit"),
        ("house.yaml:4:8", "can be reached from other machines"),
        ("house.yaml:5:15", "unknown word `loud`"),
    ];
    for (place, words) in expected {
        assert!(told.iter().any(|line| line.starts_with(place) && line.contains(words)), "{place} {words}: {told:#?}");
    }
    assert_eq!(told.len(), expected.len());
}

#[test]
fn what_cannot_be_is_refused() {
    for (text, words) in [
        ("listen: { mode: 0660 }", "quote it"),
        ("listen: { mode: \"0066\" }", "is no mode"),
        ("listen: { tcp: \"192.0.2.1:1\" }", "can be reached from other machines"),
        ("listen: { tcp: localhost }", "is no address and port"),
        ("spool: { size: 100MiB, segment: 50MiB }", "do not fit together"),
        ("spool: { segment: 1KiB }", "`segment` is out of range"),
        ("policies: { folder: /p, every: 1ms }", "`every` is out of range"),
        ("policies: { every: 1s }", "has no `folder`"),
        ("packs: {}", "has no `ranges`"),
        ("geo: { files: [] }", "names 0 files"),
        ("geo: { maxAge: 1d }", "has no `files`"),
        ("geo: { files: [/a, /a] }", "`/a` is written twice"),
        ("geo: { files: /a, maxAge: 1s }", "`maxAge` is out of range"),
        ("sinks: { UPPER: { file: {} } }", "no name for a sink"),
        ("sinks: { a: {} }", "goes nowhere"),
        ("sinks: { a: { file: { path: /e } }, b: { file: { path: /e } } }", "`a` and `b` write the same file"),
        ("sinks: { a: { file: {}, behind: hodl } }", "what the sink does when it falls behind"),
        ("spool: { size: 64MiB }\nsinks: { a: { file: {}, behind: skip after 33MiB } }", "`a` would skip too late"),
        ("data: \"\"", "is empty"),
        ("access_log: off", "quote it"),
        ("a: 1\n---\nb: 2", "a second document"),
        ("[]", "the configuration is a list"),
    ] {
        let told = problems(text).join("\n");
        assert!(told.contains(words), "{text}: {told}");
    }
    let long = format!("data: /{}", "x".repeat(100));
    assert!(problems(&long)[0].contains("is too long"), "{long}");
}

#[test]
fn the_command_line_wins_over_the_file() {
    let overrides = Overrides {
        data: Some("/other".into()),
        policies: Some("/more".into()),
        log_form: Some(Form::Json),
        access_log: Some(AccessLog::Text),
    };
    let text = "data: /d\npolicies: { folder: /p, every: 2s }\nlog: { form: text }\naccess_log: json\n";
    let config = Config::parse("house.yaml", text, overrides).unwrap();
    assert_eq!(config.data, Path::new("/other"));
    assert_eq!(config.policies, Some(Policies { folder: "/more".into(), every: Duration::from_secs(2), ranges: None }));
    assert_eq!((config.log_form, config.access_log), (Form::Json, AccessLog::Text));
}

#[test]
fn the_first_sink_holds_and_the_others_skip_unless_they_say_otherwise() {
    use sink::Behind;
    let text = "spool: { size: 64MiB }\nsinks:\n  a: { file: {} }\n  b: { file: {} }\n  c: { file: {}, behind: hold }\n  \
                d: { file: {}, behind: skip after 1MiB or 1h }\n";
    let config = config(text);
    let quarter = Behind::Skip { bytes: Some(16 << 20), age: None };
    let own = Behind::Skip { bytes: Some(1 << 20), age: Some(Duration::from_secs(3600)) };
    assert_eq!([0, 1, 2, 3].map(|index| config.behind(index)), [Behind::Hold, quarter, Behind::Hold, own]);
    let again = Config::parse("house.yaml", &config.to_string(), Overrides::default()).unwrap();
    assert_eq!([0, 1, 2, 3].map(|index| again.behind(index)), [Behind::Hold, quarter, Behind::Hold, own]);
}
