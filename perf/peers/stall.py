"""A server that answers at once, but stalls for the first second of every five, and records
how long each request really took from its arrival to its answer. `stall.py PORT`; SIGUSR1
writes what was recorded since the last time to standard output, as a line of JSON."""

import asyncio
import json
import signal
import sys
import time

recorded = []
started = time.monotonic()


async def answer(reader, writer):
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            arrived = time.monotonic()
            into = (arrived - started) % 5
            if into < 1:
                await asyncio.sleep(1 - into)
            recorded.append((time.monotonic() - arrived) * 1e3)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def tell():
    print(json.dumps(sorted(recorded)), flush=True)
    recorded.clear()


async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", int(sys.argv[1]), backlog=1024)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, tell)
    async with server:
        await server.serve_forever()


asyncio.run(main())
