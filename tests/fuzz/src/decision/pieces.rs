//! Policies by number: every word of the language, put together as the bytes say. All of them compile: what may not be written is
//! the documents' targets' to find out.

use std::cell::RefCell;
use std::rc::Rc;

use gatehouse_engine::Policy;
use gatehouse_policy::{Format, Source, compile};

use crate::given::Dice;

/// Most rules of a policy.
const RULES: u8 = 6;
/// Deepest nesting of conditions.
const DEPTH: u8 = 3;

const LEAVES: [&str; 43] = [
    r#""always":true"#,
    r#""path":"/admin""#,
    r#""path":["/admin/**","/users/{id}","/a/*/c"]"#,
    r#""path":{"prefix":"/api"}"#,
    r#""path":{"suffix":".php"}"#,
    r#""path":{"regex":"^/v[0-9]+/"}"#,
    r#""method":"POST""#,
    r#""method":["GET","HEAD"]"#,
    r#""host":"shop.example.com""#,
    r#""host":"*.example.com""#,
    r#""address":"192.0.2.0/24""#,
    r#""address":["203.0.113.9","2001:db8::/32"]"#,
    r#""address":{"list":"office"}"#,
    r#""headers":{"x":"y"}"#,
    r#""headers":{"x":{"present":true}}"#,
    r#""headers":{"x":{"present":false}}"#,
    r#""headers":{"x":{"prefix":"a"}}"#,
    r#""headers":{"x":{"suffix":"b"}}"#,
    r#""headers":{"x":{"contains":"c"}}"#,
    r#""headers":{"x":{"regex":"^a.*b$"}}"#,
    r#""headers":{"user-agent":{"contains":"bot"},"x":{"present":true}}"#,
    r#""query":{"debug":"1"}"#,
    r#""query":{"a b":{"prefix":"x"},"id":{"present":true}}"#,
    r#""query":{"q":{"regex":"<script"}}"#,
    r#""cookies":{"session":{"present":false}}"#,
    r#""cookies":{"theme":["dark","light"]}"#,
    r#""identity":"spiffe://cluster.local/ns/ops/**""#,
    r#""identity":"none""#,
    r#""identity":{"list":"ops"}"#,
    r#""serviceAccounts":["shop/frontend","ops/*"]"#,
    r#""jwt":{"role":"admin"}"#,
    r#""jwt":{"iss":{"present":false}}"#,
    r#""sni":["shop.example.com","*.example.com"]"#,
    r#""port":[443,8443]"#,
    r#""tls":{"mutual":true}"#,
    r#""size":{"atLeast":"1KiB"}"#,
    r#""size":{"atMost":"0B"}"#,
    r#""fingerprint":{"list":"tools"}"#,
    r#""agent":["scanner","library","ai-crawler"]"#,
    r#""country":["FR","DE"],"asn":64500"#,
    r#""score":10"#,
    r#""label":"probe""#,
    r#""time":{"hours":"22:00-06:00","days":["mon-fri","sun"]}"#,
];

/// What a rule without a limit does.
const THEN: [&str; 17] = [
    r#""block""#,
    r#""allow""#,
    r#"{"block":{"status":404,"body":"nothing {reference}"}}"#,
    r#"{"block":{"headers":{"x-why":"none"}}}"#,
    r#"{"redirect":{"location":"/elsewhere"}}"#,
    r#"{"redirect":{"location":"https://example.com/","status":307}}"#,
    r#""drop""#,
    r#"{"deceive":{"status":200,"body":"{}"}}"#,
    r#"{"tag":{"header":"x-gatehouse-class","value":"seen"}}"#,
    r#"{"tag":{"header":"x-bot","value":"yes"}}"#,
    r#"{"route":{"header":"x-gatehouse-route","value":"slow"}}"#,
    r#""record""#,
    r#"{"delay":"50ms"}"#,
    r#"{"weigh":5,"label":"probe"}"#,
    r#"{"sanitize":{"headers":["x-debug"],"query":["debug"]}}"#,
    r#"{"setResponseHeaders":{"x-frame-options":"DENY"}}"#,
    r#"["record",{"weigh":-3},"drop"]"#,
];

/// What a rule with a limit counts, and what it does.
const LIMITS: [&str; 8] = [
    r#""limit":{"by":["client"],"rate":"2 per 1m"},"then":"limit""#,
    r#""limit":{"by":["address"],"rate":"3 per 1m","burst":2},"then":{"limit":{"body":"later, {retry_after}"}}"#,
    r#""limit":{"by":["client","host"],"count":{"status":[401,"5xx"]},"rate":"2 per 1m","blockFor":"10m"},"then":"limit""#,
    r#""limit":{"by":["fingerprint","path.class"],"distinct":{"of":"address","over":"2 per 5m"}},"then":"block""#,
    r#""limit":{"by":["headers.x-api-key","cookies.session"],"rate":"1 per 1s"},"then":"drop""#,
    r#""limit":{"by":["jwt.sub"],"rate":"1 per 1m","steps":[{"rate":"2 per 1m","blockFor":"1m","then":"block"}]},"then":"record""#,
    r#""limit":{"by":["identity","method"],"rate":"2 per 1m","shared":true},"then":"limit""#,
    r#""limit":{"by":["address.prefix","query.key"],"rate":"2 per 1m"},"then":{"delay":"10ms"}"#,
];

/// Rules that read the response.
const LATE: [&str; 3] = [
    r#""match":{"response":{"status":[401,"5xx"]}},"then":["record",{"weigh":5,"label":"probe"}]"#,
    r#""match":{"response":{"headers":{"server":{"contains":"x"}}}},"then":{"removeResponseHeaders":"server"}"#,
    r#""match":{"response":{"status":500,"size":{"atLeast":"1MiB"}}},"then":"block""#,
];

const OTHERWISE: [&str; 3] = ["", r#","otherwise":"block""#, r#","otherwise":"allow""#];
const AMBIGUOUS: [&str; 3] = ["", r#","ambiguous":"strictest""#, r#","ambiguous":"reject""#];
const CLIENT: [&str; 6] = [
    "",
    r#","client":{"address":{"from":"x-forwarded-for","trust":["10.0.0.0/8","192.0.2.1"]}}"#,
    r#","client":{"address":{"from":"x-forwarded-for","hops":1},"key":["jwt.sub","address"]}"#,
    r#","client":{"address":{"from":"forwarded","trust":["10.0.0.0/8"]},"key":["identity"]}"#,
    r#","client":{"address":{"from":"x-real-ip","hops":1}}"#,
    r#","client":{"address":{"from":"x-forwarded-for","trust":[]}}"#,
];
const FORWARD: [&str; 2] = ["", r#","forward":"canonical""#];
const BACKEND: [&str; 4] = [
    "",
    r#","backend":{"paths":"caseInsensitive"}"#,
    r#","backend":{"decodes":2}"#,
    r#","backend":{"parameters":"ignored"}"#,
];
const PROOF: [&str; 4] = [
    "",
    r#","identityHeaders":"strip""#,
    r#","identityHeaders":{"action":"refuse","names":["x-remote-user","x-user"]}"#,
    r#","requireMutualTls":true"#,
];

/// A policy, as the bytes say.
struct Pieces {
    rules: Vec<String>,
    settings: String,
    backend: &'static str,
    proof: &'static str,
    mandate: String,
}

impl Pieces {
    /// What these bytes mean.
    fn read(bytes: &[u8]) -> Self {
        let mut dice = Dice(bytes);
        let settings = [dice.pick(&OTHERWISE), dice.pick(&AMBIGUOUS), dice.pick(&CLIENT), dice.pick(&FORWARD)].concat();
        let (backend, proof) = (dice.pick(&BACKEND), dice.pick(&PROOF));
        let rules = (0..dice.byte() % (RULES + 1)).map(|number| rule(&mut dice, number)).collect();
        Self { rules, settings, backend, proof, mandate: LEAVES[usize::from(dice.byte()) % 10].to_owned() }
    }

    /// The policy in this mode.
    fn policy(&self, mode: &str) -> Policy {
        let spec = format!(r#""mode":"{mode}"{}{}{},{}"#, self.settings, self.backend, self.proof, self.inner());
        let above = format!(r#""mode":"{mode}",{GRANT}"#);
        compiled(&[document("shop", "acme/shop", &spec), document("acme", "acme", &above)])
    }

    /// A policy of a mandate alone, and the same with this one below it.
    fn mandated(&self) -> (Policy, Policy) {
        let mandate =
            format!(r#"{GRANT},"mandates":{{"rules":[{{"name":"m","match":{{{}}},"then":"block"}}]}}"#, self.mandate);
        let mandate = document("acme", "acme", &mandate);
        let below = format!(r#"{},"mode":"enforce"{}"#, self.inner(), self.settings);
        (compiled(&[mandate.clone()]), compiled(&[mandate, document("shop", "acme/shop", &below)]))
    }

    fn inner(&self) -> String {
        format!(
            r#""hosts":["*.example.com"],"trustDomains":["cluster.local"],
            "lists":{{"office":{{"cidrs":["192.0.2.0/28","198.51.100.7"]}},"ops":{{"identities":["spiffe://cluster.local/ns/ops/sa/*"]}},
            "tools":{{"fingerprints":["h1_0123abcd"]}}}},"rules":[{}]"#,
            self.rules.join(",")
        )
    }
}

/// The policies of one input.
pub struct Policies {
    /// Everything decides.
    pub enforced: Policy,
    /// Nothing decides.
    pub monitored: Policy,
    /// A mandate alone, and with the rest below it.
    pub mandate: Policy,
    /// See `mandate`.
    pub below: Policy,
}

impl Policies {
    /// What these bytes mean. Most inputs differ from the one before in their requests only, so the last ones are kept.
    pub fn of(bytes: &[u8]) -> Rc<Self> {
        thread_local!(static LAST: RefCell<Option<(Vec<u8>, Rc<Policies>)>> = const { RefCell::new(None) });
        LAST.with_borrow_mut(|last| match last {
            Some((known, policies)) if known == bytes => Rc::clone(policies),
            _ => {
                let pieces = Pieces::read(bytes);
                let (mandate, below) = pieces.mandated();
                let (enforced, monitored) = (pieces.policy("enforce"), pieces.policy("monitor"));
                let policies = Rc::new(Self { enforced, monitored, mandate, below });
                *last = Some((bytes.to_vec(), Rc::clone(&policies)));
                policies
            }
        })
    }
}

const GRANT: &str = r#""grants":[{"to":"acme/shop","hosts":["*.example.com"]}]"#;

fn document(name: &str, scope: &str, spec: &str) -> String {
    format!(
        r#"{{"apiVersion":"gatehouse.dev/v1","kind":"Policy","metadata":{{"name":"{name}","scope":"{scope}"}},"spec":{{{spec}}}}}"#
    )
}

fn compiled(documents: &[String]) -> Policy {
    let text = format!("[{}]", documents.join(","));
    let source = Source { name: "pieces", text: &text, format: Format::Json };
    let compiled = compile(&[source]).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    Policy::load(compiled.image, 1).expect("what compiles loads")
}

fn rule(dice: &mut Dice<'_>, number: u8) -> String {
    let kind = dice.byte();
    let priority = i32::from(dice.byte() as i8) * 7;
    let rest = match kind % 8 {
        0..=3 => format!(r#""match":{{{}}},"then":{}"#, condition(dice, 0), dice.pick(&THEN)),
        4..=6 => format!(r#""match":{{{}}},{}"#, condition(dice, 0), dice.pick(&LIMITS)),
        _ => dice.pick(&LATE).to_owned(),
    };
    format!(r#"{{"name":"r{number}","priority":{priority},{rest}}}"#)
}

/// The inside of a `match`.
fn condition(dice: &mut Dice<'_>, depth: u8) -> String {
    match dice.byte() {
        kind @ 200.. if depth < DEPTH => {
            let mut part = || format!("{{{}}}", condition(dice, depth + 1));
            match kind % 3 {
                0 => format!(r#""not":{}"#, part()),
                1 => format!(r#""any":[{},{}]"#, part(), part()),
                _ => format!(r#""all":[{},{}]"#, part(), part()),
            }
        }
        kind => LEAVES[usize::from(kind) % LEAVES.len()].to_owned(),
    }
}
