//! Requests and answers over HTTP/1.1, one at a time.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::connect::connect;
use super::told::told;
use super::{Address, Headers, Login};
use crate::sink::board::Trouble;
use crate::sink::tls::Tls;
use crate::sink::trust::Material;

/// Bytes of an answer, at most.
const MAX_ANSWER: usize = 16 << 20;
/// How often the files behind a connection are looked at while the peer is silent.
const LOOK: Duration = Duration::from_secs(1);
/// Longest pause that a peer can ask for.
pub(in crate::sink) const MAX_RETRY_AFTER: Duration = Duration::from_secs(600);

/// One peer and the connection to it.
pub(crate) struct Peer {
    address: Address,
    tls: Tls,
    login: Option<(Login, &'static str)>,
    own: Headers,
    timeout: Duration,
    line: Option<Line>,
    /// The peer asked not to be asked before.
    not_before: Option<Instant>,
}

struct Line {
    sender: SendRequest<Full<Bytes>>,
    authorization: Option<HeaderValue>,
    own: Vec<(HeaderName, HeaderValue)>,
    material: Material,
    _connection: AbortOnDropHandle<()>,
}

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// What `retry-after` asks for.
    pub(crate) retry_after: Option<Duration>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What is asked.
struct Asked<'a> {
    method: Method,
    target: &'a str,
    headers: &'a [(HeaderName, HeaderValue)],
    body: Bytes,
    /// Bytes of an answer, at most.
    most: usize,
}

/// Why there is no whole answer.
pub(crate) struct Failure {
    pub(crate) trouble: Trouble,
    /// The request may have been taken in all the same.
    pub(crate) sent: bool,
}

impl Peer {
    /// `scheme` is that of a token. Nothing is connected yet.
    pub(crate) fn new(address: Address, tls: Tls, login: Option<(Login, &'static str)>, timeout: Duration) -> Self {
        Self { address, tls, login, own: Headers::default(), timeout, line: None, not_before: None }
    }

    /// Says `own` too with every request.
    pub(crate) fn with_headers(mut self, own: Headers) -> Self {
        self.own = own;
        self
    }

    /// Lets the next request wait so long.
    pub(crate) fn pause(&mut self, pause: Duration) {
        self.not_before = Some(Instant::now() + pause);
    }

    /// Lets go of the connection; the next request makes one, with the files as they are then.
    pub(crate) fn hang_up(&mut self) {
        self.line = None;
    }

    /// Posts `body` and reads the whole answer, after the pause that the peer asked for.
    pub(crate) async fn post(&mut self, headers: &[(HeaderName, HeaderValue)], body: Bytes) -> Result<Answer, Failure> {
        let target = self.address.target.clone();
        self.ask(Asked { method: Method::POST, target: &target, headers, body, most: MAX_ANSWER }).await
    }

    /// Gets what stands at `target`, at most `most` bytes of it; a redirect is an answer like others.
    pub(crate) async fn get(
        &mut self,
        target: &str,
        headers: &[(HeaderName, HeaderValue)],
        most: usize,
    ) -> Result<Answer, Failure> {
        self.ask(Asked { method: Method::GET, target, headers, body: Bytes::new(), most }).await
    }

    async fn ask(&mut self, asked: Asked<'_>) -> Result<Answer, Failure> {
        let most = asked.most;
        if let Some(at) = self.not_before {
            tokio::time::sleep_until(at).await;
            self.not_before = None;
        }
        let mut line = match self.line.take() {
            Some(line) if !line.sender.is_closed() && !line.material.is_stale() => line,
            _ => self.connect().await.map_err(|trouble| Failure { trouble, sent: false })?,
        };
        let request = self.request(&line, asked).map_err(|problem| Failure {
            trouble: Trouble::Retry(format!("no request can be made: {problem}")),
            sent: false,
        })?;
        let failed = |problem: String| Failure { trouble: Trouble::Retry(problem), sent: true };
        let answer = {
            let Line { sender, material, .. } = &mut line;
            tokio::select! {
                answer = exchange(sender, request, most) => answer.map_err(failed)?,
                () = renewed(material) => return Err(failed("trust material was renewed, connecting anew".into())),
                () = tokio::time::sleep(self.timeout) => {
                    return Err(failed(format!("no whole answer within {} s", self.timeout.as_secs_f32())));
                }
            }
        };
        self.line = Some(line);
        Ok(answer)
    }

    async fn connect(&self) -> Result<Line, Trouble> {
        let login = self.login.as_ref();
        let secrets = login.map(|(login, _)| login.file()).into_iter().chain(self.own.files());
        let tls = if self.address.secure { Some(&self.tls) } else { None };
        // Looked at before it is read: what is renewed in between shows as stale.
        let material = Material::look(tls.into_iter().flat_map(Tls::files).chain(secrets))?;
        let authorization = login.map(|(login, scheme)| login.header(scheme)).transpose()?;
        let own = self.own.lines()?;
        let stream = connect(&self.address, &self.tls, b"http/1.1").await?;
        let authority = &self.address.authority;
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Trouble::Retry(format!("cannot speak HTTP with {authority}: {error}")))?;
        // How it ends shows at the sender.
        let connection = tokio::spawn(async move { _ = connection.await });
        Ok(Line { sender, authorization, own, material, _connection: AbortOnDropHandle::new(connection) })
    }

    fn request(&self, line: &Line, asked: Asked<'_>) -> Result<Request<Full<Bytes>>, http::Error> {
        let Asked { method, target, headers, body, .. } = asked;
        let mut request = Request::builder().method(method).uri(target);
        request = request.header(HOST, &self.address.authority).header(USER_AGENT, "gatehouse");
        for (name, value) in headers.iter().chain(&line.own) {
            request = request.header(name, value);
        }
        if let Some(authorization) = &line.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        request.body(Full::new(body))
    }
}

/// An answer that is cut short is none.
async fn exchange(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
    most: usize,
) -> Result<Answer, String> {
    let answer = sender.send_request(request).await.map_err(|error| told(&error))?;
    let (head, body) = answer.into_parts();
    let body =
        Limited::new(body, most).collect().await.map_err(|error| format!("answer cut short: {}", told(&*error)))?;
    let retry_after = retry_after(&head.headers, SystemTime::now());
    Ok(Answer { status: head.status, retry_after, headers: head.headers, body: body.to_bytes() })
}

async fn renewed(material: &Material) {
    loop {
        tokio::time::sleep(LOOK).await;
        if material.is_stale() {
            return;
        }
    }
}

/// Seconds or a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(pause.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_seconds_or_a_date_and_never_longer_than_ten_minutes() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:30 GMT").unwrap();
        let pause = |text: &'static str| {
            retry_after(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]), now)
        };
        assert_eq!(pause("7"), Some(Duration::from_secs(7)));
        assert_eq!(pause("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_secs(7)));
        assert_eq!(pause("Sun, 06 Nov 1994 08:49:00 GMT"), Some(Duration::ZERO));
        assert_eq!((pause("9999999"), pause("soon")), (Some(MAX_RETRY_AFTER), None));
    }
}
