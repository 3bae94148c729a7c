//! What rules of a scope read and nobody can tell of a request: counted, so that a rule which can never fire is seen.

use gatehouse_policy::{Field, Fields, Signals as _};
use gatehouse_signals::Claims;

use crate::lazy::Lazy;
use crate::request::Request;
use crate::subject::Subject;

/// Those of `reads` that cannot be known of the request. Works out no signal for it.
pub(crate) fn fields(reads: Fields, request: &Request<'_>, subject: &Subject, lazy: &Lazy<'_>) -> Fields {
    let mut missing = reads.without(request.known);
    for field in reads.iter().filter(|field| !is_told(*field, request, subject, lazy)) {
        missing |= Fields::of(field);
    }
    missing
}

fn is_told(field: Field, request: &Request<'_>, subject: &Subject, lazy: &Lazy<'_>) -> bool {
    let connection = request.head.connection;
    // Of an address that the table does not have, it is known only once somebody asked.
    let placed = || subject.client.address.is_some() && lazy.has_places();
    match field {
        Field::Address => subject.client.address.is_some(),
        Field::AgentVerified => lazy.agent_verified().is_some(),
        Field::Asn => lazy.place_asked().map_or_else(placed, |place| place.is_some_and(|place| place.asn.is_some())),
        Field::Claims => !matches!(request.claims, Claims::Unknown),
        Field::Country => {
            lazy.place_asked().map_or_else(placed, |place| place.is_some_and(|place| place.country.is_some()))
        }
        Field::Identity | Field::TlsMutual => connection.mutual_tls.is_some(),
        Field::Ja4 => connection.ja4.is_some(),
        Field::Port => connection.local_port.is_some(),
        Field::Score => subject.tag.is_some(),
        Field::Size => request.head.first(b"content-length").is_some(),
        Field::Sni => connection.sni.is_some(),
        Field::Time => request.now.wall_s.is_some(),
        Field::TlsVersion => connection.tls_version.is_some(),
        _ => true,
    }
}
