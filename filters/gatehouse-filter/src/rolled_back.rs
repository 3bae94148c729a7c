//! Changes that this worker took back, as the house is told of them; and those that the house tells a worker that begins anew.

use std::rc::Rc;

use gatehouse_engine::RolledBack;
use gatehouse_proto::MAX_RULES_BACK;
use gatehouse_proto::v1;
use gatehouse_verdict::record::PolicyStamp;

use crate::host;
use crate::worker::Worker;

impl Worker {
    /// Rules of the policy in force that were taken back before this worker began, as far as the house has told.
    pub(crate) fn take_back(&mut self) {
        let Some(policy) = self.snapshot().map(Rc::clone) else { return };
        if let Some(told) = self.rolled_back.as_ref().filter(|told| told.policy_digest == policy.stamp().digest) {
            self.states.house().set_rolled_back(&policy, &told.rules);
        }
    }
}

/// What the house is told.
pub(crate) fn message(rollback: RolledBack, stamp: PolicyStamp) -> v1::RolledBack {
    let RolledBack { document, mut rules, figures, by_canary, at_least, allowed } = rollback;
    rules.truncate(MAX_RULES_BACK);
    v1::RolledBack {
        document,
        rules,
        policy_revision: stamp.revision,
        policy_digest: stamp.digest.to_vec(),
        time_unix_ns: host::wall_ns().unwrap_or(0),
        canary: figures.canary,
        canary_hit: figures.canary_hit,
        control: figures.control,
        control_hit: figures.control_hit,
        clients: figures.clients,
        clients_hit: figures.clients_hit,
        by_canary,
        at_least,
        allowed,
    }
}
