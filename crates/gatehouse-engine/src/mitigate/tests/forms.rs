//! Our own words: form, language, caching, the headers of a limit.

use serde_json::json as value;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::mitigate::{base64, page, words};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";

#[test]
fn the_body_has_the_form_that_the_client_wants() {
    let form = |accept: &str| header(&refused(403, &[("accept", accept)]), "content-type").concat();
    assert_eq!(form(BROWSER), "text/html; charset=utf-8");
    assert_eq!(form("text/html"), "text/html; charset=utf-8");
    assert_eq!(form("application/json;q=0.5, text/html;q=0.6"), "text/html; charset=utf-8");
    assert_eq!(form("text/html;q=broken, application/json;q=0.1"), "application/problem+json");
    for program in ["application/json", "*/*", "", "application/problem+json;q=0.5, text/html;q=0.4", "image/png"] {
        assert_eq!(form(program), "application/problem+json", "{program}");
    }
    assert_eq!(form("text/plain"), "text/plain; charset=utf-8");
    assert_eq!(form("text/html;q=0, text/plain;q=0.1"), "text/plain; charset=utf-8");
    assert_eq!(form("*/*;q=0.1, text/html;q=0, application/*;q=0"), "text/plain; charset=utf-8");
}

#[test]
fn every_form_carries_the_reference_and_says_nothing_of_the_why() {
    for accept in ["text/html", "application/json", "text/plain"] {
        let reply = refused(403, &[("accept", accept)]);
        assert_eq!(reply.status, 403);
        assert!(text(&reply).contains(REFERENCE) && !text(&reply).contains("p/r"), "{}", text(&reply));
        assert_eq!(header(&reply, "x-gatehouse-reference"), [REFERENCE]);
        assert_eq!(header(&reply, "cache-control"), ["no-store"]);
        assert_eq!(header(&reply, "vary"), ["accept, accept-language, origin"]);
        assert_eq!(header(&reply, "x-content-type-options"), ["nosniff"]);
        assert!(header(&reply, "retry-after").is_empty());
    }
}

#[test]
fn problem_details_have_their_members() {
    let blocked = value!({
        "type": "https://gatehouse.dev/problems/blocked", "title": "Access denied", "status": 403,
        "detail": "This request was refused.", "retryable": false, "reference": REFERENCE
    });
    assert_eq!(json(&refused(403, &[])), blocked);
    let support = Support { text: Some("Ask \"Ops\"\n"), link: Some("mailto:ops@example.com") };
    let limited = json(&answer_on(&Occasion { support, ..occasion() }, &limit(1, Own::default()), &[]));
    assert_eq!(limited["type"], "https://gatehouse.dev/problems/rate-limited");
    assert_eq!((&limited["status"], &limited["retryAfter"]), (&value!(429), &value!(1)));
    assert_eq!(limited["retryable"], true);
    assert_eq!(limited["support"], value!({ "text": "Ask \"Ops\"\n", "link": "mailto:ops@example.com" }));
}

#[test]
fn each_problem_has_its_type_and_says_whether_to_try_again() {
    for (problem, kind, retryable) in [
        (Problem::AmbiguousRequest, "ambiguous-request", false),
        (Problem::Blocked, "blocked", false),
        (Problem::NoPolicy, "no-policy", true),
        (Problem::RateLimited, "rate-limited", true),
    ] {
        let told = json(&answer_to(&Answer::Refuse(Refuse { status: 400, problem, own: Own::default() }), &[]));
        assert_eq!(told["type"], format!("https://gatehouse.dev/problems/{kind}"));
        assert_eq!(told["retryable"], retryable);
    }
}

#[test]
fn the_page_is_whole_and_needs_nothing() {
    let support = Support { text: Some("<b>Ask & \"us\"</b>"), link: Some("https://help.example/?a=1&b='2'") };
    let reply =
        answer_on(&Occasion { support, ..occasion() }, &limit(90 * SECOND_NS, Own::default()), &[("accept", BROWSER)]);
    let page = text(&reply);
    assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">"), "{page}");
    assert!(page.contains("<meta name=\"viewport\"") && page.contains("content=\"light dark\""), "{page}");
    assert!(page.contains("Please try again in 90\u{a0}s."), "{page}");
    assert!(page.contains("&lt;b&gt;Ask &amp; &quot;us&quot;&lt;/b&gt;"), "{page}");
    assert!(page.contains("href=\"https://help.example/?a=1&amp;b=&#39;2&#39;\""), "{page}");
    for absent in ["<script", "src=", "url(", "@import", "style=\"", "onclick", "<b>"] {
        assert!(!page.contains(absent), "{absent}: {page}");
    }
    assert!(page.len() < 2048, "{}", page.len());
}

#[test]
fn the_policy_of_the_page_allows_its_own_style_and_nothing_else() {
    let reply = refused(403, &[("accept", BROWSER)]);
    let style =
        text(&reply).split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>")).expect("a style").0;
    assert_eq!(style, page::STYLE);
    let hash = base64::padded(&Sha256::digest(style.as_bytes()));
    let policy = header(&reply, "content-security-policy").concat();
    assert_eq!(policy, format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'"));
    assert!(header(&refused(403, &[]), "content-security-policy").is_empty());
}

#[test]
fn a_link_that_is_not_https_or_mail_is_offered_to_nobody() {
    for link in ["javascript:alert(1)", "http://help.example", "https://a b", "data:text/html,x", "https://a\r\nb"] {
        let occasion = Occasion { support: Support { text: None, link: Some(link) }, ..occasion() };
        for accept in ["text/html", "application/json", "text/plain"] {
            let reply = answer_on(&occasion, &refuse(403, Own::default()), &[("accept", accept)]);
            assert!(!text(&reply).contains("<a ") && !text(&reply).contains(link), "{}", text(&reply));
        }
    }
}

#[test]
fn the_words_are_in_the_clients_language() {
    let language = |ranges: &str| {
        let reply = refused(403, &[("accept-language", ranges)]);
        (header(&reply, "content-language").concat(), json(&reply)["title"].as_str().expect("a title").to_owned())
    };
    for (ranges, tag, title) in [
        ("", "en", "Access denied"),
        ("de-CH, en;q=0.9", "de", "Zugriff verweigert"),
        ("tlh, fr;q=0.1", "fr", "Accès refusé"),
        ("en;q=0.5, ES-mx;q=0.7", "es", "Acceso denegado"),
        ("it;q=0, nl;q=0.2", "nl", "Toegang geweigerd"),
        ("pt-BR", "pt", "Acesso negado"),
        ("pl", "pl", "Odmowa dostępu"),
        ("it-IT-u-co-phonebk", "it", "Accesso negato"),
        ("ja-JP", "ja", "アクセスが拒否されました"),
        ("ko", "ko", "접근이 거부되었습니다"),
        ("zh", "zh-Hans", "访问被拒绝"),
        ("zh-CN", "zh-Hans", "访问被拒绝"),
        ("zh-Hans-HK", "zh-Hans", "访问被拒绝"),
        ("zh-TW", "zh-Hant", "存取遭拒"),
        ("zh-hant-mo", "zh-Hant", "存取遭拒"),
        ("*", "en", "Access denied"),
        ("de;q=0", "en", "Access denied"),
        ("de;q=nonsense, pl;q=0.1", "pl", "Odmowa dostępu"),
        ("-, , de-, ;q=1", "de", "Zugriff verweigert"),
    ] {
        assert_eq!(language(ranges), (tag.to_owned(), title.to_owned()), "{ranges}");
    }
}

#[test]
fn every_language_has_every_word_and_none_to_escape() {
    let mut tags = Vec::new();
    for language in words::LANGUAGES {
        tags.push(language.tag);
        let mut all = vec![language.reference, language.quote];
        for problem in Problem::ALL {
            let (title, sentence) = language.told(problem);
            all.extend([title, sentence]);
            assert!(!title.ends_with(['.', '。']) && sentence.ends_with(['.', '。']), "{sentence}");
        }
        assert!(all.iter().all(|word| !word.is_empty() && !word.contains(['<', '>', '&', '"', '\'', '\\'])), "{all:?}");
        for wait_s in [1, 119, 120, 7199, 7200, 86_400] {
            let mut again = String::new();
            language.push_again(&mut again, wait_s);
            assert!(again.bytes().any(|byte| byte.is_ascii_digit()) && !again.contains(['<', '>', '&', '"', '\'']));
        }
    }
    tags.sort_unstable();
    assert_eq!(tags, ["de", "en", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "zh-Hans", "zh-Hant"]);
}

#[test]
fn a_time_is_told_in_the_unit_that_people_use() {
    let told = |wait_s| {
        let mut out = String::new();
        words::ENGLISH.push_again(&mut out, wait_s);
        out.replace('\u{a0}', " ")
    };
    for (wait_s, time) in [(1, "1 s"), (119, "119 s"), (120, "2 min"), (121, "3 min"), (7200, "2 h"), (7201, "3 h")] {
        assert_eq!(told(wait_s), format!("Please try again in {time}."));
    }
}

#[test]
fn a_limit_says_how_long_and_by_which_limit() {
    let reply = answer_to(&limit(29 * SECOND_NS + 1, Own::default()), &[]);
    assert_eq!((reply.status, reply.details.as_str()), (429, "gatehouse_limit:p/r:7Q2KM4XJ0T9RB3ZC"));
    assert_eq!(header(&reply, "retry-after"), ["30"]);
    assert_eq!(header(&reply, "ratelimit"), ["\"login\";r=0;t=30"]);
    assert_eq!(header(&reply, "ratelimit-policy"), ["\"login\";q=10;w=60"]);
    let Answer::Limit(limited) = limit(1, Own::default()) else { panic!("a limit") };
    let silent = answer_to(&Answer::Limit(Limited { quota: None, ..limited }), &[]);
    assert_eq!(header(&silent, "retry-after"), ["1"]);
    assert!(header(&silent, "ratelimit").is_empty() && header(&silent, "ratelimit-policy").is_empty());
    assert_eq!(answer_to(&Answer::Limit(Limited { status: 0, ..limited }), &[]).status, 429);
}

#[test]
fn details_have_no_blank_and_only_the_agreed_characters() {
    let details = refused(403, &[]).details;
    assert_eq!(details, format!("gatehouse_block:p/r:{REFERENCE}"));
    assert_eq!(answer_to(&redirect("/x"), &[]).details, format!("gatehouse_redirect:p/r:{REFERENCE}"));
    let odd = Occasion { by: "p r\r\né:\"/x", ..occasion() };
    let details = answer_on(&odd, &refuse(403, Own::default()), &[]).details;
    assert_eq!(details, format!("gatehouse_block:p_r_____/x:{REFERENCE}"));
    assert!(details.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:/-".contains(&b)), "{details}");
}

/// Envoy takes the body off an answer to HEAD and keeps its length and type, as RFC 9110, 9.3.2 asks.
#[test]
fn head_is_answered_like_get() {
    for accept in ["text/html", "*/*"] {
        let ask = |method| refused(403, &[(":method", method), ("accept", accept)]);
        assert_eq!(ask("HEAD"), ask("GET"));
    }
}

#[test]
fn an_impossible_status_becomes_the_usual_one() {
    for status in [0, 100, 204, 304, 399, 600, u16::MAX] {
        assert_eq!(refused(status, &[]).status, 403);
    }
    assert_eq!(refused(451, &[]).status, 451);
}

#[test]
fn a_redirect_says_where_to_and_is_not_kept() {
    let reply = answer_to(
        &Answer::Redirect(Redirect { location: "https://example.com/x?r={reference}", status: 307, cache: false }),
        &[("accept", BROWSER)],
    );
    assert_eq!((reply.status, reply.body.len()), (307, 0));
    assert_eq!(header(&reply, "location"), [format!("https://example.com/x?r={REFERENCE}")]);
    assert_eq!(header(&reply, "x-gatehouse-reference"), [REFERENCE]);
    assert_eq!((header(&reply, "cache-control"), header(&reply, "vary")), (vec!["no-store"], vec!["origin"]));
    let kept = answer_to(&Answer::Redirect(Redirect { location: "/x", status: 200, cache: true }), &[]);
    assert_eq!((kept.status, header(&kept, "cache-control").len()), (302, 0));
}

#[test]
fn a_location_that_could_lead_anywhere_is_refused() {
    let reply = answer_to(&redirect("//evil.example"), &[]);
    assert_eq!((reply.status, header(&reply, "location").len()), (403, 0));
    assert_eq!(json(&reply)["type"], "https://gatehouse.dev/problems/blocked");
}

/// `docs/responses.md` is what clients and operators go by.
#[test]
fn the_documentation_says_what_is_sent() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/responses.md");
    let page = std::fs::read_to_string(path).expect("the page");
    let sample = page.split_once("```json").and_then(|(_, rest)| rest.split_once("```")).expect("a sample").0;
    let support = Support { text: Some("Ask the shop"), link: Some("https://help.example.com/") };
    let quota = Some(Quota { name: "", quota: 10, window_ns: 60 * SECOND_NS });
    let limited = Limited { status: 429, wait_ns: 30 * SECOND_NS, quota, own: Own::default() };
    let reply = answer_on(&Occasion { support, ..occasion() }, &Answer::Limit(limited), &[]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(sample).expect("json"), json(&reply));
    for (label, name) in
        [("Retry-After", "retry-after"), ("RateLimit-Policy", "ratelimit-policy"), ("RateLimit", "ratelimit")]
    {
        let line = format!("\n{label}: {}\n", header(&reply, name).concat());
        assert!(page.contains(&line), "{line}");
    }
    for problem in Problem::ALL {
        let retryable = if problem.is_retryable() { "yes" } else { "no" };
        let row = page.lines().find(|line| line.starts_with(&format!("| `{}` |", problem.slug()))).expect("a row");
        assert!(row.contains(&format!("`{}`", problem.reason())) && row.contains(&format!("| {retryable} |")), "{row}");
    }
    assert!(words::LANGUAGES.iter().all(|language| page.contains(&format!("`{}`", language.tag))));
    for (http, code) in [(400, 3), (401, 16), (404, 5), (408, 4), (409, 10), (412, 9), (429, 8), (501, 12), (503, 14)] {
        let told = refused(http, &[("content-type", "application/grpc")]).grpc_status;
        let row =
            page.lines().find(|line| line.starts_with("| ") && line.contains(&format!("| {code} `"))).expect("a row");
        assert!(told == Some(code) && row.contains(&http.to_string()), "{row}");
    }
}
