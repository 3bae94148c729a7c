//! What an answer means for the events of its batch.

use http::StatusCode;
use serde::Deserialize;

use super::Format;
use crate::sink::batch::{Item, Outcome};
use crate::sink::peer::Answer;

/// Bytes of an answer that are shown.
const SHOWN: usize = 200;

/// What `answer` means for a batch of so many `events`.
pub(super) fn outcome(format: Format, answer: &Answer, events: usize) -> Outcome {
    let said = said(answer);
    match answer.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Outcome::Forbidden(format!("the login is refused ({said}); check `auth` and `tls`"))
        }
        StatusCode::BAD_REQUEST => match rejected(format, answer).filter(|place| *place < events) {
            Some(place) => Outcome::UpTo(place, said),
            None => Outcome::Poison(said),
        },
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => Outcome::Poison(said),
        status if status.is_success() && format == Format::Elasticsearch => bulk(answer, events),
        status if status.is_success() => Outcome::Delivered,
        _ => Outcome::Again(said, answer.retry_after),
    }
}

fn said(answer: &Answer) -> String {
    let body = answer.body.get(..SHOWN.min(answer.body.len())).unwrap_or_default();
    let body = String::from_utf8_lossy(body);
    let body: String = body.chars().filter(|c| !c.is_control()).collect();
    format!("{} {}", answer.status.as_u16(), body.trim()).trim_end().to_owned()
}

/// Splunk names the first event that it does not take, from 0; it has those before.
fn rejected(format: Format, answer: &Answer) -> Option<usize> {
    #[derive(Deserialize)]
    struct Rejected {
        #[serde(rename = "invalid-event-number")]
        place: usize,
    }
    let told = (format == Format::Splunk).then(|| serde_json::from_slice::<Rejected>(&answer.body).ok());
    told.flatten().map(|rejected| rejected.place)
}

/// A bulk answer tells of every event; one that does not is none.
fn bulk(answer: &Answer, events: usize) -> Outcome {
    #[derive(Deserialize)]
    struct Bulk {
        items: Vec<One>,
    }
    #[derive(Deserialize)]
    struct One {
        #[serde(alias = "index")]
        create: Done,
    }
    #[derive(Deserialize)]
    struct Done {
        status: u16,
        #[serde(default)]
        error: serde_json::Value,
    }
    let Ok(bulk) = serde_json::from_slice::<Bulk>(&answer.body) else {
        return Outcome::Again("the answer is none of a bulk request; does the URL end in `/_bulk`?".into(), None);
    };
    if bulk.items.len() != events {
        let message = format!("the answer tells of {} events, {events} were sent", bulk.items.len());
        return Outcome::Again(message, None);
    }
    let item = |one: One| {
        let said = || {
            let error: String = one.create.error.to_string().chars().take(SHOWN).collect();
            format!("{} {error}", one.create.status)
        };
        match one.create.status {
            // 409: it is there already, by an attempt whose answer was lost.
            200..300 | 409 => Item::Delivered,
            400 | 413 | 422 => Item::Refused(said()),
            _ => Item::Again(said()),
        }
    };
    Outcome::Each(bulk.items.into_iter().map(item).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &'static str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: None,
            headers: http::HeaderMap::new(),
            body: body.into(),
        }
    }

    #[test]
    fn a_bulk_answer_is_taken_item_by_item() {
        let body = r#"{"errors":true,"items":[{"create":{"status":201}},{"create":{"status":409}},
            {"create":{"status":400,"error":{"type":"mapper_parsing_exception"}}},{"create":{"status":429}}]}"#;
        let Outcome::Each(items) = outcome(Format::Elasticsearch, &answer(200, body), 4) else { panic!() };
        assert_eq!(items[..2], [Item::Delivered, Item::Delivered]);
        assert!(matches!(&items[2], Item::Refused(reason) if reason.contains("mapper_parsing_exception")));
        assert!(matches!(&items[3], Item::Again(_)));
        for (body, events) in [(body, 5), ("{}", 4), ("<html>", 4)] {
            let outcome = outcome(Format::Elasticsearch, &answer(200, body), events);
            assert!(matches!(outcome, Outcome::Again(..)), "{outcome:?}");
        }
    }

    #[test]
    fn a_status_decides() {
        let of = |status, body| outcome(Format::Splunk, &answer(status, body), 3);
        assert_eq!(of(200, "{\"code\":0}"), Outcome::Delivered);
        assert!(matches!(of(400, "{\"code\":6,\"invalid-event-number\":2}"), Outcome::UpTo(2, _)));
        assert!(matches!(of(400, "{\"code\":6,\"invalid-event-number\":3}"), Outcome::Poison(_)));
        assert!(matches!(of(413, ""), Outcome::Poison(_)));
        assert!(matches!(of(403, ""), Outcome::Forbidden(_)));
        for status in [301, 404, 429, 500, 503] {
            assert!(matches!(of(status, ""), Outcome::Again(..)), "{status}");
        }
    }
}
