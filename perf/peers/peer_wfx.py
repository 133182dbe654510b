"""wfx: `wfx serve`, and `wfx exec` from a shell."""

import time
from collections import Counter

import load
from process import Daemon, call, environment, timed, wait_until

WORKFLOWS = {
    "three": "steps: [{name: a}, {name: b}, {name: c}]\n",
    "true": "steps: [{name: a, run: 'true'}]\n",
    "sleep": "steps: [{name: a, run: sleep 30, retry: {max_attempts: 2, backoff: 0s}}]\n",
    "sleep-once": "steps: [{name: a, run: sleep 30}]\n",
}


class Wfx(Daemon):
    name = "wfx"
    kept = "SQLite, WAL, `synchronous=FULL`: each commit is synced"

    def __init__(self, tools, sleep="sleep"):
        super().__init__()
        self.tools, self.sleep_workflow = tools, sleep

    def version(self):
        return call([self.tools.wfx, "--version"], environment(self.tools.folder)).split()[1]

    def start(self, store, prefix=()):
        """Starts it on a folder, and gives the ms until it is ready."""
        workflows = store / "workflows"
        workflows.mkdir(parents=True, exist_ok=True)
        for name, text in WORKFLOWS.items():
            (workflows / f"{name}.yaml").write_text(text)
        self.store, self.port = store, load.free_port()
        self.database = store / "wfx.db"
        command = [self.tools.wfx, "serve", "--listen", f"127.0.0.1:{self.port}", "--workflows",
                   workflows, "--db", self.database, "--retention", "0", "--log", "warn"]
        start = time.monotonic()
        self.spawn([*prefix, *command], environment(store), store / "log")
        wait_until(lambda: load.is_ready(self.port, "/readyz"), 30, "wfx serve")
        return (time.monotonic() - start) * 1e3

    def url(self, what):
        return f"http://127.0.0.1:{self.port}/api/v1/workflows/{what}/execute?wait=10s"

    def count(self, what, status):
        path = f"/api/v1/workflows/{what}/executions?limit=1&status={status}"
        return load.Connection(self.port).ask("GET", path)["total"]

    def rate(self, what, seconds):
        before = self.count(what, "success")
        rate, answers = load.per_second(self.tools, self.url(what), seconds)
        ended = self.count(what, "success") - before
        if ended != answers:
            raise RuntimeError(f"wfx: {answers} answers, {ended} successes")
        return rate

    def run(self, count):
        load.oha(self.tools, self.url("three"), "-c", load.IN_FLIGHT, "-n", count)

    def waits(self, count):
        return load.one_by_one(self.tools, self.url("three"), count)

    def listing(self):
        connection = load.Connection(self.port)

        def ask():
            items = connection.ask("GET", "/api/v1/workflows/executions?limit=20")["items"]
            assert len(items) == 20
        return load.median_ms(ask, 100)

    def shell_cold(self, store):
        (store / "three.yaml").write_text(WORKFLOWS["three"])
        command = [self.tools.wfx, "exec", store / "three.yaml", "--db", store / "wfx.db"]
        return timed(lambda: call(command, environment(store)))

    def shell_warm(self):
        command = ["curl", "-sf", "-X", "POST", self.url("three")]
        return timed(lambda: call(command, environment(self.store)))

    def shell_list(self):
        command = [self.tools.wfx, "list", "--limit", 20, "--db", self.database]
        return timed(lambda: call(command, environment(self.store)))

    def sleep(self, count):
        connection = load.Connection(self.port)
        for _ in range(count):
            connection.ask("POST", f"/api/v1/workflows/{self.sleep_workflow}/execute")

    def sleeps(self):
        """How many of the runs of `sleep` are in which state; `running` for all unfinished."""
        connection = load.Connection(self.port)
        path = f"/api/v1/workflows/{self.sleep_workflow}/executions?limit=500"
        states = Counter(item["status"] for item in connection.ask("GET", path)["items"])
        states["running"] += states.pop("pending", 0)
        return states
