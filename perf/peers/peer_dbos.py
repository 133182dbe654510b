"""DBOS: a library, so a Python program that uses it is the server (`dbos_worker.py`)."""

import json
import select
import statistics
import subprocess
import time
from collections import Counter
from pathlib import Path

import load
from process import Daemon, call, environment, timed

WORKER = Path(__file__).parent / "dbos_worker.py"


class Dbos(Daemon):
    name = "DBOS"
    kept = "SQLite, rollback journal, `synchronous=FULL`: each commit is synced (the default)"

    def __init__(self, tools):
        super().__init__()
        self.tools = tools
        self.bin = tools.folder / "venv" / "bin"

    def version(self):
        code = "import importlib.metadata as m, platform as p; print(m.version('dbos') + ', Python', p.python_version())"
        return call([self.bin / "python", "-c", code], environment(self.tools.folder)).strip()

    def start(self, store, prefix=()):
        """Starts it on a folder, and gives the ms until it is ready."""
        store.mkdir(parents=True, exist_ok=True)
        self.store, self.database = store, store / "dbos.sqlite"
        start = time.monotonic()
        self.worker = self.spawn(
            [*prefix, self.bin / "python", "-B", WORKER, self.database], environment(store),
            store / "log", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        self.answer(60)
        return (time.monotonic() - start) * 1e3

    def answer(self, seconds):
        ready, _, _ = select.select([self.worker.stdout], [], [], seconds)
        line = self.worker.stdout.readline() if ready else ""
        if not line:
            log = (self.store / "log").read_text()[-2000:]
            raise RuntimeError(f"DBOS: no answer within {seconds} s: {log}")
        return json.loads(line)

    def ask(self, *command, seconds=240):
        self.worker.stdin.write(json.dumps(command) + "\n")
        self.worker.stdin.flush()
        return self.answer(seconds)

    def rate(self, what, seconds):
        return self.ask("rate", what, seconds, load.IN_FLIGHT)

    def run(self, count):
        self.ask("run", count, load.IN_FLIGHT)

    def waits(self, count):
        took = sorted(self.ask("waits", count))
        return statistics.median(took), took[95 * (count - 1) // 100]

    def listing(self):
        return statistics.median(self.ask("listing", 100))

    def shell_cold(self, store):
        command = [self.bin / "python", "-B", WORKER, store / "dbos.sqlite", "once"]
        return timed(lambda: call(command, environment(store)))

    shell_warm = None

    def shell_list(self):
        url = f"sqlite:///{self.database}"
        command = [self.bin / "dbos", "workflow", "list", "--limit", 20, "--sys-db-url", url]
        return timed(lambda: call(command, environment(self.store)))

    def sleep(self, count):
        self.ask("sleep", count)

    def sleeps(self):
        states = Counter({name.lower(): count for name, count in self.ask("sleeps").items()})
        states["running"] = states.pop("pending", 0) + states.pop("enqueued", 0)
        return states
