"""The cache of real components: one folder, one lock per component, progress on standard error.

Standard output belongs to the caller: a get-* script prints the path of its binary there and nothing else.
"""

import contextlib
import fcntl
import os
import pathlib
import subprocess
import sys

# What is missing on this machine, and what to install, was said on standard error.
MISSING = 3


def folder():
    """`$GATEHOUSE_CACHE`, else ~/.cache/gatehouse; made if absent."""
    configured = os.environ.get("GATEHOUSE_CACHE")
    path = pathlib.Path(configured) if configured else pathlib.Path.home() / ".cache" / "gatehouse"
    path.mkdir(parents=True, exist_ok=True)
    return path.resolve()


@contextlib.contextmanager
def locked(name):
    """Holds the component's lock, so that parallel runs install it once."""
    with open(folder() / f"{name}.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{name}: waiting for another run that installs it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(text):
    print(text, file=sys.stderr, flush=True)


def missing(what, remedy):
    say(f"missing: {what}")
    say(f"install: {remedy}")
    raise SystemExit(MISSING)


def run(command, what, **settings):
    """Runs one step; its output is shown only if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **settings)
    if done.returncode != 0:
        say(done.stdout.rstrip())
        missing(f"{what}: `{' '.join(map(str, command))}` ended with {done.returncode}", "see the output above")
    return done.stdout


def publish(binary, name):
    """Makes `bin/NAME` in the cache point to the binary, at once or not at all, and gives that path."""
    link = folder() / "bin" / name
    link.parent.mkdir(exist_ok=True)
    fresh = link.with_name(f"{name}.{os.getpid()}")
    fresh.symlink_to(binary)
    fresh.replace(link)
    return link


def published(name):
    """The binary that an earlier run put there, or None."""
    link = folder() / "bin" / name
    return link if os.access(link, os.X_OK) else None
