//! A hundred secrets, planted wherever a client can put one, are found in nothing that we write.

use std::time::Duration;

use gatehouse_e2e::secrets::{found, planted};
use gatehouse_e2e::{HOST, house_bootstrap, policy};
use gatehouse_support::client::exchange;
use gatehouse_support::envoy::HouseAt;
use gatehouse_support::{Envoy, Gate, Gateway, House, Upstream, wait};
use serde_json::json;

#[tokio::test]
async fn a_hundred_planted_secrets_are_found_nowhere() {
    let upstream = Upstream::start().await;
    // Some of the requests are blocked, some would have been: their references and code details must be clean too.
    // Two read what the secrets stand in: their records tell what was read.
    let header = |name: &str| json!({ "headers": { name: "zz" } });
    let headers: Vec<_> = ["accept", "authorization", "referer", "user-agent", "x-custom"].map(header).into();
    let values = json!([{ "query": { "q": "zz" } }, { "query": { "next": "zz" } }, { "cookies": { "session": "zz" } }]);
    let places = json!([{ "prefix": "/blocked" }, { "prefix": "/watched" }]);
    let rules = json!([
        { "name": "headers", "match": { "path": places, "not": { "any": headers } }, "mode": "monitor", "then": "block" },
        { "name": "values", "match": { "path": places, "not": { "any": values } }, "mode": "monitor", "then": "block" },
        { "name": "closed", "match": { "path": { "prefix": "/blocked" } }, "then": "block" },
        { "name": "watched", "match": { "path": { "prefix": "/watched" } }, "mode": "monitor", "then": "block" },
    ]);
    let setup = gatehouse_support::house::Setup {
        policies: vec![("policy.yaml".to_owned(), policy("enforce", rules).to_string())],
        extra: "access_log: json".to_owned(),
    };
    let mut house = House::start_with(&setup).await;
    let mut gateway = Gateway::new(upstream.address()).with_gate(Gate::new(house_bootstrap()));
    gateway.house = HouseAt::Socket(house.socket());
    let envoy = Envoy::start(&gateway).await;
    wait::until_true(Duration::from_secs(15), "the policy to be in force", || async {
        let probe = gatehouse_support::client::request("GET", "/blocked", &[("host", HOST)], b"");
        exchange(envoy.address(), &probe).await.is_ok_and(|reply| reply.status == 403)
    })
    .await;

    let planted = planted();
    assert!(planted.len() >= 100, "{}", planted.len());
    for secret in &planted {
        let reply = exchange(envoy.address(), &secret.request).await.expect("an answer");
        assert!(reply.status < 500, "{}: {}", secret.place, reply.status);
        let written = [reply.body.clone(), format!("{:?}", reply.fields).into_bytes()].concat();
        assert!(found(&secret.needle, &written).is_none(), "{} came back in our own answer", secret.place);
    }
    wait::until_true(Duration::from_secs(20), "every record to be delivered", || async {
        house.events().len() >= planted.len()
    })
    .await;
    // The records do tell of these requests: a class stands where the secret stood.
    let told = format!("{:?}", house.events());
    for class in ["card", "jwt", "bearer", "basic", "api_key", "email"] {
        assert!(told.contains(&format!("{{{class}:")), "no event tells of a {class}");
    }
    for field in
        ["path", "headers.authorization", "headers.user-agent", "headers.x-custom", "query.q", "cookies.session"]
    {
        assert!(told.contains(field), "no event tells that {field} was read");
    }
    let mut written = vec![
        ("house log and access log".to_owned(), house.log().into_bytes()),
        ("/status".to_owned(), house.page("/status").await.into_bytes()),
        ("/metrics".to_owned(), house.page("/metrics").await.into_bytes()),
        ("Envoy's log".to_owned(), envoy.log().into_bytes()),
        ("Envoy's access log with our filter state".to_owned(), format!("{:?}", envoy.access_log()).into_bytes()),
    ];
    // The spool and the event files, byte for byte, after a clean end has synced them.
    house.stop().await;
    for file in house.files() {
        written.push((file.display().to_string(), std::fs::read(&file).expect("a readable file")));
    }
    let files = written.len();
    let bytes: usize = written.iter().map(|(_, bytes)| bytes.len()).sum();
    for secret in &planted {
        for (name, bytes) in &written {
            let hit = found(&secret.needle, bytes);
            assert!(hit.is_none(), "{} is in {name}: …{}…", secret.place, hit.unwrap_or_default());
        }
    }
    println!("{} secrets looked for in {files} files and pages, {bytes} bytes: none found", planted.len());
}
