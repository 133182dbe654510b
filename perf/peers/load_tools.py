"""Load tools: how many requests in a second they make, and what they tell of a stall."""

import json
import re
import signal
import statistics
import subprocess
import sys
from pathlib import Path

import load
from peer_wfx import Wfx
from process import Daemon, call, environment, wait_until

HERE = Path(__file__).parent
RATE, SECONDS = 200, 20
# A fifth of the requests wait for what is left of a second, so a twentieth at least 750 ms.
TRUE_P95_MS = 750.0


def perf_check(tools, url, *arguments):
    """What `wfx perf-check` tells of GET /api/v1/ping."""
    baseline = tools.folder / "baseline.json"
    command = [tools.wfx, "perf-check", "--target", url, "--endpoint", "GET /api/v1/ping",
               "--baseline", baseline, "--update-baseline", "--format", "json", *arguments]
    # 4: it tells that it cannot be relied on, as on a machine that is busy otherwise.
    told = json.loads(call(command, environment(tools.folder), 120, good=(0, 4)))
    baseline.unlink(missing_ok=True)
    return told


def by_wfx(tools, url, seconds):
    told = perf_check(tools, url, "--closed", 64, "--duration", f"{seconds}s", "--warmup", "200ms")
    return told["measured"]["rate_reached"]


def by_wrk(tools, url, seconds):
    command = ["wrk", "-t2", "-c64", f"-d{seconds}s", f"{url}/api/v1/ping"]
    told = call(command, environment(tools.folder), 120)
    return float(re.search(r"Requests/sec:\s*([0-9.]+)", told)[1])


def by_oha(tools, url, seconds):
    told = load.oha(tools, f"{url}/api/v1/ping", "-c", 64, "-z", f"{seconds}s", "-w", method="GET")
    return told["summary"]["requestsPerSec"]


MAKERS = {"wfx perf-check": by_wfx, "wrk": by_wrk, "oha": by_oha}


def rates(tools, store, rounds, seconds):
    """Requests in a second of each tool over 64 connections to `wfx serve`, medians."""
    server = Wfx(tools)
    server.start(store)
    url = f"http://127.0.0.1:{server.port}"
    made = {name: [] for name in MAKERS}
    for _ in range(rounds):
        for name, make in MAKERS.items():
            made[name].append(make(tools, url, seconds))
    server.stop()
    return {name: statistics.median(values) for name, values in made.items()}


def stall_by_wfx(tools, url):
    told = perf_check(tools, url, "--rate", RATE, "--duration", f"{SECONDS}s", "--warmup", "0s")
    doubt = ", told as inconclusive" if told["doubts"] else ""
    return told["endpoints"]["GET /api/v1/ping"]["p95_ms"], doubt


def stall_by_oha(tools, url, *more):
    told = load.oha(tools, f"{url}/api/v1/ping", "-q", RATE, "-z", f"{SECONDS}s", "-w", *more, method="GET")
    return told["latencyPercentiles"]["p95"] * 1e3, ""


STALLED = {
    "wfx perf-check": stall_by_wfx,
    "oha": stall_by_oha,
    "oha --latency-correction": lambda tools, url: stall_by_oha(tools, url, "--latency-correction"),
}


def stall(tools, store):
    """For each tool what it tells, the p95 that the server recorded, and how many requests the
    server got, at a fixed rate."""
    store.mkdir(parents=True)
    port, server = load.free_port(), Daemon()
    process = server.spawn([sys.executable, HERE / "stall.py", port], environment(store),
                           store / "log", stdout=subprocess.PIPE, text=True)
    wait_until(lambda: load.is_ready(port, "/"), 10, "stall.py", 0.05)
    found = {}
    for name, measure in STALLED.items():
        take(process)
        told = measure(tools, f"http://127.0.0.1:{port}")
        recorded = take(process)
        found[name] = (told, recorded[95 * (len(recorded) - 1) // 100], len(recorded))
    server.stop()
    return found


def take(process):
    process.send_signal(signal.SIGUSR1)
    return json.loads(process.stdout.readline())
