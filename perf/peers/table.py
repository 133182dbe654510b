"""The tables, as Markdown."""

import os
import re

import process
from load_tools import RATE, TRUE_P95_MS

NONE = "–"
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


def number(value, digits=3):
    """With as many digits as say something."""
    if value is None:
        return NONE
    if value >= 10 ** digits:
        return f"{round(value, digits - 1 - len(str(int(value)))):,.0f}"
    if value == 0:
        return "0"
    return f"{value:.{digits}g}"


def memory(sizes):
    return " + ".join(f"{size:.0f}" for size in sizes)


def fate(crash):
    return ", ".join(f"{count} {state}" for state, count in sorted(crash["states"].items()))


def children(crash):
    return f"{crash['left']} of {crash['after_kill']}; {crash['again']} new"


ROWS = [
    ("version", lambda f: f["version"]),
    ("kept in", lambda f: f["kept"]),
    ("syncs per run, one at a time [1]", lambda f: number(f["syncs"])),
    ("runs/s, 32 in flight: 3 empty steps [2]", lambda f: number(f["three"])),
    ("runs/s, 32 in flight: one `sh -c true` [2]", lambda f: number(f["true"])),
    ("start and wait, p50 / p95, ms [3]", lambda f: f"{number(f['p50'])} / {number(f['p95'])}"),
    ("a run from a shell, nothing running before, ms [4]", lambda f: number(f["cold"])),
    ("a run from a shell, the server running, ms [5]", lambda f: number(f["warm"])),
    ("ready after a first start / with 2,000 runs stored, ms [6]",
     lambda f: f"{number(f['first_ready'])} / {number(f['ready'])}"),
    ("memory after a first start / after 2,000 runs, MB [7]",
     lambda f: f"{memory(f['first_memory'])} / {memory(f['memory'])}"),
    ("list of 20 after 2,000 runs by the API, p50, ms [8]", lambda f: number(f["list"])),
    ("the same from a shell, ms [9]", lambda f: number(f["shell_list"])),
    ("disk for a run after 2,000, kB [10]", lambda f: number(f["disk"])),
    ("`kill -9`, 20 in flight: what became of them [11]", lambda f: fate(f["crash"])),
    ("children of before that still ran 5 s after the restart; children of runs that ran again [11]",
     lambda f: children(f["crash"])),
]


def row(cells):
    return "| " + " | ".join(cells) + " |"


def peers(found):
    lines = [row(["", *found]), row(["---"] * (len(found) + 1))]
    lines += [row([name, *(show(figures) for figures in found.values())]) for name, show in ROWS]
    once = found["wfx"]["crash_once"]
    lines += ["", f"wfx without `retry` after the `kill -9`: {fate(once)}; of the children of before "
              f"{once['left']} of {once['after_kill']} still ran, and {once['again']} new ones."]
    return lines


def load(rates, versions):
    lines = [row(["64 connections, `/api/v1/ping` of `wfx serve`", "requests/s", "÷ wrk"]), row(["---"] * 3)]
    return lines + [
        row([versions[name], number(rate), number(rate / rates["wrk"])]) for name, rate in rates.items()
    ]


def stall(found):
    head = [f"{RATE}/s for 20 s, a stall of 1 s each 5 s", "p95 told, ms", "p95 the server recorded, ms",
            "requests it got", f"p95 of whoever asks at that rate, ms"]
    lines = [row(head), row(["---"] * len(head))]
    return lines + [
        row([f"`{name}`", number(told) + doubt, number(seen), f"{count:,}", number(TRUE_P95_MS)])
        for name, ((told, doubt), seen, count) in found.items()
    ]


def machine(folder):
    """Cores, memory, file system and kernel."""
    with open("/proc/meminfo", encoding="ascii") as file:
        kilobytes = int(file.readline().split()[1])
    kind = process.call(["stat", "-f", "-c", "%T", folder], process.environment(folder)).strip()
    return (f"{os.cpu_count()} cores, {kilobytes / 2**20:.0f} GiB, {kind}, "
            f"Linux {os.uname().release.partition('-')[0]}")


def load_versions(found, tools):
    env = process.environment(tools.folder)
    oha = process.call([tools.oha, "--version"], env).split()[1]
    # It tells its version when it is called wrongly, and on either stream.
    wrk = process.call(["sh", "-c", "wrk -v 2>&1 || :"], env).split()[1]
    return {"wfx perf-check": f"`wfx perf-check --closed 64`, {found['wfx']['version']}",
            "wrk": f"`wrk -t2 -c64`, {wrk}", "oha": f"`oha -c 64`, {oha}"}


def markdown(found, rates, stalled, tools):
    lines = peers(found) + [""] + load(rates, load_versions(found, tools)) + [""] + stall(stalled)
    return "\n".join([*lines, "", f"Measured on {machine(tools.folder)}."])


def write(path, figures):
    """Puts the figures in the place of those of before."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n{figures}\n{END}", text, flags=re.S)
    path.write_text(text, encoding="utf-8")
