//! What an answer means for the events of its request.

use std::error::Error as _;
use std::time::Duration;

use http::StatusCode;
use prost::Message as _;
use tonic::{Code, Status};

use super::messages::{Details, ExportResponse, RetryInfo};
use crate::sink::batch::Outcome;
use crate::sink::peer::{Answer, MAX_RETRY_AFTER, told};

/// What `answer` means.
pub(super) fn outcome(answer: &Answer) -> Outcome {
    let said = format!("answer {}", answer.status.as_u16());
    match answer.status {
        status if status.is_success() => taken(answer),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Outcome::Forbidden(format!("the login is refused ({said}); check `auth` and `tls`"))
        }
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            Outcome::Poison(said)
        }
        _ => Outcome::Again(said, answer.retry_after),
    }
}

/// Partial success tells how many were refused; with none refused its message is a warning only.
fn taken(answer: &Answer) -> Outcome {
    let Ok(response) = ExportResponse::decode(answer.body.clone()) else {
        return Outcome::Again("the answer is none of OTLP; does the URL end in `/v1/logs`?".into(), None);
    };
    settled(response)
}

/// What the collector says of a request that it took, perhaps in part.
pub(super) fn settled(response: ExportResponse) -> Outcome {
    let partial = response.partial_success.unwrap_or_default();
    if partial.rejected_log_records > 0 {
        let message: String = partial.error_message.chars().filter(|c| !c.is_control()).take(200).collect();
        return Outcome::Poison(format!("refused by the collector: {message}"));
    }
    if !partial.error_message.is_empty() {
        tracing::debug!(message = partial.error_message, "the collector warns");
    }
    Outcome::Delivered
}

/// What a refusal over gRPC means for a request of so `many` events. The codes are those of the OTLP specification; what it
/// calls not retryable is held all the same where it says nothing about the events.
pub(super) fn refusal(status: &Status, many: usize) -> Outcome {
    let text: String = status.message().chars().filter(|c| !c.is_control()).take(200).collect();
    let below = status.source().map(|source| format!(": {}", told(source))).unwrap_or_default();
    let said = format!("answer {:?} ({text}{below})", status.code());
    match status.code() {
        Code::Unauthenticated | Code::PermissionDenied => {
            Outcome::Forbidden(format!("the login is refused ({said}); check `auth` and `tls`"))
        }
        Code::InvalidArgument => Outcome::Poison(said),
        Code::ResourceExhausted => match retry_info(status) {
            Some(pause) => Outcome::Again(said, Some(pause)),
            // Without a pause it is a request that is too large, which halves; or a collector that is full.
            None if many > 1 || text.contains("larg") => Outcome::Poison(said),
            None => Outcome::Again(said, None),
        },
        Code::Unimplemented => {
            Outcome::Again(format!("{said}; does the collector take logs by gRPC at this port?"), None)
        }
        _ => Outcome::Again(said, retry_info(status)),
    }
}

/// When the collector wants to be asked again.
fn retry_info(status: &Status) -> Option<Duration> {
    let details = Details::decode(status.details()).ok()?.details;
    let info = details.iter().find(|detail| detail.type_url.ends_with("google.rpc.RetryInfo"))?;
    let delay = RetryInfo::decode(&*info.value).ok()?.delay?;
    let pause = Duration::new(u64::try_from(delay.seconds).ok()?, u32::try_from(delay.nanos).ok()?.min(999_999_999));
    Some(pause.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::otlp::messages::{Delay, Detail};

    /// A status whose details ask for a pause.
    fn asking(code: Code, seconds: i64, nanos: i32) -> Status {
        let info = RetryInfo { delay: Some(Delay { seconds, nanos }) };
        let other = Detail { type_url: "type.googleapis.com/google.rpc.ErrorInfo".into(), value: vec![1, 2, 3] };
        let retry = Detail { type_url: "type.googleapis.com/google.rpc.RetryInfo".into(), value: info.encode_to_vec() };
        let details = Details { details: vec![other, retry] };
        Status::with_details(code, "later", details.encode_to_vec().into())
    }

    fn again(outcome: Outcome) -> Option<Duration> {
        match outcome {
            Outcome::Again(_, pause) => pause,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_pause_is_kept_to_with_every_code_that_may_be_tried_again() {
        let codes = [
            Code::Aborted,
            Code::Cancelled,
            Code::DataLoss,
            Code::DeadlineExceeded,
            Code::Internal,
            Code::OutOfRange,
            Code::ResourceExhausted,
            Code::Unavailable,
            Code::Unknown,
        ];
        for code in codes {
            let pause = Duration::new(2, 500_000_000);
            assert_eq!(again(refusal(&asking(code, 2, 500_000_000), 9)), Some(pause), "{code:?}");
        }
        assert_eq!(again(refusal(&Status::unavailable("down"), 9)), None);
        assert_eq!(again(refusal(&asking(Code::Unavailable, 86_400, 0), 9)), Some(MAX_RETRY_AFTER));
        for (seconds, nanos) in [(-1, 0), (1, -1)] {
            assert_eq!(again(refusal(&asking(Code::Unavailable, seconds, nanos), 9)), None, "{seconds} {nanos}");
        }
        let garbage = Status::with_details(Code::Unavailable, "", vec![0xff; 40].into());
        assert_eq!(again(refusal(&garbage, 9)), None);
    }

    #[test]
    fn what_is_refused_for_good_or_for_its_login_is_told_apart() {
        let poison = |outcome: Outcome| matches!(outcome, Outcome::Poison(_));
        assert!(poison(refusal(&Status::invalid_argument("no"), 1)));
        assert!(poison(refusal(&Status::resource_exhausted("busy"), 2)), "a smaller one may be taken");
        assert!(poison(refusal(&Status::resource_exhausted("message larger than max"), 1)), "none is smaller");
        assert_eq!(again(refusal(&Status::resource_exhausted("busy"), 1)), None);
        for status in [Status::unauthenticated("who"), Status::permission_denied("no")] {
            assert!(matches!(refusal(&status, 2), Outcome::Forbidden(text) if text.contains("`auth`")));
        }
        let Outcome::Again(text, None) = refusal(&Status::unimplemented("what"), 2) else { panic!("it is held") };
        assert!(text.contains("by gRPC at this port"), "{text}");
        let long = Status::unavailable(format!("a\nb{}", "c".repeat(500)));
        let Outcome::Again(text, None) = refusal(&long, 2) else { panic!("it is held") };
        assert!(!text.contains('\n') && text.len() < 300, "{text}");
    }

    #[test]
    fn partial_success_is_poison_only_where_something_was_refused() {
        use crate::sink::otlp::messages::PartialSuccess;
        let said = |rejected_log_records| ExportResponse {
            partial_success: Some(PartialSuccess { rejected_log_records, error_message: "hm".into() }),
        };
        assert_eq!(settled(said(2)), Outcome::Poison("refused by the collector: hm".into()));
        assert_eq!(settled(said(0)), Outcome::Delivered);
        assert_eq!(settled(ExportResponse::default()), Outcome::Delivered);
    }
}
