//! A record from the wire is refused with a printable reason, or is read, written and read again as the same.

use gatehouse_proto::v1;
use gatehouse_verdict::Record;
use prost::Message as _;

/// An encoded `gatehouse.v1.Record`.
pub fn check(bytes: &[u8]) {
    let Ok(message) = v1::Record::decode(bytes) else { return };
    match Record::try_from(message) {
        Ok(record) => {
            let again = v1::Record::from(record.clone()).encode_to_vec();
            let again = v1::Record::decode(&*again).expect("our own form");
            assert_eq!(Record::try_from(again).as_ref(), Ok(&record));
        }
        Err(why) => {
            let why = why.to_string();
            assert!(why.len() <= 1024 && !why.chars().any(char::is_control), "{why:?}");
        }
    }
}
