"""The cache of real components: one folder, one lock per component, progress on standard error.

Standard output belongs to the caller: a get-* script prints the path of its binary there and nothing else.
"""

import contextlib
import fcntl
import os
import pathlib
import shutil
import subprocess
import sys

# What is missing on this machine, and what to install, was said on standard error.
MISSING = 3

# The checksums of the module files hold; nothing is linked against this machine's libraries.
GO_ENVIRONMENT = os.environ | {"GOFLAGS": "-mod=readonly -buildvcs=false", "CGO_ENABLED": "0"}
# What Go says of a module that its proxy does not have (any more).
GONE = ("404 Not Found", "410 Gone", "unknown revision")


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
        if any(word in done.stdout for word in GONE):
            say(f"not served: {what}")
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


def go_programs(name, modules, programs, variables=None):
    """Builds programs ({name: package}) of a pinned Go module into the cache's folder `name`, and gives that folder.

    `variables` ({package.name: text}) are what the projects' own builds write into them, such as their version.
    """
    if shutil.which("go") is None:
        missing("Go", "Go 1.26 or newer from your distribution or https://go.dev/dl")
    home = folder() / name
    with locked(name):
        home.mkdir(exist_ok=True)
        for program, package in programs.items():
            binary = home / program
            if os.access(binary, os.X_OK):
                continue
            say(f"{program}: go build into {home} (minutes)")
            # It has its name only once it is whole.
            fresh = binary.with_name(f"{program}.{os.getpid()}")
            flags = " ".join(["-s -w", *(f"-X {variable}={text}" for variable, text in (variables or {}).items())])
            command = ["go", "-C", modules, "build", "-trimpath", "-ldflags", flags, "-o", fresh, package]
            run(command, program, env=GO_ENVIRONMENT)
            fresh.replace(binary)
    return home
