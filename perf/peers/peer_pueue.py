"""Pueue: `pueued`, and `pueue` from a shell. A task is one shell line; it has no steps."""

import json
import socket
import statistics
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import load
from process import Daemon, call, environment, timed, wait_until

SUBMITTERS = 8


class Pueue(Daemon):
    name = "Pueue"
    kept = "a JSON file, written anew at each change; nothing is synced"

    def __init__(self, tools):
        super().__init__()
        self.tools = tools
        self.bin = tools.folder / "cargo" / "bin"

    def version(self):
        return call([self.bin / "pueue", "--version"], environment(self.tools.folder)).split()[1]

    def start(self, store, prefix=()):
        """Starts it on a folder, and gives the ms until it is ready."""
        store.mkdir(parents=True, exist_ok=True)
        self.store, self.config, path = store, store / "pueue.yml", store / "socket"
        shared = {"pueue_directory": str(store / "data"), "runtime_directory": str(store),
                  "use_unix_socket": True, "unix_socket_path": str(path)}
        self.config.write_text(json.dumps({"shared": shared, "daemon": {}, "client": {}}))

        def listens():
            with socket.socket(socket.AF_UNIX) as client:
                return path.exists() and client.connect_ex(str(path)) == 0
        start = time.monotonic()
        path.unlink(missing_ok=True)
        self.spawn([*prefix, self.bin / "pueued", "-c", self.config], environment(store), store / "log")
        wait_until(listens, 30, "pueued")
        ready = (time.monotonic() - start) * 1e3
        self.client("parallel", load.IN_FLIGHT)
        return ready

    def client(self, *arguments):
        return call([self.bin / "pueue", "-c", self.config, *arguments], environment(self.store),
                    cwd=self.store)

    def tasks(self):
        return json.loads(self.client("status", "--json"))["tasks"]

    def ended(self, count):
        """The tasks, once `count` of them have ended well."""
        tasks = self.tasks()
        done = [task["status"]["Done"] for task in tasks.values() if "Done" in task["status"]]
        if bad := [task for task in done if task["result"] != "Success"]:
            raise RuntimeError(f"pueue: {bad[0]}")
        return len(done) >= count and done

    def submit(self, count):
        with ThreadPoolExecutor(SUBMITTERS) as pool:
            list(pool.map(lambda _: self.client("add", "--", "true"), range(count)))

    def rate(self, what, seconds):
        """By the times of the daemon, from the first start to the last end."""
        if what == "three":
            return None
        count = 100 * seconds
        before = len(self.tasks())
        self.submit(count)
        done = wait_until(lambda: self.ended(before + count), 120, "pueue", 0.2)
        first = min(moment(task["enqueued_at"]) for task in done[before:])
        return count / (max(moment(task["end"]) for task in done) - first)

    def run(self, count):
        before = len(self.tasks())
        self.submit(count)
        wait_until(lambda: self.ended(before + count), 240, "pueue", 0.5)

    def wait_one(self):
        task = self.client("add", "--immediate", "--print-task-id", "--", "true").strip()
        wait_until(lambda: "Done" in self.tasks()[task]["status"], 10, "a task of Pueue", 0)

    def waits(self, count):
        took = sorted(timed(self.wait_one) for _ in range(min(count, 20)))
        return statistics.median(took), took[95 * (len(took) - 1) // 100]

    listing = None

    def shell_cold(self, store):
        def cold():
            self.start(store)
            self.wait_one()
        took = timed(cold)
        self.stop()
        return took

    def shell_warm(self):
        return timed(self.wait_one)

    def shell_list(self):
        return timed(lambda: self.client("status", "order_by id desc first 20"))

    def sleep(self, count):
        for _ in range(count):
            self.client("add", "--immediate", "--", "sleep 30")

    def sleeps(self):
        states = Counter()
        for task in self.tasks().values():
            done = task["status"].get("Done")
            states[str(done["result"]).lower() if done else "running"] += 1
        return states


def moment(text):
    """Seconds of a time in RFC 3339; Python before 3.11 reads six digits of a second only."""
    whole, _, rest = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(whole + "+00:00").timestamp() + float("0." + (rest or "0"))
