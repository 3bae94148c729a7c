//! What an answer means for the events of its request.

use http::StatusCode;
use prost::Message as _;

use super::messages::ExportResponse;
use crate::sink::batch::Outcome;
use crate::sink::peer::Answer;

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
