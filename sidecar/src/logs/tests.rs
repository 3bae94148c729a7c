//! Every format as it is found in the wild, the unknown kept unknown, and logs that are damaged.

use std::io::Write;
use std::path::PathBuf;

use gatehouse_policy::Field;

use super::*;

/// The requests of a log with this content, and what was found.
fn entries(content: &[u8]) -> (Vec<Request>, Found) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    let mut requests = Vec::new();
    let mut take = |entry: Entry| {
        requests.push(entry.request);
        ControlFlow::Continue(())
    };
    let found = read(file.path().to_str().unwrap(), &Arc::default(), &mut take).unwrap();
    (requests, found)
}

fn one(line: &str) -> Request {
    let (mut requests, found) = entries(line.as_bytes());
    assert_eq!((requests.len(), found.malformed), (1, 0), "{found:?}");
    requests.remove(0)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// `METHOD authority path status peer`
fn told(request: &Request) -> String {
    let authority = request.authority.as_deref().map_or("?", text);
    let status = request.response.as_ref().map_or(0, |response| response.status);
    let peer = request.peer.map_or_else(|| "?".to_owned(), |peer| peer.to_string());
    format!("{} {authority} {} {status} {peer}", text(&request.method), text(&request.path))
}

/// Path, query, method, host.
fn told_fields(request: &Request) -> [bool; 4] {
    [Field::Path, Field::Query, Field::Method, Field::Host].map(|field| request.tells(field))
}

fn hidden(request: &Request, names: &[&str]) -> Vec<bool> {
    names.iter().map(|name| request.hides_header(name.as_bytes())).collect()
}

const ISTIO: &str = r#"{"authority":"shop.example","bytes_received":0,"bytes_sent":5,"connection_termination_details":null,
"downstream_local_address":"10.1.0.1:8080","downstream_remote_address":"203.0.113.7:40000","duration":3,"method":"GET",
"path":"/a?b=1","protocol":"HTTP/1.1","request_id":"r-1","requested_server_name":"shop.example","response_code":200,
"response_code_details":"via_upstream","response_flags":"-","route_name":"default","start_time":"2026-01-01T00:00:00.250Z",
"upstream_cluster":"c","upstream_host":"10.2.0.1:80","user_agent":"curl/8.5","x_forwarded_for":null}"#;

#[test]
fn istio_json_is_read_and_its_missing_columns_are_unseen() {
    let request = one(&ISTIO.replace('\n', ""));
    assert_eq!(told(&request), "GET shop.example /a?b=1 200 203.0.113.7");
    assert_eq!((request.peer_port, request.is_client), (Some(40000), false));
    assert_eq!(request.header("user-agent").as_deref(), Some("curl/8.5"));
    assert_eq!(request.header("x-forwarded-for"), None);
    assert_eq!(hidden(&request, &["user-agent", "x-forwarded-for", "cookie", "x-api-key"]), [false, false, true, true]);
    assert_eq!(request.time, Some(1_767_225_600_250_000_000));
    assert_eq!(request.tls.sni.as_deref(), Some("shop.example"));
}

#[test]
fn envoy_gateway_json_is_read_by_its_own_names() {
    let request = one(
        r#"{"start_time":"2026-01-01T00:00:00Z","method":"POST","x-envoy-origin-path":"/old","path":"/new","protocol":"HTTP/2","response_code":"503","response_flags":"UH",":authority":"a.example:8443","user-agent":"x","x-request-id":"-","x-forwarded-for":"198.51.100.1","downstream_remote_address":"[2001:db8::1]:1"}"#,
    );
    assert_eq!(told(&request), "POST a.example:8443 /old 503 2001:db8::1");
    assert_eq!(request.header("x-forwarded-for").as_deref(), Some("198.51.100.1"));
    assert_eq!(hidden(&request, &["x-request-id"]), [false]);
}

#[test]
fn our_own_envoy_format_has_no_path_and_says_so() {
    let request = one(
        r#"{"time":"2026-01-01T00:00:00.000Z","request_id":"r","peer":"192.0.2.9:5000","method":"GET","authority":"shop.example","protocol":"HTTP/1.1","status":200,"details":"via_upstream","flags":"-","verdict":"allow","reference":null}"#,
    );
    assert_eq!(told(&request), "GET shop.example / 200 192.0.2.9");
    assert_eq!(told_fields(&request), [false, false, true, true]);
}

#[test]
fn our_access_log_and_the_plain_form_tell_the_client() {
    let request = one(
        r#"{"time":"2026-01-01T00:00:00.000Z","peer":"10.0.0.1","method":"GET","path":"/a","canonical_path":"/a","protocol":"HTTP/1.1","status":200,"bytes":1,"total_ms":0.5,"authority":"s","client":"203.0.113.5","user_agent":"x","verdict":"allow","id":"00"}"#,
    );
    assert_eq!((told(&request).as_str(), request.is_client), ("GET s /a 200 203.0.113.5", true));
    assert!(!request.tells(Field::Query));
    let (requests, found) = entries(
        br#"{"ts":1750000000.123,"ip":"10.1.2.3","method":"GET","authority":"api.bench.test","path":"/v1/x?y=z","status":404,"resp_ct":"application/json","ua":"okhttp/4.12.0"}
{"ts":1750000000.2,"ip":"10.1.2.3","method":"PUT","authority":"api.bench.test","path":"/v1/x","status":200,"resp_ct":"text/html","ua":"okhttp/4.12.0","req_ct":"application/json","req_body":"{}","resp_body":""}"#,
    );
    assert_eq!((found.requests, found.formats.get("json")), (2, Some(&2)));
    assert_eq!(told(&requests[0]), "GET api.bench.test /v1/x?y=z 404 10.1.2.3");
    assert_eq!((requests[0].time, requests[0].is_client), (Some(1_750_000_000_123_000_000), true));
    assert_eq!(requests[0].header("user-agent").as_deref(), Some("okhttp/4.12.0"));
    assert_eq!(hidden(&requests[0], &["content-type", "x-forwarded-for"]), [true, true]);
    assert_eq!(requests[1].header("content-type").as_deref(), Some("application/json"));
    assert_eq!(requests[1].response.as_ref().unwrap().headers, [(b"content-type".to_vec(), b"text/html".to_vec())]);
}

#[test]
fn a_request_document_on_one_line_hides_nothing() {
    let line = r#"{"method":"GET","path":{"base64":"L/8="},"headers":[["Host","s"],["X-A",{"base64":"/w=="}]],"address":"192.0.2.1","tls":null,"peer_uris":[]}"#;
    let request = one(line);
    assert_eq!(request, Request { known: None, ..Request::parse("r", line).unwrap() });
    assert_eq!((request.path, request.authority), (b"/\xff".to_vec(), Some(b"s".to_vec())));
}

#[test]
fn common_and_combined_lines_are_read_with_hosts_before_and_columns_after() {
    let request = one(r#"192.0.2.7 - bob [10/Oct/2000:13:55:36 -0700] "GET /a%20b?c HTTP/1.0" 200 2326"#);
    assert_eq!(told(&request), "GET ? /a%20b?c 200 192.0.2.7");
    assert_eq!((request.time, request.protocol.as_deref()), (Some(971_211_336_000_000_000), Some("HTTP/1.0")));
    assert_eq!(told_fields(&request), [true, true, true, false]);
    assert!(request.hides_header(b"user-agent") && !request.tells(Field::Agent));

    let combined = r#"shop.example:443 2001:db8::1 - - [10/Oct/2000:13:55:36 +0000] "POST https://o.example/x HTTP/1.1" 302 - "-" "Mozil\"la \x41" "203.0.113.9, 10.0.0.1" 0.12"#;
    let request = one(combined);
    assert_eq!(told(&request), "POST o.example /x 302 2001:db8::1");
    assert_eq!(request.header("user-agent").as_deref(), Some("Mozil\"la A"));
    assert_eq!(request.header("x-forwarded-for").as_deref(), Some("203.0.113.9, 10.0.0.1"));
    assert_eq!(hidden(&request, &["referer", "cookie"]), [false, true]);

    let third = one(r#"192.0.2.7 - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 1 "r" "ua" "session=1""#);
    assert_eq!(hidden(&third, &["x-forwarded-for"]), [true]);
}

#[test]
fn what_was_no_http_request_is_counted_apart() {
    let (requests, found) = entries(
        b"192.0.2.7 - - [10/Oct/2000:13:55:36 +0000] \"\\x16\\x03\\x01\" 400 0 \"-\" \"-\"\n\
          192.0.2.7 - - [10/Oct/2000:13:55:36 +0000] \"-\" 408 0\n\
          {\"start_time\":\"2026-01-01T00:00:00Z\",\"method\":null,\"path\":null,\"response_code\":0,\"response_flags\":\"DC\"}\n\
          [2026-01-01T00:00:00.000Z] \"- - HTTP/1.1\" 400 DPE 0 11 0 - \"-\" \"-\" \"-\" \"-\" \"-\"\n",
    );
    assert_eq!((requests.len(), found.without_request, found.malformed), (0, 4, 0), "{found:?}");
}

#[test]
fn envoys_and_istios_text_formats_are_read() {
    let envoy = one(
        r#"[2016-04-15T20:17:00.310Z] "POST /api/v1/locations HTTP/2" 204 - 154 0 226 100 "10.0.35.28" "nsq2http" "cc21d9b0" "locations" "tcp://10.0.2.1:80""#,
    );
    assert_eq!(told(&envoy), "POST locations /api/v1/locations 204 ?");
    assert_eq!(envoy.header("x-forwarded-for").as_deref(), Some("10.0.35.28"));
    assert_eq!(envoy.header("user-agent").as_deref(), Some("nsq2http"));
    let istio = one(
        r#"[2026-01-01T00:00:00.000Z] "GET /status/418 HTTP/1.1" 418 - via_upstream - "-" 0 135 4 4 "-" "curl/7.73.0-DEV" "84961386" "httpbin:8000" "10.44.1.27:80" outbound|8000||httpbin 10.44.1.23:37652 10.0.45.184:8000 10.44.1.23:46520 - default"#,
    );
    assert_eq!(told(&istio), "GET httpbin:8000 /status/418 418 10.44.1.23");
    assert_eq!((istio.header("x-forwarded-for"), istio.peer_port), (None, Some(46520)));
    assert_eq!(hidden(&istio, &["x-forwarded-for", "referer"]), [false, true]);
}

#[test]
fn an_archive_streams_by_with_every_header() {
    let archive = r#"{ "log": {"version": "1.2", "creator": {"name": "x"}, "pages": [{"a": [1]}], "entries": [
        {"startedDateTime": "2025-06-15T12:00:01.5Z", "time": 12, "request": {"method": "GET", "url": "https://api.example/a?b=c#d",
         "httpVersion": "h2", "headers": [{"name": ":authority", "value": "x"}, {"name": "Accept", "value": ""}, {"name": "Cookie", "value": "a=1"}], "cookies": [], "queryString": []},
         "response": {"status": 200, "headers": [{"name": "Content-Type", "value": "text/html"}], "content": {"text": "LONG"}}},
        {"request": {"method": "GET", "url": "data:text/plain,x", "headers": []}},
        {"request": {"url": "https://x/"}},
        {"startedDateTime": "x", "request": {"method": "GET", "url": "wss://h/s", "headers": [{"name": "Host", "value": "other"}]}, "response": {"status": 0}}]}}"#;
    let (requests, found) = entries(archive.as_bytes());
    assert_eq!((found.requests, found.without_request, found.malformed), (2, 1, 1), "{found:?}");
    assert_eq!(found.problems[0].number, 3);
    assert_eq!(told(&requests[0]), "GET api.example /a?b=c 200 ?");
    assert_eq!(requests[0].protocol.as_deref(), Some("HTTP/2"));
    assert_eq!((requests[0].tells(Field::Headers), requests[0].headers.len()), (true, 2));
    assert!(!requests[0].tells(Field::Fingerprint), "an archive has headers in the order of their names");
    assert_eq!(told(&requests[1]), "GET other /s 0 ?");
}

#[test]
fn an_archive_that_is_cut_gives_what_came_before() {
    let entry = r#"{"request": {"method": "GET", "url": "https://h/x", "headers": []}}"#;
    let (requests, found) = entries(format!("{{\"log\": {{\"entries\": [{entry}, {entry}, {{\"req").as_bytes());
    assert_eq!(requests.len(), 2);
    assert!(found.cut_short.unwrap().starts_with("after entry 2: EOF"), "{:?}", found.problems);
    let (none, found) = entries(b"{\"log\": {\"entries\": 1}}");
    assert_eq!((none.len(), found.malformed), (0, 1));
}

#[test]
fn our_records_are_read_back_as_the_sinks_write_them() {
    use gatehouse_proto::v1;
    let header = |name: &str, value: &str| v1::Header { name: name.into(), value: value.into() };
    let record = v1::Record {
        id: vec![0; 16],
        part: v1::record::Part::Final.into(),
        start_unix_ns: 1_767_225_600_000_000_000,
        downstream: Some(v1::Downstream {
            client_address: "203.0.113.7".into(),
            client_address_source: v1::downstream::AddressSource::Forwarded.into(),
            peer_uri: "spiffe://a/b".into(),
            mutual_tls: Some(true),
            ..v1::Downstream::default()
        }),
        request: Some(v1::Request {
            method: "GET".into(),
            authority: "[2001:db8::1]:80".into(),
            path: "/u/{email:00}".into(),
            user_agent: "curl".into(),
            headers: vec![header("accept", "*/*")],
            ..v1::Request::default()
        }),
        response: Some(v1::Response { status: 401, ..v1::Response::default() }),
        ..v1::Record::default()
    };
    let mut lines = Vec::new();
    crate::ocsf::write_record(&record, &mut lines).unwrap();
    lines.push(b'\n');
    let interim = v1::Record { part: v1::record::Part::Interim.into(), ..record.clone() };
    crate::ocsf::write_record(&interim, &mut lines).unwrap();
    lines.push(b'\n');
    let carried = v1::Record { request: None, connection: Some(v1::Connection::default()), ..record.clone() };
    crate::ocsf::write_record(&carried, &mut lines).unwrap();
    lines.push(b'\n');
    let loss = v1::Loss { first_seq: 1, count: 3, reason: v1::loss::Reason::RingFull.into() };
    let origin = crate::ocsf::LossOrigin { epoch: 1, gateway: "g", time_ms: 0 };
    crate::ocsf::write_loss(&loss, origin, &mut lines).unwrap();
    let (requests, found) = entries(&lines);
    assert_eq!((found.requests, found.without_request, found.malformed), (1, 3, 0), "{found:?}");
    let request = &requests[0];
    assert_eq!(told(request), "GET [2001:db8::1]:80 /u/{email:00} 401 203.0.113.7");
    assert_eq!((request.is_client, request.connection().mutual_tls), (true, Some(true)));
    assert_eq!(hidden(request, &["accept", "content-type", "cookie", "x-forwarded-for"]), [false, false, true, true]);
    assert!(!request.tells(Field::Query) && !request.tells(Field::Cookies) && request.tells(Field::Agent));
}

#[test]
fn a_record_without_its_request_is_malformed_and_not_a_request_without_a_path() {
    let (requests, found) = entries(br#"{"class_uid":4002,"time":1,"metadata":{"event_code":"gatehouse.record"}}"#);
    assert_eq!((requests.len(), found.malformed), (0, 1));
    assert_eq!(found.problems.first().unwrap().problem, "a record without `http_request`");
}

#[test]
fn malformed_lines_are_counted_and_the_first_few_told_and_the_rest_is_read() {
    let mut log = b"\n# a comment\nnonsense\n{\"method\":\n{\"level\":\"info\",\"msg\":\"x\"}\n".to_vec();
    log.extend_from_slice(&vec![b'x'; MAX_LINE + 1]);
    log.extend_from_slice(
        b"\n{\"method\":\"GET\",\"path\":\"/\"}\n1.1.1.1 - - [bad] \"GET / HTTP/1.1\" 200 1\n\xff\xfe\n\xff\n",
    );
    let (requests, found) = entries(&log);
    assert_eq!((requests.len(), found.malformed, found.problems.len()), (1, 7, TOLD));
    let told: Vec<_> = found.problems.iter().map(|one| (one.number, one.problem.as_str())).collect();
    assert_eq!(told[0], (3, "neither JSON nor a log line that we know"));
    assert_eq!(told[1], (4, "not JSON: EOF while parsing a value, column 10"));
    assert_eq!(told[2], (5, "it has neither a method nor a path"));
    assert_eq!(told[3], (6, "longer than 1024 KiB"));
    assert_eq!(told[4], (8, "its time cannot be read"));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 300, ..Default::default() })]

    #[test]
    fn no_line_stops_the_reader(
        start in proptest::sample::select(vec![
            "", "{", "[2026-01-01T00:00:00Z] \"", "1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] \"", "{\"log\":{\"entries\":[{",
            "{\"class_uid\":4002,\"metadata\":{\"event_code\":\"gatehouse.record\"},", "{\"method\":\"GET\",\"headers\":[[",
            "[2026-01-01T00:00:00Z] \"GET / HTTP/1.1\" 200 - ", "1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.1\" 200 1 \"",
        ]),
        middle in "[\\x00-\\x7f]{0,80}",
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60),
    ) {
        let log = [start.as_bytes(), middle.as_bytes(), &bytes, b"\n{\"method\":\"GET\",\"path\":\"/last\"}\n"].concat();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&log).unwrap();
        let mut last = None;
        let mut take = |entry: Entry| {
            // What is read must be a head that the engine takes.
            assert!(entry.request.pairs().iter().any(|(name, _)| *name == b":path"));
            last = Some(entry.request.path);
            ControlFlow::Continue(())
        };
        let found = read(file.path().to_str().unwrap(), &Arc::default(), &mut take).unwrap();
        if found.cut_short.is_none() && !start.contains("log") {
            proptest::prop_assert_eq!(last.as_deref(), Some(&b"/last"[..]));
        }
    }
}

#[test]
fn a_nested_log_of_something_else_is_malformed_and_not_passed_over() {
    let (_, found) = entries(br#"{"level":"info","request":{"method":"GET","uri":"/"},"status":200}"#);
    assert_eq!((found.malformed, found.without_request), (1, 0));
}

#[test]
fn a_cut_gzip_gives_what_came_before_and_says_where_it_ends() {
    use flate2::{Compression, write::GzEncoder};
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    for n in 0..50_000 {
        writeln!(encoder, "{{\"method\":\"GET\",\"path\":\"/{n}\"}}").unwrap();
    }
    let whole = encoder.finish().unwrap();
    assert_eq!(entries(&whole).1.requests, 50_000);
    let (requests, found) = entries(&whole[..whole.len() / 2]);
    assert!(requests.len() > 10_000 && found.cut_short.unwrap().starts_with("line "));
}

#[test]
fn whoever_takes_may_stop() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&b"{\"method\":\"GET\",\"path\":\"/\"}\n".repeat(10)).unwrap();
    let mut left = 3;
    let mut take = |_| {
        left -= 1;
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let found = read(file.path().to_str().unwrap(), &Arc::default(), &mut take).unwrap();
    assert_eq!((found.requests, found.cut_short), (3, None));
    assert!(
        read(PathBuf::from("/nowhere").to_str().unwrap(), &Arc::default(), &mut |_| ControlFlow::Continue(())).is_err()
    );
}
