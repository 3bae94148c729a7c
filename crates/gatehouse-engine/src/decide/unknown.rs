//! What rules of a scope read and nobody can tell of a request: counted, so that a rule which can never fire is seen.

use gatehouse_policy::{Field, Fields, Signals as _};
use gatehouse_signals::Claims;
use gatehouse_signals::geo::Place;

use crate::lazy::Lazy;
use crate::request::Request;
use crate::subject::Subject;

/// Those of `reads` that cannot be known of the request. Works out no signal for it.
pub(crate) fn fields(reads: Fields, request: &Request<'_>, subject: &Subject, lazy: &Lazy<'_>) -> Fields {
    reads.without(request.known).with(untold(reads, request, subject, lazy))
}

/// Those of `reads` that nobody can tell of the request, though whoever saw it can tell such fields.
fn untold(reads: Fields, request: &Request<'_>, subject: &Subject, lazy: &Lazy<'_>) -> Fields {
    let connection = request.head.connection;
    let mut untold = Fields::NONE;
    let mut needs = |field: Field, told: &dyn Fn() -> bool| {
        if reads.has(field) && !told() {
            untold |= Fields::of(field);
        }
    };
    needs(Field::Address, &|| subject.client.address.is_some());
    needs(Field::AgentVerified, &|| lazy.agent_verified().is_some());
    needs(Field::Claims, &|| !matches!(request.claims, Claims::Unknown));
    needs(Field::Identity, &|| connection.mutual_tls.is_some());
    needs(Field::TlsMutual, &|| connection.mutual_tls.is_some());
    needs(Field::Ja4, &|| connection.ja4.is_some());
    needs(Field::Destination, &|| connection.local.is_some());
    needs(Field::Port, &|| connection.local_port.is_some());
    needs(Field::Score, &|| subject.tag.is_some());
    needs(Field::Size, &|| request.head.first(b"content-length").is_some());
    needs(Field::Sni, &|| connection.sni.is_some());
    needs(Field::Time, &|| request.now.wall_s.is_some());
    needs(Field::TlsVersion, &|| connection.tls_version.is_some());
    // Of an address that the table does not have, it is known only once somebody asked.
    let placed = |is: fn(&Place) -> bool| match lazy.place_asked() {
        Some(place) => place.as_ref().is_some_and(is),
        None => subject.client.address.is_some() && lazy.has_places(),
    };
    needs(Field::Country, &|| placed(|place| place.country.is_some()));
    needs(Field::Asn, &|| placed(|place| place.asn.is_some()));
    untold
}
