"""How often a peer syncs for a run, as strace counts it."""

import time

CALLS = "fsync,fdatasync,msync,sync_file_range,syncfs"
RUNS = 100


def per_run(peer, store):
    store.mkdir(parents=True)
    trace = store / "strace"
    count = lambda: sum("= " in line for line in trace.read_text().splitlines())
    # -D: strace is the child, so that signals reach the peer.
    peer.start(store, prefix=["strace", "-D", "-f", "-qq", "-e", f"trace={CALLS}", "-o", str(trace)])
    peer.waits(5)
    time.sleep(1)
    before = count()
    runs = RUNS if peer.name != "Pueue" else 20
    peer.waits(runs)
    found = (count() - before) / runs
    peer.stop()
    return found
