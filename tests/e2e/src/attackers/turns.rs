//! Tests of one program run at the same time; a storm is measured, and has the machine for itself as far as it is ours to give.

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

static MACHINE: RwLock<()> = RwLock::const_new(());

/// A test's turn; it ends with this value.
#[derive(Debug)]
pub enum Turn {
    /// Beside others that are not measured.
    Together(RwLockReadGuard<'static, ()>),
    /// With nobody beside it.
    Alone(RwLockWriteGuard<'static, ()>),
}

impl Turn {
    /// Waits while somebody has the machine for itself.
    pub async fn together() -> Self {
        Self::Together(MACHINE.read().await)
    }

    /// Waits until nobody else has a turn.
    pub async fn alone() -> Self {
        Self::Alone(MACHINE.write().await)
    }
}
