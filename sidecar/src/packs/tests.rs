//! What packs prove, what they leave alone, and what they do without ranges.

use std::fs;
use std::net::IpAddr;

use gatehouse_engine::{Claims, Connection, Head, NoSlots, Now, Pair, Policy, Request, Settings, State, judge};
use gatehouse_policy::Fields;

use super::*;
use crate::policies::folder::Document;
use crate::policies::{self, Compiled, Problem};

const POLICY: &str = "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: { name: shop }\nspec:\n  hosts: [shop.example.com]\n  \
                      use: [packs/search-crawlers, packs/ai-crawlers, packs/monitoring]\n  rules:\n    - { name: own, match: { path: /own }, then: block }\n";

fn compile(text: &str, shelf: &Shelf) -> Result<Compiled, Vec<Problem>> {
    policies::compile_with(&[Document { name: "shop.yaml".into(), text: text.into() }], shelf)
}

/// A folder with ranges for every list: 192.0.2.0/24 and 2001:db8::/32, in either form.
fn ranges() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, _) in stamps(dir.path()) {
        let json = path.extension().is_some_and(|extension| extension == "json");
        let even = path.file_stem().unwrap().len().is_multiple_of(2);
        match (json, even) {
            (true, true) => {
                let text = r#"{"creationTime":"2026-01-01","prefixes":[{"ipv4Prefix":"192.0.2.0/24"},{"ipv6Prefix":"2001:db8::/32"}]}"#;
                fs::write(path, text).unwrap();
            }
            (false, false) => fs::write(path, "# ranges\n192.0.2.0/24\n2001:db8::/32 # and more\n").unwrap(),
            _ => {}
        }
    }
    dir
}

/// The tags that a request from this address with this user agent gets, and whether it is let through.
fn judged(policy: &Policy, agent: &str, address: &str) -> (Vec<(String, String)>, bool) {
    let headers = [
        Pair::from((&b":method"[..], &b"GET"[..])),
        Pair::from((&b":path"[..], &b"/"[..])),
        Pair::from((&b":authority"[..], &b"shop.example.com"[..])),
        Pair::from((&b"user-agent"[..], agent.as_bytes())),
    ];
    let connection = Connection { peer: Some(address.parse::<IpAddr>().unwrap()), ..Connection::default() };
    let head = Head::new(&headers, &connection);
    let request = Request { head, claims: Claims::default(), known: Fields::ALL, now: Now::default() };
    let mut state = State::new([1; 16], &[2; 16]);
    let judged = judge(Some(policy), &Settings::default(), request, &mut state, &NoSlots);
    let gatehouse_engine::Step::Forward(edits) = judged.step else { return (Vec::new(), false) };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let edits = edits.unwrap_or_default();
    let tags = edits.iter().map(|(name, value)| (text(name), text(value)));
    (tags.filter(|(name, _)| name.starts_with("x-gatehouse-")).collect(), true)
}

fn crawler(policy: &Policy, agent: &str, address: &str) -> Option<String> {
    let (tags, through) = judged(policy, agent, address);
    assert!(through, "a pack stops nobody: {agent}");
    tags.into_iter().find(|(name, _)| name == "x-gatehouse-crawler").map(|(_, value)| value)
}

fn with_ranges() -> Policy {
    let dir = ranges();
    let compiled = compile(POLICY, &Shelf::open(None, Some(dir.path()))).unwrap();
    Policy::load(compiled.image, 1).unwrap()
}

#[test]
fn an_automaton_is_proved_by_where_it_comes_from_and_an_impostor_is_told() {
    let policy = with_ranges();
    let google = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
    for (agent, tag) in [
        (google, "googlebot"),
        ("AdsBot-Google (+http://www.google.com/adsbot.html)", "google-special"),
        ("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", "bingbot"),
        (
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.1; +https://openai.com/gptbot)",
            "gptbot",
        ),
        ("Mozilla/5.0 (compatible; PerplexityBot/1.0; +https://perplexity.ai/perplexitybot)", "perplexitybot"),
        ("CCBot/2.0 (https://commoncrawl.org/faq/)", "ccbot"),
        ("Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)", "uptimerobot"),
        ("Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)", "pingdom"),
    ] {
        for inside in ["192.0.2.7", "2001:db8::7"] {
            assert_eq!(crawler(&policy, agent, inside).as_deref(), Some(tag), "{agent}");
        }
        assert_eq!(crawler(&policy, agent, "198.51.100.7").as_deref(), Some("impostor"), "{agent}");
    }
}

#[test]
fn common_http_clients_and_browsers_are_never_touched_wherever_they_come_from() {
    let policy = with_ranges();
    for agent in [
        "",
        "curl/8.5.0",
        "Wget/1.21.4",
        "okhttp/4.12.0",
        "python-requests/2.32.3",
        "python-httpx/0.27.0",
        "Python-urllib/3.12",
        "aiohttp/3.9.5",
        "Go-http-client/1.1",
        "Go-http-client/2.0",
        "Java/21.0.2",
        "Apache-HttpClient/4.5.14 (Java/17.0.9)",
        "Jersey/3.1.3 (HttpUrlConnection 21)",
        "axios/1.7.2",
        "node",
        "undici",
        "got (https://github.com/sindresorhus/got)",
        "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)",
        "PostmanRuntime/7.39.0",
        "insomnia/9.2.0",
        "Dart/3.4 (dart:io)",
        "CFNetwork/1494.0.7 Darwin/23.4.0",
        "Shop/3.2 CFNetwork/1494.0.7 Darwin/23.4.0",
        "Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/AP1A)",
        "ktor-client",
        "Ruby",
        "Faraday v2.9.0",
        "GuzzleHttp/7",
        "PHP/8.3",
        "RestSharp/111.2.0.0",
        "reqwest/0.12",
        "hyper/1.3",
        "libwww-perl/6.77",
        "grpc-go/1.64.0",
        "grpc-java-netty/1.63.0",
        "kube-probe/1.30",
        "ELB-HealthChecker/2.0",
        "GoogleHC/1.0",
        "Envoy/HC",
        "Prometheus/2.52.0",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Safari/537.36",
        "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
    ] {
        for address in ["192.0.2.7", "198.51.100.7", "2001:db8::7"] {
            assert_eq!(judged(&policy, agent, address), (Vec::new(), true), "{agent}");
        }
    }
}

#[test]
fn without_ranges_the_lists_are_left_out_with_their_rules_and_said_to_be() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("googlebot.json"), r#"{"prefixes":[{"ipv4Prefix":"192.0.2.0/24"}]}"#).unwrap();
    let shelf = Shelf::open(None, Some(dir.path()));
    let compiled = compile(POLICY, &shelf).unwrap();
    assert_eq!(compiled.rules, 3, "the policy's own, the crawler and its impostor");
    let (packs, _) = shelf.used();
    let names: Vec<&str> = packs.iter().map(|pack| pack.name.as_str()).collect();
    assert_eq!(names, ["ai-crawlers", "monitoring", "search-crawlers"]);
    let lists: Vec<&ListView> = packs.iter().flat_map(|pack| &pack.lists).collect();
    let proved: Vec<_> =
        lists.iter().filter(|list| list.problem.is_none()).map(|list| (list.name.as_str(), list.networks)).collect();
    assert_eq!(proved, [("googlebot", 1)]);
    assert!(lists.iter().any(|list| list.problem.as_ref().is_some_and(|problem| problem.contains("bingbot.json"))));
    // Whoever says that he is one that cannot be proved is left alone: nobody knows.
    let policy = Policy::load(compiled.image, 1).unwrap();
    assert_eq!(crawler(&policy, "Mozilla/5.0 (compatible; bingbot/2.0)", "203.0.113.1"), None);

    let shelf = Shelf::open(None, None);
    assert_eq!(compile(POLICY, &shelf).unwrap().rules, 1);
    assert!(shelf.used().0[0].lists[0].problem.as_ref().unwrap().contains("packs: { ranges: DIR }"));
}

#[test]
fn ranges_that_prove_nothing_or_cannot_be_read_are_left_out_and_told() {
    for (text, words) in [
        ("0.0.0.0/0\n", "holds too much"),
        ("2000::/3\n", "holds too much"),
        ("192.0.2.1/24\n", "line 1: `192.0.2.1/24` has bits set"),
        ("# nothing\n", "no network"),
        ("{\"prefixes\": 3}", "no list `prefixes`"),
        ("{\"prefixes\": [{}]}", "neither `ipv4Prefix`"),
        ("{\"prefixes\": [", "is no JSON"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("googlebot.txt"), text).unwrap();
        let shelf = Shelf::open(None, Some(dir.path()));
        let compiled = compile(
            &POLICY.replace("[packs/search-crawlers, packs/ai-crawlers, packs/monitoring]", "[packs/search-crawlers]"),
            &shelf,
        );
        assert_eq!(compiled.unwrap().rules, 1, "{text}");
        let (packs, _) = shelf.used();
        let told = packs[0].lists.iter().find(|list| list.name == "googlebot").unwrap().problem.clone().unwrap();
        assert!(told.contains(words), "{text}: {told}");
    }
}

#[test]
fn every_pack_is_whole_versioned_and_names_its_lists_and_rules_alike() {
    let dir = ranges();
    let shelf = Shelf::open(None, Some(dir.path()));
    for (name, text) in PACKS {
        let document = parsed(name, text).expect("YAML");
        assert_eq!(document.pointer("/metadata/name").and_then(Json::as_str), Some(name));
        assert!(
            document.pointer("/metadata/version").and_then(Json::as_str).is_some_and(|version| !version.is_empty())
        );
        let rules = document.pointer("/spec/rules").and_then(Json::as_array).unwrap();
        assert_eq!(rules.len(), lists(&document).len() * 2);
        for rule in rules {
            let then = rule.get("then").unwrap().to_string();
            assert!(
                then.contains("tag") && !["block", "limit", "drop", "allow"].iter().any(|word| then.contains(word)),
                "{then}"
            );
        }
    }
    for name in Library::packs(&shelf) {
        assert!(shelf.pack(name).is_some());
    }
    assert!(shelf.pack("nothing").is_none());
    let told = compile(&POLICY.replace("packs/monitoring", "packs/monitorin"), &shelf).unwrap_err();
    assert!(told.iter().any(|problem| problem.help.contains("packs/monitoring")), "{told:?}");
}

#[test]
fn list_files_lie_below_the_policy_folder_and_are_remembered() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("lists")).unwrap();
    fs::write(dir.path().join("lists/bad.txt"), "192.0.2.0/24 # why\n").unwrap();
    let text = "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: { name: shop }\nspec:\n  hosts: [shop.example.com]\n  \
                lists: { bad: { cidrs: [], files: lists/bad.txt } }\n  rules:\n    - { name: bad, match: { address: { list: bad } }, then: block }\n";
    let shelf = Shelf::open(Some(dir.path()), None);
    let policy = Policy::load(compile(text, &shelf).unwrap().image, 1).unwrap();
    assert!(!judged(&policy, "curl/8", "192.0.2.7").1 && judged(&policy, "curl/8", "192.0.3.7").1);
    assert_eq!(shelf.used(), (Vec::new(), vec![dir.path().join("lists/bad.txt")]));
    let problems = compile(text, &Shelf::open(None, None)).unwrap_err();
    assert!(problems[0].message.contains("there is no file `lists/bad.txt`"), "{problems:?}");
}
