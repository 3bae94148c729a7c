//! Who runs where: Envoy on the first core, everything else on the second.

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_setaffinity};

/// The core of the Envoy that is measured.
const ENVOY: usize = 0;
/// Of load, application, house and services.
const OTHERS: usize = 1;

/// Puts this thread with the others.
pub(crate) fn pin_self() {
    pin(None, OTHERS);
}

/// Puts every thread of an Envoy on its core.
pub(crate) fn pin_envoy(process: u32) {
    pin_all(process, ENVOY);
}

/// Puts every thread of a process with the others.
pub(crate) fn pin_other(process: u32) {
    pin_all(process, OTHERS);
}

fn pin_all(process: u32, core: usize) {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let ids = threads.filter_map(|thread| thread.file_name().to_str()?.parse::<i32>().ok());
    ids.for_each(|id| pin(Pid::from_raw(id), core));
}

fn pin(thread: Option<Pid>, core: usize) {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(thread, &set).expect("two cores, as the measurement needs");
}
