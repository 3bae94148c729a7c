//! Limits that all workers of this Envoy share, in its shared data.
//!
//! ```text
//! gatehouse/key                        16 random bytes: the secret of the hashes of clients' keys, drawn once per Envoy
//! gatehouse/limits/FORMAT/SET          one set of eight keys (`gatehouse_engine::slots`), SET from 0 to 4,095
//! ```
//! Keys cannot be removed, so they are a fixed set. Two plugins of one Envoy share them: tags are made for the limit.

use gatehouse_engine::SharedSlots;
use gatehouse_engine::slots::{FORMAT, SlotError, Stored, Version};

use crate::host;

const KEY: &str = "gatehouse/key";

/// The shared data of this Envoy.
#[derive(Debug, Clone, Copy, Default)]
pub struct Slots;

impl SharedSlots for Slots {
    fn load(&self, set: u32, into: &mut Vec<u8>) -> Result<Version, SlotError> {
        match host::shared_with_version(&key(set)) {
            Ok(Some((value, version))) => {
                into.extend_from_slice(&value);
                Ok(Version::held(version))
            }
            Ok(None) => Ok(Version::ABSENT),
            Err(_) => Err(SlotError),
        }
    }

    fn store(&self, set: u32, bytes: &[u8], version: Version) -> Result<Stored, SlotError> {
        match host::set_shared_if(&key(set), bytes, version.cas()) {
            Ok(true) => Ok(Stored::Done),
            Ok(false) => Ok(Stored::Conflict),
            Err(_) => Err(SlotError),
        }
    }
}

fn key(set: u32) -> String {
    format!("gatehouse/limits/{FORMAT}/{set}")
}

/// The secret that all workers of this Envoy share; `fresh` becomes it if there is none yet.
pub fn secret(fresh: [u8; 16]) -> [u8; 16] {
    let held = || host::shared(KEY).ok().flatten().and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
    if let Some(held) = held() {
        return held;
    }
    // Whoever is first wins; where the host keeps nothing, every worker has its own and shares nothing.
    let _ = host::set_shared_if(KEY, &fresh, Version::ABSENT.cas());
    held().unwrap_or(fresh)
}
