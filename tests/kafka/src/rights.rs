//! Rights to write to a topic: given and taken by the broker's own API, which `rdkafka` reaches only below its surface.
#![expect(unsafe_code, reason = "each pointer is made, checked and freed in the function that uses it")]

use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr;

use rdkafka::bindings as kafka;
use rdkafka::types::RDKafkaRespErr;

use crate::messages::{PATIENCE, admin};

type Operation = kafka::rd_kafka_AclOperation_t;

/// What a client may do with a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Ask about it.
    Describe,
    /// Write to it; to write anywhere is also the right to a producer id.
    Write,
}

impl Right {
    fn operation(self) -> Operation {
        match self {
            Self::Describe => Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE,
            Self::Write => Operation::RD_KAFKA_ACL_OPERATION_WRITE,
        }
    }
}

/// Gives `principal` rights to `topic`.
pub(crate) fn grant(brokers: &str, principal: &str, topic: &str, rights: &[Right]) {
    let mut bindings = all(kafka::rd_kafka_AclBinding_new, principal, topic, rights);
    ask(
        brokers,
        |client, queue| {
            // SAFETY: client and queue are alive, and the bindings are as many as said.
            unsafe { kafka::rd_kafka_CreateAcls(client, bindings.as_mut_ptr(), bindings.len(), ptr::null(), queue) };
        },
        |event| {
            let mut count = 0;
            // SAFETY: the event is alive and, having no error, of this kind; results live as long as it.
            let results = unsafe {
                let result = kafka::rd_kafka_event_CreateAcls_result(event);
                let all = kafka::rd_kafka_CreateAcls_result_acls(result, &raw mut count);
                std::slice::from_raw_parts(all, count)
            };
            assert_eq!(results.len(), rights.len());
            for result in results {
                // SAFETY: as above.
                check(unsafe { kafka::rd_kafka_acl_result_error(*result) });
            }
        },
    );
    // SAFETY: made above, and of no use to the client any more.
    unsafe { kafka::rd_kafka_AclBinding_destroy_array(bindings.as_mut_ptr(), bindings.len()) };
}

/// Takes rights to `topic` from `principal`.
pub(crate) fn revoke(brokers: &str, principal: &str, topic: &str, rights: &[Right]) {
    let mut filters = all(kafka::rd_kafka_AclBindingFilter_new, principal, topic, rights);
    ask(
        brokers,
        |client, queue| {
            // SAFETY: client and queue are alive, and the filters are as many as said.
            unsafe { kafka::rd_kafka_DeleteAcls(client, filters.as_mut_ptr(), filters.len(), ptr::null(), queue) };
        },
        |event| {
            let mut count = 0;
            // SAFETY: the event is alive and, having no error, of this kind; results live as long as it.
            let responses = unsafe {
                let result = kafka::rd_kafka_event_DeleteAcls_result(event);
                let all = kafka::rd_kafka_DeleteAcls_result_responses(result, &raw mut count);
                std::slice::from_raw_parts(all, count)
            };
            assert_eq!(responses.len(), rights.len());
            for response in responses {
                let mut found = 0;
                // SAFETY: as above.
                unsafe {
                    check(kafka::rd_kafka_DeleteAcls_result_response_error(*response));
                    kafka::rd_kafka_DeleteAcls_result_response_matching_acls(*response, &raw mut found);
                }
                assert_eq!(found, 1, "a right that was never given");
            }
        },
    );
    // SAFETY: made above, and of no use to the client any more. A filter is a binding.
    unsafe { kafka::rd_kafka_AclBinding_destroy_array(filters.as_mut_ptr(), filters.len()) };
}

type Make = unsafe extern "C" fn(
    kafka::rd_kafka_ResourceType_t,
    *const c_char,
    kafka::rd_kafka_ResourcePatternType_t,
    *const c_char,
    *const c_char,
    Operation,
    kafka::rd_kafka_AclPermissionType_t,
    *mut c_char,
    usize,
) -> *mut kafka::rd_kafka_AclBinding_t;

fn all(make: Make, principal: &str, topic: &str, rights: &[Right]) -> Vec<*mut kafka::rd_kafka_AclBinding_t> {
    rights.iter().map(|right| binding(make, principal, topic, right.operation())).collect()
}

/// The right, or what finds it.
fn binding(make: Make, principal: &str, topic: &str, operation: Operation) -> *mut kafka::rd_kafka_AclBinding_t {
    let [principal, topic, host] = [principal, topic, "*"].map(|text| CString::new(text).unwrap());
    let mut problem = [0; 256];
    // SAFETY: the texts end with a zero and are copied; the room for the problem is as large as said.
    let made = unsafe {
        make(
            kafka::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC,
            topic.as_ptr(),
            kafka::rd_kafka_ResourcePatternType_t::RD_KAFKA_RESOURCE_PATTERN_LITERAL,
            principal.as_ptr(),
            host.as_ptr(),
            operation,
            kafka::rd_kafka_AclPermissionType_t::RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW,
            problem.as_mut_ptr(),
            problem.len(),
        )
    };
    // SAFETY: it was filled with zeros, and never to its end.
    assert!(!made.is_null(), "{:?}", unsafe { CStr::from_ptr(problem.as_ptr()) });
    made
}

/// Asks the broker and looks at the answer.
fn ask(
    brokers: &str,
    question: impl FnOnce(*mut kafka::rd_kafka_t, *mut kafka::rd_kafka_queue_t),
    answer: impl FnOnce(*mut kafka::rd_kafka_event_t),
) {
    let admin = admin(brokers);
    let client = admin.inner().native_ptr();
    // SAFETY: the client outlives the queue, the queue the event; each is freed once.
    unsafe {
        let queue = kafka::rd_kafka_queue_new(client);
        question(client, queue);
        let event = kafka::rd_kafka_queue_poll(queue, c_int::try_from(PATIENCE.as_millis()).unwrap());
        assert!(!event.is_null(), "the broker does not answer");
        let code = kafka::rd_kafka_event_error(event);
        let said = CStr::from_ptr(kafka::rd_kafka_event_error_string(event));
        assert_eq!(code, RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR, "{said:?}");
        answer(event);
        kafka::rd_kafka_event_destroy(event);
        kafka::rd_kafka_queue_destroy(queue);
    }
}

fn check(error: *const kafka::rd_kafka_error_t) {
    // SAFETY: it belongs to an event that is alive, or is null: no error.
    let said = (!error.is_null()).then(|| unsafe { CStr::from_ptr(kafka::rd_kafka_error_string(error)) });
    assert_eq!(said, None, "the broker refuses");
}
