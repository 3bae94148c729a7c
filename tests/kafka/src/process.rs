//! Child processes: a missing program is named with what to install, and none outlives the tests.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};
use std::sync::{Mutex, OnceLock, mpsc};

use rustix::process::{Signal, set_parent_process_death_signal};

/// Runs a program to its end.
///
/// # Panics
/// It is missing or fails; the message holds what it said.
pub(crate) fn run(command: &mut Command, install: &str) {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().unwrap_or_else(|error| panic!("cannot run `{program}` ({error}); install {install}"));
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let success = output.status.success();
    assert!(success, "`{program}` failed:\n{}{}", told(&output.stdout), told(&output.stderr));
}

type Order = (Command, mpsc::Sender<io::Result<Child>>);

/// Starts a program that is killed when this process ends, however it ends.
///
/// # Panics
/// It is missing.
pub(crate) fn spawn(mut command: Command, install: &str) -> Child {
    static SPAWNER: OnceLock<Mutex<mpsc::Sender<Order>>> = OnceLock::new();
    // The signal comes when the thread that forked ends, so all are forked by one that never does.
    let spawner = SPAWNER.get_or_init(|| {
        let (orders, queue) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in queue {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(orders)
    });
    #[expect(unsafe_code, reason = "prctl between fork and exec is a single system call, which is safe there")]
    unsafe {
        command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
    }
    let program = command.get_program().to_string_lossy().into_owned();
    let (answer, child) = mpsc::channel();
    spawner.lock().unwrap().send((command, answer)).unwrap();
    child.recv().unwrap().unwrap_or_else(|error| panic!("cannot run `{program}` ({error}); install {install}"))
}
