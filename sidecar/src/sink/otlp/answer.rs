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
