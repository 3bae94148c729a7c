//! What a verdict rested on, both ways. None of it can be wrong: a word that this build does not know is one that nobody said.

use gatehouse_verdict::grounds::{Counted, Form, Grounds, Input, Limit};

use crate::v1;
use crate::v1::grounds;

pub(super) fn from_wire(message: v1::Grounds) -> Grounds {
    let v1::Grounds { rule, inputs, cut, limit } = message;
    let input = |input: grounds::Input| Input { form: form(input.form), field: input.field, value: input.value };
    Grounds { rule, inputs: inputs.into_iter().map(input).collect(), cut, limit: limit.map(limit_from) }
}

pub(super) fn to_wire(own: Grounds) -> v1::Grounds {
    let Grounds { rule, inputs, cut, limit } = own;
    let input = |Input { field, value, form }| grounds::Input { field, value, form: form_number(form).into() };
    v1::Grounds { rule, inputs: inputs.into_iter().map(input).collect(), cut, limit: limit.map(limit_to) }
}

fn limit_from(message: grounds::Limit) -> Limit {
    let grounds::Limit { step, counted, limit, window_seconds, burst, count, retry_after_seconds, blocked, busy } =
        message;
    let counted = match grounds::Counted::try_from(counted) {
        Ok(grounds::Counted::Requests) => Counted::Requests,
        Ok(grounds::Counted::Failures) => Counted::Failures,
        Ok(grounds::Counted::Distinct) => Counted::Distinct,
        Ok(grounds::Counted::Unspecified) | Err(_) => Counted::Unspecified,
    };
    Limit { step, counted, limit, window_seconds, burst, count, retry_after_seconds, blocked, busy }
}

fn limit_to(own: Limit) -> grounds::Limit {
    let Limit { step, counted, limit, window_seconds, burst, count, retry_after_seconds, blocked, busy } = own;
    let counted = match counted {
        Counted::Unspecified => grounds::Counted::Unspecified,
        Counted::Requests => grounds::Counted::Requests,
        Counted::Failures => grounds::Counted::Failures,
        Counted::Distinct => grounds::Counted::Distinct,
    };
    let counted = counted.into();
    grounds::Limit { step, counted, limit, window_seconds, burst, count, retry_after_seconds, blocked, busy }
}

fn form(number: i32) -> Form {
    match grounds::Form::try_from(number) {
        Ok(grounds::Form::Plain) => Form::Plain,
        Ok(grounds::Form::Redacted) => Form::Redacted,
        Ok(grounds::Form::Hashed) => Form::Hashed,
        Ok(grounds::Form::Absent) => Form::Absent,
        Ok(grounds::Form::Unspecified) | Err(_) => Form::Unspecified,
    }
}

fn form_number(form: Form) -> grounds::Form {
    match form {
        Form::Unspecified => grounds::Form::Unspecified,
        Form::Plain => grounds::Form::Plain,
        Form::Redacted => grounds::Form::Redacted,
        Form::Hashed => grounds::Form::Hashed,
        Form::Absent => grounds::Form::Absent,
    }
}
