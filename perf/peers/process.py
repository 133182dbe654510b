"""Processes of a measurement: all carry a mark in their environment, and are ended by it."""

import os
import signal
import subprocess
import time
import uuid
from pathlib import Path

MARK = "WFX_PEERS_MARK=" + uuid.uuid4().hex


def environment(home, **more):
    """A small environment: nothing of the caller's own gets in, or into what a peer stores."""
    name, value = MARK.split("=")
    path = os.environ.get("PATH", "/usr/bin:/bin")
    return {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", name: value, **more}


def marked():
    """The processes with the mark that are alive, by id, with their names."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if MARK.encode() in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "comm").read_text().strip()
        except OSError:
            continue  # It has ended, or belongs to somebody else.
    return found


def end_all():
    """Ends whatever is left of the measurement."""
    deadline = time.monotonic() + 10
    while (left := marked()) and time.monotonic() < deadline:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)


def wait_until(check, seconds, what, pause=0.002):
    """Waits until `check` gives something true, and gives it."""
    deadline = time.monotonic() + seconds
    while True:
        if found := check():
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(pause)


def call(arguments, env, seconds=60, good=(0,), **options):
    """Runs a program to its end, and gives its standard output."""
    ended = subprocess.run(
        [str(argument) for argument in arguments],
        env=env, timeout=seconds, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options,
    )
    if ended.returncode not in good:
        raise RuntimeError(f"{arguments}: exit {ended.returncode}: {ended.stderr or ended.stdout}")
    return ended.stdout


def timed(action):
    """How long `action` takes, in ms."""
    start = time.monotonic()
    action()
    return (time.monotonic() - start) * 1e3


class Daemon:
    """The processes of a peer; the first of them is the one that keeps the runs."""

    def __init__(self):
        self.running = []

    def spawn(self, arguments, env, log, **options):
        with open(log, "ab") as stderr:
            options = {"stdin": subprocess.DEVNULL, "stdout": stderr, **options}
            process = subprocess.Popen(
                [str(argument) for argument in arguments],
                env=env, stderr=stderr, start_new_session=True, **options,
            )
        self.running.append(process)
        return process

    def stop(self):
        """Ends it as an operator would."""
        for process in self.running:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        self.running = []

    def kill(self):
        """`kill -9` of all its processes at once, but not of the children of its runs."""
        for process in self.running:
            process.kill()
        for process in self.running:
            process.wait(10)
        self.running = []

    def resident(self):
        """Resident memory of each of its processes, in MB."""
        sizes = []
        for process in self.running:
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    sizes.append(int(line.split()[1]) * 1024 / 1e6)
        return sizes
