//! A virtual machine: this machine's own system under a systemd of its own, on an overlay that is gone with the test.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use gatehouse_support::process::{self, Process, Signal};
use gatehouse_support::wait;
use tempfile::TempDir;

const START: Duration = Duration::from_secs(60);

/// Everything that is written goes to memory; what systemd of this machine would start is not started.
const BOOT: &str = r#"
set -eu
work=$1; shared=$2
mount -t tmpfs tmpfs "$work"
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$work/root"
root=$work/root
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs tmpfs "$root/sys/fs/cgroup"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount --rbind /dev "$root/dev"
mount --bind "$shared" "$root/mnt"
rm -rf "$root"/etc/systemd/system/*.wants
export container=gatehouse
exec chroot "$root" /lib/systemd/systemd --system --unit=basic.target --log-target=console --log-level=info
"#;

/// A running one.
#[derive(Debug)]
pub struct Machine {
    process: Process,
    init: u32,
    shared: TempDir,
    _work: TempDir,
}

impl Machine {
    /// Boots it.
    ///
    /// # Panics
    /// It does not come up; its console is in the message.
    pub async fn boot() -> Self {
        let folder = |what: &str| tempfile::Builder::new().prefix(what).tempdir().expect("a folder");
        let (work, shared) = (folder("gatehouse-machine-"), folder("gatehouse-shared-"));
        let mut command = Command::new("unshare");
        command.args(["--pid", "--mount", "--fork", "--kill-child=KILL", "--cgroup", "--uts", "--ipc"]);
        command.args(["bash", "-c", BOOT, "boot"]).arg(work.path()).arg(shared.path());
        let console = shared.path().join("console.log");
        // systemd takes a signal for a wish; only this ends it.
        let mut process = Process::start("a machine", command, &console, Signal::KILL);
        let init = wait::until(START, "the machine's first process", || {
            process.assert_running();
            let first = process::children(process.id()).first().copied();
            async move { first }
        })
        .await;
        let machine = Self { process, init, shared, _work: work };
        wait::until_true(START, "the machine to be up", || {
            let up = machine.run(&["systemctl", "is-system-running"]);
            async move { ["running", "degraded"].contains(&String::from_utf8_lossy(&up.stdout).trim()) }
        })
        .await;
        machine
    }

    /// A folder of this side, which is `/mnt` on that.
    pub fn shared(&self) -> &Path {
        self.shared.path()
    }

    /// Runs something there.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("nsenter can be started")
    }

    /// A command that will run there.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("timeout");
        // What hangs there must not hang here.
        command.args(["-s", "KILL", "120", "nsenter", "--target", &self.init.to_string()]);
        command.args(["--pid", "--mount", "--cgroup", "--uts", "--ipc", "--root", "--wd=/", "env", "-i"]);
        command.args(["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"]);
        command.args(arguments);
        command
    }

    /// Runs something there and gives what it printed.
    ///
    /// # Panics
    /// It fails; what it said is in the message.
    pub fn says(&self, arguments: &[&str]) -> String {
        let done = self.run(arguments);
        let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success(), "{arguments:?}:\n{out}{err}\nthe console ends:\n{}", self.process.tail(20));
        out.into_owned()
    }

    /// Whether something is there.
    pub fn has(&self, path: &str) -> bool {
        self.run(&["test", "-e", path]).status.success()
    }

    /// Puts a file there.
    ///
    /// # Panics
    /// It cannot be copied.
    pub fn bring(&self, from: &Path, name: &str) -> PathBuf {
        std::fs::copy(from, self.shared.path().join(name)).expect("a copy");
        Path::new("/mnt").join(name)
    }
}
