//! The record of a TCP connection.

use gatehouse_signals::Connection;
use gatehouse_verdict::record::RecordId;
use gatehouse_verdict::redact::MAX_NAME_BYTES;

pub use gatehouse_verdict::record::Ended;

use super::fields::{connection as own, record as fields};
use super::wire::Wire;
use super::{Classes, Context, Redactor, Transaction, judgement, origin};

/// What became of a connection.
#[derive(Debug, Clone, Copy, Default)]
pub struct Carried<'a> {
    /// Final or interim.
    pub part: gatehouse_verdict::record::Part,
    /// When it was opened, nanoseconds since the Unix epoch.
    pub start_unix_ns: u64,
    /// From then to now, nanoseconds.
    pub duration_ns: u64,
    /// Whom the client wanted to reach, canonical.
    pub host: &'a [u8],
    /// Octets from the client.
    pub received_bytes: u64,
    /// Octets to the client.
    pub sent_bytes: u64,
    /// Who ended it.
    pub ended: Ended,
}

/// Appends the record of one connection, encoded (`gatehouse.v1.Record`), to `into`. It has less than 4 KiB.
pub fn connection(id: RecordId, of: &Transaction<'_>, carried: &Carried<'_>, context: &Context, into: &mut Vec<u8>) {
    let classes = Classes { usual: &context.usual };
    let redactor = Redactor::new(&context.hash_key, context.hash_key_id, context.address_form, classes);
    let mut wire = Wire::new(into);
    wire.bytes(fields::ID, &id.to_bytes());
    wire.number(fields::TRANSACTION, of.number);
    wire.number(fields::PART, super::part(carried.part));
    wire.fixed(fields::START_UNIX_NS, carried.start_unix_ns);
    wire.number(fields::DURATION_NS, carried.duration_ns);
    wire.message(fields::ORIGIN, |wire| origin(&context.origin, id.epoch, wire));
    wire.message(fields::DOWNSTREAM, |wire| super::downstream(&of.head, of.judged, &redactor, wire));
    wire.message(fields::JUDGEMENT, |wire| judgement::judgement(of, &redactor, wire));
    wire.number(fields::HASH_KEY_ID, redactor.key_id().into());
    wire.message(fields::CONNECTION, |wire| this(of.head.connection, carried, &redactor, wire));
}

fn this(connection: &Connection, carried: &Carried<'_>, redactor: &Redactor<Classes<'_>>, wire: &mut Wire<'_>) {
    wire.shown(own::HOST, &redactor.usual_text(carried.host, MAX_NAME_BYTES));
    if let Some(address) = connection.local {
        // Where the operator's own servers are is nobody's secret from the operator.
        wire.text(own::DESTINATION_ADDRESS, &address.to_string());
    }
    wire.number(own::DESTINATION_PORT, connection.local_port.unwrap_or_default().into());
    wire.number(own::RECEIVED_BYTES, carried.received_bytes);
    wire.number(own::SENT_BYTES, carried.sent_bytes);
    wire.number(
        own::ENDED,
        // The numbers of `Connection.Ended`.
        match carried.ended {
            Ended::Unknown => 0,
            Ended::Client => 1,
            Ended::Server => 2,
            Ended::Gate => 3,
        },
    );
}
