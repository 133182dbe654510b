"""A program that uses DBOS: `dbos_worker.py DATABASE` takes a command from each line of its
standard input and answers with a line of JSON; with `once` it makes one run and ends."""

import json
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from dbos import DBOS


@DBOS.step()
def a():
    pass


@DBOS.step()
def b():
    pass


@DBOS.step()
def c():
    pass


@DBOS.workflow()
def three():
    a()
    b()
    c()


@DBOS.step()
def shell(line):
    subprocess.run(
        ["sh", "-c", line], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )


@DBOS.workflow()
def true():
    shell("true")


@DBOS.workflow()
def sleep():
    shell("sleep 30")


def rate(workflow, seconds, in_flight):
    start = time.monotonic()
    ends = start + seconds

    def some(_):
        count = 0
        while time.monotonic() < ends:
            workflow()
            count += 1
        return count

    with ThreadPoolExecutor(in_flight) as pool:
        count = sum(pool.map(some, range(in_flight)))
    return count / (time.monotonic() - start)


def run(count, in_flight):
    with ThreadPoolExecutor(in_flight) as pool:
        list(pool.map(lambda _: three(), range(count)))


def waits(count):
    took = []
    for _ in range(count):
        start = time.monotonic()
        three()
        took.append((time.monotonic() - start) * 1e3)
    return took


def listing(count):
    took = []
    for _ in range(count):
        start = time.monotonic()
        assert len(DBOS.list_workflows(limit=20, sort_desc=True)) == 20
        took.append((time.monotonic() - start) * 1e3)
    return took


def start_sleeps(count):
    for _ in range(count):
        DBOS.start_workflow(sleep)


def sleeps():
    return Counter(state.status for state in DBOS.list_workflows(name="sleep"))


COMMANDS = {
    "rate": lambda what, *more: rate({"three": three, "true": true}[what], *more),
    "run": run,
    "waits": waits,
    "listing": listing,
    "sleep": start_sleeps,
    "sleeps": sleeps,
}


def main():
    config = {"name": "peer", "system_database_url": f"sqlite:///{sys.argv[1]}", "log_level": "ERROR"}
    DBOS(config=config)
    DBOS.launch()
    if sys.argv[2:] == ["once"]:
        three()
        DBOS.destroy()
        return
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        print(json.dumps(COMMANDS[name](*arguments)), flush=True)
    DBOS.destroy()


if __name__ == "__main__":
    main()
