mod lists;
mod tables;

use proptest::prelude::*;

use super::*;

fn class(text: &str) -> AgentClass {
    classify(text.as_bytes()).class
}

/// Every text of one class, with the name that must be reported.
fn all_are(class: AgentClass, cases: &[(&str, &str)]) {
    for (text, name) in cases {
        assert_eq!(classify(text.as_bytes()), Agent { class, name }, "{text}");
    }
}

const CHROME: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36";

#[test]
fn browsers_of_today_and_of_old() {
    all_are(
        AgentClass::Browser,
        &[
            (CHROME, "Chrome"),
            (&format!("{CHROME} Edg/131.0.2903.86"), "Edg"),
            (&format!("{CHROME} OPR/116.0.0.0"), "OPR"),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", "Firefox"),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 \
                 Mobile/15E148 Safari/604.1",
                "Safari",
            ),
            ("Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0; .NET CLR 2.0.50727)", "MSIE"),
            ("Mozilla/5.0 (Windows NT 6.3; WOW64; Trident/7.0; rv:11.0) like Gecko", "Trident"),
            ("Opera/9.80 (Windows NT 6.1; U; de) Presto/2.12.388 Version/12.18", "Opera"),
            ("Mozilla/5.0 (compatible; Konqueror/4.5; Linux) KHTML/4.5.4 (like Gecko)", "Konqueror"),
            ("Lynx/2.9.2 libwww-FM/2.14 SSL-MM/1.4.1", "Lynx"),
            ("Nokia6300/2.0 (05.50) Profile/MIDP-2.0 Configuration/CLDC-1.1", "Nokia6300"),
            (
                "Mozilla/5.0 (Linux; Android 9; CUBOT_X19) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/90.0.4430.91 Mobile \
                 Safari/537.36",
                "Chrome",
            ),
            (
                "Mozilla/5.0 (Linux; Android 6.0; B BOT 50 Build/MRA58K) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/60.0.3112.116 Mobile Safari/537.36",
                "Chrome",
            ),
            (
                "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/94.0.4606.128 Safari/537.36",
                "Chrome",
            ),
        ],
    );
}

#[test]
fn apps_and_the_engines_inside_them() {
    all_are(
        AgentClass::App,
        &[
            ("MyApp/1.2 CFNetwork/1568.200.51 Darwin/24.1.0", "MyApp"),
            ("MyApp/3.1 (iPhone; iOS 17.5; Scale/3.00)", "MyApp"),
            ("MyApp/3.1 (Android 14; Pixel 8) okhttp/4.12.0", "MyApp"),
            ("Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/UD1A)", "Dalvik"),
            ("ShopPlayer/2.0 (Linux;Android 12) ExoPlayerLib/2.18", "ShopPlayer"),
            (
                "Mozilla/5.0 (Linux; Android 14; Pixel 8; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 \
                 Chrome/130.0.0.0 Mobile Safari/537.36",
                "Chrome",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Mobile/15E148 Instagram 340.0.0.1 (iPhone14,5; iOS 17_5; de_DE; scale=3.00)",
                "Instagram",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Notes/1.0 \
                 Chrome/130.0.0.0 Electron/33.0.0 Safari/537.36",
                "Electron",
            ),
        ],
    );
}

#[test]
fn libraries_and_bare_programs() {
    all_are(
        AgentClass::Library,
        &[
            ("curl/8.9.1", "curl"),
            ("Wget/1.24.5 (linux-gnu)", "Wget"),
            ("python-requests/2.32.3", "python-requests"),
            ("python-requests/2.6.0 CPython/2.7.5 Linux/3.10.0", "python-requests"),
            ("okhttp/4.12.0", "okhttp"),
            ("Go-http-client/2.0", "Go-http-client"),
            ("Apache-HttpClient/4.5.14 (Java/17.0.9)", "Apache-HttpClient"),
            ("axios/1.7.7", "axios"),
            ("grpc-go/1.66.0", "grpc-go"),
            ("PostmanRuntime/7.42.0", "PostmanRuntime"),
            (&format!("{CHROME} puppeteer/23.1"), "puppeteer"),
            ("inventory-sync/2.3.1", "inventory-sync"),
            ("nightly import job", "nightly"),
            ("inventory-sync/2.3.1 (Linux)", "inventory-sync"),
        ],
    );
}

#[test]
fn crawlers_by_name_by_word_by_contact_and_by_shape() {
    all_are(
        AgentClass::Crawler,
        &[
            ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Googlebot"),
            ("SomeNewSpider", "SomeNewSpider"),
            ("Acme-Uptime-Monitor/2.0", "Acme-Uptime-Monitor"),
            ("Acme/2.0 (+https://acme.example/crawler)", "Acme"),
            ("Acme/2.0 (ops@acme.example)", "Acme"),
            ("Mozilla/5.0 (compatible; Acme/1.0)", "Acme"),
            ("Mozilla/5.0 Acme/1.0", "Acme"),
            ("Mozilla/5.0 (Acme/1.0)", "Acme"),
            (&format!("{CHROME} Acme/1.0"), "Acme"),
            (&format!("{CHROME} Acme/1.0 (+https://acme.example)"), "Acme"),
            (&format!("{CHROME} (compatible; Acme/1.0)"), "Acme"),
            (&format!("Acme, {CHROME}"), "Acme"),
            (&CHROME.replace("like Gecko", "like Gecko; Acme"), "Acme"),
            (&CHROME.replace("Chrome", "HeadlessChrome"), "HeadlessChrome"),
            (&format!("{CHROME} Chrome-Lighthouse"), "Chrome-Lighthouse"),
            ("WhatsApp/2.24.20.89 A", "WhatsApp"),
        ],
    );
}

#[test]
fn agents_of_language_models_known_and_new() {
    all_are(
        AgentClass::AiCrawler,
        &[
            (
                "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
                "GPTBot",
            ),
            ("ClaudeBot/1.0 (+https://www.anthropic.com/claudebot)", "ClaudeBot"),
            ("Mozilla/5.0 (compatible; PerplexityBot/1.0; +https://perplexity.ai/perplexitybot)", "PerplexityBot"),
            ("Mozilla/5.0 (compatible; Operator/1.0)", "Operator"),
            // Names that nobody bears yet.
            ("AcmeAIBot/0.1", "AcmeAIBot"),
            ("acme-ai/0.1", "acme-ai"),
            ("Mozilla/5.0 (compatible; AcmeGPT/0.1; +https://acme.example)", "AcmeGPT"),
            ("Mozilla/5.0 (compatible; Acme-User/0.1)", "Acme-User"),
            ("Acme-SearchBot", "Acme-SearchBot"),
        ],
    );
    // The same letters where they say nothing.
    for text in ["MailBot/1.0", "AIXBot/1.0", "Acme/1.0 (+https://acme.ai/bot)", "chair-finder-bot/1.0"] {
        assert_eq!(class(text), AgentClass::Crawler, "{text}");
    }
}

#[test]
fn an_everyday_word_is_an_agent_only_as_the_whole_product() {
    for text in ["Code/1.0", "code", "Mozilla/5.0 (compatible; Code/1.0; +https://example.com)"] {
        assert_eq!(class(text), AgentClass::AiCrawler, "{text}");
    }
    for text in ["Code Review App/1.0 (iPhone; iOS 17.5)", "Spider Solitaire/2 CFNetwork/1568 Darwin/24.1.0"] {
        assert_ne!(class(text), AgentClass::AiCrawler, "{text}");
    }
}

#[test]
fn scanners_by_name_and_by_word() {
    all_are(
        AgentClass::Scanner,
        &[
            ("sqlmap/1.8.7#stable (https://sqlmap.org)", "sqlmap"),
            ("Mozilla/5.00 (Nikto/2.5.0) (Evasions:None) (Test:000001)", "Nikto"),
            ("Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)", "Nmap"),
            ("Nuclei - Open-source project (github.com/projectdiscovery/nuclei)", "Nuclei"),
            ("acme-pentest/1.0", "acme-pentest"),
            ("AcmeScanner/3.2", "AcmeScanner"),
        ],
    );
    assert_eq!(
        class(
            "Mozilla/5.0 (Linux; Android 13; K; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/125.0.0.0 \
             Mobile Safari/537.36 CamScanner/4.8.5"
        ),
        AgentClass::App
    );
}

#[test]
fn what_says_nothing_is_unknown() {
    for text in ["", " ", "-", "123", "Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "' OR 1=1 --", "<script>x</script>"]
    {
        assert_eq!(class(text), AgentClass::Unknown, "{text}");
    }
    assert_eq!(classify(&[0xff; 300]), Agent { class: AgentClass::Unknown, name: "" });
}

#[test]
fn letter_case_does_not_hide_a_name() {
    for text in ["GOOGLEBOT/2.1", "googlebot/2.1", "gOoGlEbOt/2.1"] {
        assert_eq!(class(text), AgentClass::Crawler);
    }
    assert_eq!(class(&CHROME.to_lowercase()), AgentClass::Browser);
    assert_eq!(class("gptbot/1.0"), AgentClass::AiCrawler);
}

#[test]
fn every_class_has_one_word() {
    assert_eq!(
        AgentClass::ALL.map(AgentClass::as_str),
        ["browser", "app", "library", "crawler", "ai-crawler", "scanner", "unknown"]
    );
    for class in AgentClass::ALL {
        assert_eq!(AgentClass::parse(class.as_str()), Some(class));
        assert_eq!(class.to_string(), class.as_str());
    }
    assert_eq!(AgentClass::parse("Browser"), None);
    assert_eq!(AgentClass::parse(""), None);
}

#[test]
fn the_cache_gives_way_to_the_newest_and_keeps_what_is_used() {
    let mut cache = AgentCache::new(1, &[1; 16]);
    assert_eq!(cache.capacity(), 4);
    for text in ["a/1", "b/1", "c/1", "d/1"] {
        cache.classify(text.as_bytes());
    }
    assert_eq!((cache.hits(), cache.misses()), (0, 4));
    cache.classify(b"a/1");
    assert_eq!((cache.hits(), cache.misses()), (1, 4));
    // `b/1` was used longest ago, so it gives way to the fifth.
    cache.classify(b"e/1");
    cache.classify(b"a/1");
    assert_eq!((cache.hits(), cache.misses()), (2, 5));
    cache.classify(b"b/1");
    assert_eq!((cache.hits(), cache.misses()), (2, 6));
}

#[test]
fn the_cache_is_bounded() {
    assert_eq!(AgentCache::new(0, &[0; 16]).capacity(), 4);
    assert_eq!(AgentCache::new(1000, &[0; 16]).capacity(), 1024);
    assert_eq!(AgentCache::new(usize::MAX, &[0; 16]).capacity(), 65_536);
}

/// Texts that look like user agents, cut and joined at random.
fn agents() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just("Mozilla/5.0 ".to_owned()),
        Just("(compatible; ".to_owned()),
        Just("(KHTML, like Gecko".to_owned()),
        Just(") ".to_owned()),
        Just("Chrome/131.0.0.0 ".to_owned()),
        Just("Safari/537.36".to_owned()),
        Just("; +https://".to_owned()),
        Just("bot".to_owned()),
        Just("Windows NT 10.0".to_owned()),
        Just("MSIE 6.0; ".to_owned()),
        Just("@a.b".to_owned()),
        "[ -~]{0,8}",
    ];
    prop_oneof![
        proptest::collection::vec(part, 0..60).prop_map(|parts| parts.concat().into_bytes()),
        proptest::collection::vec(any::<u8>(), 0..700),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_bytes_have_a_class_and_a_short_name_out_of_them(text in agents()) {
        let agent = classify(&text);
        prop_assert!(agent.name.len() <= 48);
        prop_assert!(agent.name.is_empty() || text.windows(agent.name.len()).any(|part| part == agent.name.as_bytes()));
    }

    #[test]
    fn what_stands_behind_the_limit_changes_nothing(mut text in agents(), more in agents()) {
        text.resize(LIMIT, b' ');
        let before = classify(&text);
        let longer = [&*text, &*more].concat();
        prop_assert_eq!(before, classify(&longer));
    }

    #[test]
    fn the_cache_says_what_reading_says(texts in proptest::collection::vec(agents(), 1..12), picks in proptest::collection::vec(any::<prop::sample::Index>(), 1..60)) {
        let mut cache = AgentCache::new(16, &[3; 16]);
        for pick in picks {
            let text = pick.get(&texts);
            prop_assert_eq!(cache.classify(text), classify(text));
        }
    }
}
