//! Numbers of the fields of `proto/gatehouse/v1/record.proto`. A test reads what was written by the generated messages, and has them
//! write the same bytes.

pub(super) mod record {
    pub(crate) const ID: u8 = 1;
    pub(crate) const TRANSACTION: u8 = 2;
    pub(crate) const PART: u8 = 3;
    pub(crate) const START_UNIX_NS: u8 = 4;
    pub(crate) const DURATION_NS: u8 = 5;
    pub(crate) const ORIGIN: u8 = 6;
    pub(crate) const DOWNSTREAM: u8 = 7;
    pub(crate) const REQUEST: u8 = 8;
    pub(crate) const RESPONSE: u8 = 9;
    pub(crate) const UPSTREAM: u8 = 10;
    pub(crate) const JUDGEMENT: u8 = 11;
    pub(crate) const HASH_KEY_ID: u8 = 12;
    pub(crate) const CONNECTION: u8 = 13;
}

pub(super) mod connection {
    pub(crate) const HOST: u8 = 1;
    pub(crate) const DESTINATION_ADDRESS: u8 = 2;
    pub(crate) const DESTINATION_PORT: u8 = 3;
    pub(crate) const RECEIVED_BYTES: u8 = 4;
    pub(crate) const SENT_BYTES: u8 = 5;
    pub(crate) const ENDED: u8 = 6;
}

pub(super) mod origin {
    pub(crate) const GATEWAY: u8 = 1;
    pub(crate) const GATEWAY_CLUSTER: u8 = 2;
    pub(crate) const EPOCH: u8 = 3;
    pub(crate) const GATE_VERSION: u8 = 4;
}

pub(super) mod downstream {
    pub(crate) const CLIENT_ADDRESS: u8 = 1;
    pub(crate) const CLIENT_ADDRESS_SOURCE: u8 = 2;
    pub(crate) const PEER_ADDRESS: u8 = 3;
    pub(crate) const PEER_PORT: u8 = 4;
    pub(crate) const CLIENT_KEY: u8 = 5;
    pub(crate) const PEER_URI: u8 = 6;
    pub(crate) const MUTUAL_TLS: u8 = 7;
    pub(crate) const SNI: u8 = 8;
    pub(crate) const TLS_VERSION: u8 = 9;
}

pub(super) mod request {
    pub(crate) const METHOD: u8 = 1;
    pub(crate) const SCHEME: u8 = 2;
    pub(crate) const AUTHORITY: u8 = 3;
    pub(crate) const PATH: u8 = 4;
    pub(crate) const CANONICAL_PATH: u8 = 5;
    pub(crate) const QUERY: u8 = 6;
    pub(crate) const COOKIES: u8 = 7;
    pub(crate) const HEADERS: u8 = 8;
    pub(crate) const USER_AGENT: u8 = 9;
    pub(crate) const REQUEST_ID: u8 = 10;
    pub(crate) const TRACEPARENT: u8 = 11;
    pub(crate) const PROTOCOL: u8 = 12;
    pub(crate) const HEADER_BYTES: u8 = 13;
    pub(crate) const BODY_BYTES: u8 = 14;
    pub(crate) const HEADER_COUNT: u8 = 15;
}

pub(super) mod parameter {
    pub(crate) const NAME: u8 = 1;
    pub(crate) const VALUE_CLASS: u8 = 2;
    pub(crate) const VALUE_LENGTH: u8 = 3;
}

pub(super) mod header {
    pub(crate) const NAME: u8 = 1;
    pub(crate) const VALUE: u8 = 2;
}

pub(super) mod response {
    pub(crate) const STATUS: u8 = 1;
    pub(crate) const CODE_DETAILS: u8 = 2;
    pub(crate) const FLAGS: u8 = 3;
    pub(crate) const HEADER_BYTES: u8 = 4;
    pub(crate) const BODY_BYTES: u8 = 5;
    pub(crate) const CONTENT_TYPE: u8 = 6;
    pub(crate) const GRPC_STATUS: u8 = 7;
}

pub(super) mod upstream {
    pub(crate) const ROUTE: u8 = 1;
    pub(crate) const VIRTUAL_HOST: u8 = 2;
    pub(crate) const CLUSTER: u8 = 3;
    pub(crate) const HOST: u8 = 4;
    pub(crate) const PORT: u8 = 5;
    pub(crate) const SUBSET: u8 = 6;
    pub(crate) const ADDRESS: u8 = 7;
    pub(crate) const CONNECTED_NS: u8 = 8;
    pub(crate) const FIRST_BYTE_NS: u8 = 9;
    pub(crate) const LAST_BYTE_NS: u8 = 10;
    pub(crate) const TRANSPORT_FAILURE: u8 = 11;
    pub(crate) const ATTEMPTS: u8 = 12;
}

pub(super) mod judgement {
    pub(crate) const ACTION: u8 = 1;
    pub(crate) const RULE: u8 = 2;
    pub(crate) const REASON: u8 = 3;
    pub(crate) const REFERENCE: u8 = 4;
    pub(crate) const WOULD_HAVE: u8 = 5;
    pub(crate) const TAGS: u8 = 6;
    pub(crate) const POLICY_REVISION: u8 = 7;
    pub(crate) const POLICY_DIGEST: u8 = 8;
    pub(crate) const RECORD: u8 = 9;
    pub(crate) const AMBIGUITY: u8 = 10;
    pub(crate) const GROUNDS: u8 = 11;
}

pub(super) mod would_have {
    pub(crate) const ACTION: u8 = 1;
    pub(crate) const RULE: u8 = 2;
}

pub(super) mod grounds {
    pub(crate) const RULE: u8 = 1;
    pub(crate) const INPUTS: u8 = 2;
    pub(crate) const CUT: u8 = 3;
    pub(crate) const LIMIT: u8 = 4;
}

pub(super) mod input {
    pub(crate) const FIELD: u8 = 1;
    pub(crate) const VALUE: u8 = 2;
    pub(crate) const FORM: u8 = 3;
}

pub(super) mod limit {
    pub(crate) const STEP: u8 = 1;
    pub(crate) const COUNTED: u8 = 2;
    pub(crate) const LIMIT: u8 = 3;
    pub(crate) const WINDOW_SECONDS: u8 = 4;
    pub(crate) const BURST: u8 = 5;
    pub(crate) const COUNT: u8 = 6;
    pub(crate) const RETRY_AFTER_SECONDS: u8 = 7;
    pub(crate) const BLOCKED: u8 = 8;
    pub(crate) const BUSY: u8 = 9;
}
