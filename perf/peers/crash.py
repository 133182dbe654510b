"""`kill -9` of a peer with runs in flight, each with a shell child."""

import time

from process import end_all, marked, wait_until

RUNS = 20
SETTLED_SECONDS = 75


def children():
    return {pid for pid, name in marked().items() if name == "sleep"}


def crash(peer, store):
    """What became of the runs by their state, how many of the children of before outlived the
    kill and how many the restart by 5 s, and how many runs then had a new child."""
    peer.start(store)
    peer.sleep(RUNS)
    wait_until(lambda: len(children()) >= RUNS, 20, f"{RUNS} children of {peer.name}", 0.05)
    old = children()
    peer.kill()
    time.sleep(0.5)
    after_kill = len(old & children())
    peer.start(store)
    time.sleep(5)
    now = children()
    deadline = time.monotonic() + SETTLED_SECONDS
    while (states := peer.sleeps())["running"] and time.monotonic() < deadline:
        time.sleep(0.5)
    peer.stop()
    end_all()  # The children that nobody ended would count as those of the next peer.
    return {
        "states": {state: count for state, count in states.items() if count},
        "after_kill": after_kill, "left": len(old & now), "again": len(now - old),
    }
