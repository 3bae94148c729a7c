//! Our own words to a refused client: the reference and nothing of the why.
//!
//! Only the status' own phrase and the reference (letters and digits) are put in, never a byte of the request; so there is
//! nothing to escape in any of the forms.

use super::accept::Form;

/// The body of a refusal.
pub(super) fn refusal(form: Form, status: u16, reference: &str) -> String {
    let title = phrase(status);
    match form {
        Form::Html => format!(
            "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{status} {title}</title></head>\n\
             <body><h1>{title}</h1><p>This request was refused. Reference: <code>{reference}</code></p></body>\n</html>\n"
        ),
        Form::Problem => {
            format!(
                "{{\"type\":\"about:blank\",\"title\":\"{title}\",\"status\":{status},\"reference\":\"{reference}\"}}\n"
            )
        }
        Form::Text => format!("{title}\nReference: {reference}\n"),
    }
}

/// The message of a refused gRPC call.
pub(super) fn message(status: u16, reference: &str) -> String {
    format!("{}; reference {reference}", phrase(status))
}

/// RFC 9110, 15.5, and RFC 6585.
const fn phrase(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        _ => "Request Refused",
    }
}
