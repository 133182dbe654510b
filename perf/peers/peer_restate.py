"""Restate: its server, and a handler in Node that it calls."""

import json
import time
from collections import Counter
from pathlib import Path

import load
from process import Daemon, call, environment, timed, wait_until

HERE = Path(__file__).parent


class Restate(Daemon):
    name = "Restate"
    kept = "its log in RocksDB: each batch is synced (the default)"

    def __init__(self, tools):
        super().__init__()
        self.tools = tools
        self.modules = tools.folder / "npm" / "node_modules"
        [self.binary] = self.modules.glob("@restatedev/restate-server-*/bin/restate-server")

    def version(self):
        def of(name):
            return json.loads((self.modules / name / "package.json").read_text())["version"]
        return f"{of('@restatedev/restate-server')}, SDK {of('@restatedev/restate-sdk')}"

    def start(self, store, prefix=()):
        """Starts both on a folder, and gives the ms until the server is ready."""
        store.mkdir(parents=True, exist_ok=True)
        ports = store / "ports.json"
        first = not ports.exists()
        if first:  # The handler is stored with its address, so it keeps its port.
            ports.write_text(json.dumps([load.free_port() for _ in range(4)]))
        node, admin, self.port, handler = json.loads(ports.read_text())
        self.store, self.admin = store, admin
        env = environment(
            store,
            DO_NOT_TRACK="1",
            RESTATE_DISABLE_TELEMETRY="true",
            RESTATE_LISTEN_MODE="tcp",
            RESTATE_NODE_NAME="peer",
            RESTATE_BASE_DIR=str(store / "data"),
            RESTATE_LOG_FILTER="error",
            RESTATE_BIND_ADDRESS=f"127.0.0.1:{node}",
            RESTATE_ADVERTISED_ADDRESS=f"http://127.0.0.1:{node}",
            RESTATE_ADMIN__BIND_ADDRESS=f"127.0.0.1:{admin}",
            RESTATE_INGRESS__BIND_ADDRESS=f"127.0.0.1:{self.port}",
        )
        start = time.monotonic()
        self.spawn([*prefix, self.binary, "--no-logo"], env, store / "log")
        self.spawn(
            ["node", HERE / "restate_handler.mjs", handler, self.modules],
            environment(store, NODE_ENV="production", RESTATE_LOGGING="ERROR"), store / "log",
        )
        wait_until(lambda: load.is_ready(self.port, "/restate/health"), 60, "restate-server")
        ready = (time.monotonic() - start) * 1e3
        if first:
            body = json.dumps({"uri": f"http://127.0.0.1:{handler}"})
            wait_until(lambda: self.registered(body), 30, "registration of the handler", 0.05)
        return ready

    def registered(self, body):
        try:
            return load.Connection(self.admin).ask("POST", "/deployments", body)
        except (OSError, RuntimeError):
            return None  # One of the two does not listen yet.

    def url(self, handler):
        return f"http://127.0.0.1:{self.port}/peer/{handler}"

    def rate(self, what, seconds):
        if what == "three":
            return load.per_second(self.tools, self.url("three"), seconds)[0]
        return load.per_second(self.tools, self.url("shell"), seconds, body='"true"')[0]

    def run(self, count):
        load.oha(self.tools, self.url("three"), "-c", load.IN_FLIGHT, "-n", count)

    def waits(self, count):
        return load.one_by_one(self.tools, self.url("three"), count)

    def query(self, sql):
        connection = load.Connection(self.admin)
        return connection.ask("POST", "/query", json.dumps({"query": sql}))["rows"]

    LIST = "SELECT id, target, status, created_at FROM sys_invocation ORDER BY created_at DESC LIMIT 20"

    def listing(self):
        def ask():
            assert len(self.query(self.LIST)) == 20
        return load.median_ms(ask, 100)

    def shell_cold(self, store):
        def cold():
            self.start(store)
            self.shell_warm()
        took = timed(cold)
        self.stop()
        return took

    def shell_warm(self):
        command = ["curl", "-sf", "-X", "POST", self.url("three")]
        return timed(lambda: call(command, environment(self.store)))

    def shell_list(self):
        command = ["curl", "-sf", "-H", "content-type: application/json", "-H", "accept: application/json",
                   "-d", json.dumps({"query": self.LIST}), f"http://127.0.0.1:{self.admin}/query"]
        return timed(lambda: call(command, environment(self.store)))

    def sleep(self, count):
        connection = load.Connection(self.port)
        for _ in range(count):
            connection.ask("POST", "/peer/shell/send", '"sleep 30"')

    def sleeps(self):
        rows = self.query("SELECT status, completion_result FROM sys_invocation")
        completed = (row["completion_result"] for row in rows if row["status"] == "completed")
        states = Counter(completed)
        states["running"] = sum(row["status"] != "completed" for row in rows)
        return states
