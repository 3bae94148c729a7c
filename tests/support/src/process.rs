//! Child processes that cannot outlive us: the kernel ends them when we die, however we die.
//!
//! The kernel's parent-death signal fires when the *thread* that forked ends, and tests run on threads that do; so all
//! children are forked by one thread that never ends.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process, set_parent_process_death_signal};

use crate::wait;

/// A child process with its output in a file.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts `command`; standard output and error go to `log`. `on_death` is what the child gets when we die.
    ///
    /// # Panics
    /// When the program cannot be started.
    pub fn start(name: &str, mut command: Command, log: &Path, on_death: Signal) -> Self {
        let output = File::options().create(true).append(true).open(log).expect("a log file");
        let errors = output.try_clone().expect("a second handle of the log file");
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let program = command.get_program().to_string_lossy().into_owned();
        let child =
            fork(command, on_death).unwrap_or_else(|error| panic!("cannot start {name} (`{program}`): {error}"));
        Self { name: name.to_owned(), child, log: log.to_path_buf(), ended: None }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("a child can be asked for its status");
        }
        self.ended
    }

    /// Fails if the process has ended; call it while waiting for something of it.
    ///
    /// # Panics
    /// With the end of its log, when it has ended.
    pub fn assert_running(&mut self) {
        if let Some(status) = self.ended() {
            panic!("{} ended early ({status}); its log ends:\n{}", self.name, self.tail(40));
        }
    }

    /// Sends a signal; one to a process that has ended is ignored.
    pub fn signal(&mut self, signal: Signal) {
        if self.ended().is_none() {
            send(self.child.id(), signal);
        }
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it still runs after `limit`.
    pub async fn wait(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        let this = Mutex::new(self);
        wait::until(limit, &what, || async { this.lock().expect("one waiter").ended() }).await
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The last lines that it wrote, long ones cut.
    pub fn tail(&self, lines: usize) -> String {
        tail(&self.log(), lines)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended().is_none() {
            send(self.child.id(), Signal::CONT);
            send(self.child.id(), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// The last lines of a log, long ones cut.
pub fn tail(log: &str, lines: usize) -> String {
    const WIDTH: usize = 600;
    let all: Vec<String> = log.lines().map(|line| line.chars().take(WIDTH).collect()).collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// The children of a process, as the kernel lists them.
pub fn children(parent: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    threads
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u32>>())
        .collect()
}

/// Sends a signal to one process by its id; a process that is gone is no error.
pub fn send(id: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// Resident memory of a process in bytes, from /proc; `None` when it is gone.
pub fn resident(id: u32) -> Option<u64> {
    memory(id, "VmRSS:")
}

/// The most that was ever resident of a process, in bytes, from /proc; `None` when it is gone.
pub fn peak(id: u32) -> Option<u64> {
    memory(id, "VmHWM:")
}

fn memory(id: u32, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// CPU time that a process has used, user and system, from /proc; `None` when it is gone.
pub fn cpu(id: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let used = ticks()? + ticks()?;
    Some(Duration::from_micros(used * 1_000_000 / rustix::param::clock_ticks_per_second()))
}

struct Job {
    command: Command,
    answer: Sender<io::Result<Child>>,
}

fn fork(mut command: Command, on_death: Signal) -> io::Result<Child> {
    static FORKER: OnceLock<Mutex<Sender<Job>>> = OnceLock::new();
    // SAFETY: between fork and exec only one system call is made; it takes no lock and allocates nothing.
    unsafe {
        command.pre_exec(move || set_parent_process_death_signal(Some(on_death)).map_err(io::Error::from));
    }
    let forker = FORKER.get_or_init(|| {
        let (jobs, queue) = channel();
        std::thread::Builder::new().name("forker".to_owned()).spawn(move || serve(&queue)).expect("a thread");
        Mutex::new(jobs)
    });
    let (answer, result) = channel();
    forker.lock().expect("the forker").send(Job { command, answer }).expect("the forker never ends");
    result.recv().expect("the forker answers")
}

fn serve(queue: &Receiver<Job>) {
    while let Ok(mut job) = queue.recv() {
        let _ = job.answer.send(job.command.spawn());
    }
}
