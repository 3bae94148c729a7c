//! What the Kafka client says, in the words of the one who has to mend it: its settings by the names that they have here.

use rdkafka::error::RDKafkaErrorCode as Code;

use crate::sink::board::Trouble;

/// Settings of the client, and where each stands in ours.
const SETTINGS: [(&str, &str); 12] = [
    ("ssl.ca.location", "`tls.ca`"),
    ("ssl.certificate.location", "`tls.certificate`"),
    ("ssl.key.location", "`tls.key`"),
    ("ssl.ca.pem", "`tls.ca`"),
    ("ssl.certificate.pem", "`tls.certificate`"),
    ("ssl.key.pem", "`tls.key`"),
    ("security.protocol", "`tls` and `sasl`"),
    ("bootstrap.servers", "`brokers`"),
    ("sasl.mechanisms", "`sasl.mechanism`"),
    ("sasl.mechanism", "`sasl.mechanism`"),
    ("sasl.username", "`sasl.username`"),
    ("sasl.password", "`sasl.password_file`"),
];

const THEIR_CERTIFICATE: &str = "the broker's certificate is not good here: write its authority to the file of `tls.ca`, a \
    name that stands in it in `brokers`, or have it renewed if it has expired";
const OWN_CERTIFICATE: &str =
    "the broker does not take our certificate; write one that it takes to the files of `tls.certificate` and `tls.key`";
const SPEAKS_TLS: &str = "the broker may speak TLS there: write `tls`, or the port of another listener in `brokers`";
const SPEAKS_NONE: &str = "the broker may speak no TLS there: leave `tls` out, or write the port of another listener in \
    `brokers`";
const WANTS_LOGIN: &str =
    "the broker may want a login there: write `sasl`, or the port of another listener in `brokers`";
const NO_LOGIN: &str = "check `sasl.username` and the file of `sasl.password_file`";
const WANTS_NO_LOGIN: &str =
    "the broker wants none there: leave `sasl` out, or write the port of another listener in `brokers`";

/// A connection is young for so long.
const YOUNG_MS: u64 = 2000;

/// What to do, by what the client says of a connection; the first that fits. It does not say why a certificate is not good.
const REMEDIES: [(&str, &str); 14] = [
    ("certificate verify failed", THEIR_CERTIFICATE),
    ("Failed to verify broker certificate", THEIR_CERTIFICATE),
    ("alert unknown ca", OWN_CERTIFICATE),
    ("alert bad certificate", OWN_CERTIFICATE),
    ("alert certificate", OWN_CERTIFICATE),
    ("alert unsupported certificate", OWN_CERTIFICATE),
    ("alert decrypt error", OWN_CERTIFICATE),
    ("alert handshake failure", OWN_CERTIFICATE),
    ("client SSL authentication might be required", OWN_CERTIFICATE),
    ("connecting to a SSL listener?", SPEAKS_TLS),
    ("connecting to a PLAINTEXT broker listener?", SPEAKS_NONE),
    ("wrong version number", SPEAKS_NONE),
    ("might require SASL authentication", WANTS_LOGIN),
    ("Failed to resolve", "check the names in `brokers`, and this machine's DNS"),
];

/// What an error of the client means: its own `reason`, and what to do about it.
pub(super) fn trouble(code: Code, reason: &str, topic: &str) -> Trouble {
    let said = in_our_words(reason);
    match code {
        Code::TopicAuthorizationFailed => Trouble::Denied(format!(
            "{said}: not authorised to write to the topic `{topic}`; grant the rights WRITE and DESCRIBE on it to the user \
             of this sink"
        )),
        Code::ClusterAuthorizationFailed => Trouble::Denied(format!(
            "{said}: not authorised to write to any topic; grant the rights WRITE and DESCRIBE on the topic `{topic}` to the \
             user of this sink (and by a broker before 2.8 IDEMPOTENT_WRITE on the cluster)"
        )),
        Code::Authentication | Code::SaslAuthenticationFailed => {
            Trouble::Denied(format!("{said}: the login is refused; {}", login_remedy(reason)))
        }
        Code::UnsupportedSASLMechanism => {
            Trouble::Denied(format!("{said}: the login is refused; write another `sasl.mechanism`"))
        }
        Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition => Trouble::Retry(format!(
            "{said}: there is no topic `{topic}`, or it lost a partition; make it, or mend `topic`"
        )),
        _ => Trouble::Retry(match remedy(reason) {
            Some(remedy) => format!("{said}: {remedy}"),
            None => said,
        }),
    }
}

fn remedy(reason: &str) -> Option<&'static str> {
    by_words(reason).or_else(|| by_moment(reason))
}

fn by_words(reason: &str) -> Option<&'static str> {
    REMEDIES.iter().find(|(words, _)| reason.contains(words)).map(|(_, remedy)| *remedy)
}

/// What it may mean that a broker cut a young connection: brokers do not say what they miss.
fn by_moment(reason: &str) -> Option<&'static str> {
    let (said, moment) = reason.rsplit_once(" (after ")?;
    let (age_ms, state) = moment.split_once("ms in state ")?;
    let cut = ["Disconnected", "Broken pipe", "reset by peer"].iter().any(|words| said.contains(words));
    if !cut || age_ms.parse::<u64>().ok()? >= YOUNG_MS || said.starts_with("sasl") {
        return None;
    }
    if state.starts_with("UP") {
        return Some(WANTS_LOGIN);
    }
    (state.starts_with("APIVERSION_QUERY") && !said.starts_with("ssl")).then_some(SPEAKS_TLS)
}

fn login_remedy(reason: &str) -> &'static str {
    if reason.contains("not valid in current SASL state") {
        WANTS_NO_LOGIN
    } else if reason.contains("mechanism handshake failed") {
        "write another `sasl.mechanism`"
    } else {
        NO_LOGIN
    }
}

/// Whether it is known for sure what to do about an error.
pub(super) fn has_remedy(code: Code, reason: &str) -> bool {
    matches!(trouble(code, reason, ""), Trouble::Denied(_)) || by_words(reason).is_some()
}

/// What a line of the client's log says of a broker: its thread's name stands before that.
pub(super) fn said_of_broker<'a>(facility: &str, line: &'a str) -> Option<&'a str> {
    let line = if line.starts_with("[thrd:") { line.split_once("]: ")?.1 } else { line };
    (facility == "FAIL").then_some(line)
}

/// `reason` with our names of settings, and without what changes from one time to the next: it is news only once.
fn in_our_words(reason: &str) -> String {
    let end = reason.rfind(" (after ").filter(|_| reason.ends_with(')')).unwrap_or(reason.len());
    let mut said = reason.get(..end).unwrap_or(reason).trim_end_matches([' ', ':']).to_owned();
    for (theirs, ours) in SETTINGS {
        // What is replaced already stands in quotes.
        if !said.contains(ours) {
            said = said.replace(theirs, ours);
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(code: Code, reason: &str) -> String {
        match trouble(code, reason, "events") {
            Trouble::Retry(said) => said,
            Trouble::Denied(said) => format!("denied: {said}"),
            Trouble::Waiting(said) => panic!("nothing is waited for: {said}"),
        }
    }

    /// As the client said it to brokers of Kafka 4.3.1.
    #[test]
    fn what_the_client_says_is_told_with_the_setting_to_mend() {
        let seen = [
            (
                Code::SSL,
                "ssl://127.0.0.1:9093/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker certificate could not be verified, verify that ssl.ca.location is correctly configured or root CA certificates are installed (install ca-certificates package) (after 3ms in state SSL_HANDSHAKE, 55 identical error(s) suppressed)",
                THEIR_CERTIFICATE,
            ),
            (
                Code::BrokerTransportFailure,
                "ssl://127.1:9093/bootstrap: error:0A000086:SSL routines::certificate verify failed (after 4ms in state SSL_HANDSHAKE)",
                THEIR_CERTIFICATE,
            ),
            (
                Code::BrokerTransportFailure,
                "ssl://127.0.0.1:9093/bootstrap: Receive failed: error:0A000412:SSL routines::sslv3 alert bad certificate: SSL alert number 42 (after 5ms in state APIVERSION_QUERY)",
                OWN_CERTIFICATE,
            ),
            (
                Code::BrokerTransportFailure,
                "ssl://127.0.0.1:9092/bootstrap: SSL handshake failed: Disconnected: SSL connection closed by peer: connecting to a PLAINTEXT broker listener? (after 1ms in state SSL_HANDSHAKE)",
                SPEAKS_NONE,
            ),
            (
                Code::BrokerTransportFailure,
                "127.0.0.1:9093/bootstrap: Disconnected: connection closed by peer: receive 0 after POLLIN (after 1ms in state APIVERSION_QUERY, 1 identical error(s) suppressed)",
                SPEAKS_TLS,
            ),
            (
                Code::BrokerTransportFailure,
                "ssl://127.0.0.1:9094/bootstrap: Disconnected: SSL connection closed by peer (after 2ms in state UP)",
                WANTS_LOGIN,
            ),
            (
                Code::BrokerTransportFailure,
                "ssl://127.0.0.1:9094/bootstrap: Send failed: SSL transport error: Broken pipe (after 2ms in state UP)",
                WANTS_LOGIN,
            ),
            (
                Code::Resolve,
                "kafka.invalid:9092/bootstrap: Failed to resolve 'kafka.invalid:9092': Name or service not known (after 1ms in state CONNECT)",
                "check the names in `brokers`",
            ),
        ];
        for (code, reason, remedy) in seen {
            let said = told(code, reason);
            let place = reason.split_once(": ").unwrap().0;
            assert!(said.starts_with(place) && said.contains(remedy), "{said}");
            assert!(!said.contains("ms in state") && !said.contains("ssl.") && !said.starts_with("denied"), "{said}");
        }
    }

    #[test]
    fn a_refused_login_and_a_missing_right_are_denials() {
        let seen = [
            (
                Code::Authentication,
                "sasl_ssl://127.0.0.1:9094/bootstrap: SASL authentication error: Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-256 (after 3ms in state AUTH_REQ)",
                NO_LOGIN,
            ),
            (
                Code::Authentication,
                "sasl_ssl://127.0.0.1:9093/bootstrap: SASL PLAIN mechanism handshake failed: Broker: Request not valid in current SASL state: broker's supported mechanisms:  (after 3ms in state AUTH_HANDSHAKE)",
                WANTS_NO_LOGIN,
            ),
            (
                Code::Authentication,
                "sasl_ssl://127.0.0.1:9094/bootstrap: SASL PLAIN mechanism handshake failed: Broker: Unsupported SASL mechanism: broker's supported mechanisms: SCRAM-SHA-512 (after 3ms in state AUTH_HANDSHAKE)",
                "write another `sasl.mechanism`",
            ),
            (Code::TopicAuthorizationFailed, "Broker: Topic authorization failed", "write to the topic `events`"),
            (
                Code::ClusterAuthorizationFailed,
                "Failed to acquire idempotence PID from broker 127.0.0.1:9094/1: Broker: Cluster authorization failed",
                "write to any topic",
            ),
        ];
        for (code, reason, remedy) in seen {
            let said = told(code, reason);
            assert!(said.starts_with("denied") && said.contains(remedy) && has_remedy(code, reason), "{said}");
        }
    }

    #[test]
    fn what_nobody_can_mend_in_the_configuration_is_told_as_it_is() {
        let lost = "ssl://a.example:9093/1: Disconnected: SSL connection closed by peer";
        assert_eq!(told(Code::BrokerTransportFailure, &format!("{lost} (after 600000ms in state UP)")), lost);
        let login = "sasl_ssl://a.example:9094/1: Disconnected: SSL connection closed by peer";
        assert_eq!(told(Code::BrokerTransportFailure, &format!("{login} (after 9ms in state UP)")), login);
        assert!(!has_remedy(Code::BrokerTransportFailure, &format!("{lost} (after 9ms in state UP)")));
        let refused = "a.example:9092/bootstrap: Connect to ipv4#192.0.2.1:9092 failed: Connection refused";
        assert_eq!(told(Code::BrokerTransportFailure, refused), refused);
        let odd = "ssl.key.location failed: sasl.password or sasl.mechanisms, security.protocol";
        assert_eq!(
            told(Code::Fail, odd),
            "`tls.key` failed: `sasl.password_file` or `sasl.mechanism`, `tls` and `sasl`"
        );
    }

    #[test]
    fn only_what_the_log_says_of_a_broker_counts() {
        let said = "a.example:9093/bootstrap: Disconnected (after 1ms in state UP)";
        let line = format!("[thrd:a.example:9093/bootstrap]: {said}");
        assert_eq!(said_of_broker("FAIL", &line), Some(said));
        assert_eq!(said_of_broker("FAIL", said), Some(said));
        assert_eq!(said_of_broker("CONFWARN", &line), None);
    }
}
