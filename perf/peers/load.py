"""Requests: many at once by oha, one at a time by a connection that stays open."""

import http.client
import json
import socket
import statistics

import process

IN_FLIGHT = 32


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def oha(tools, url, *arguments, method="POST", body=None):
    """What oha measured, as its JSON has it. An answer that is not 200 fails."""
    command = [tools.oha, "--no-tui", "--output-format", "json", "-m", method, *arguments]
    if body is not None:
        command += ["-H", "content-type: application/json", "-d", body]
    told = json.loads(process.call([*command, url], process.environment(tools.folder), 240))
    statuses = told["statusCodeDistribution"]
    if set(statuses) != {"200"} or told["errorDistribution"]:
        raise RuntimeError(f"{url}: {statuses} {told['errorDistribution']}")
    return told


def per_second(tools, url, seconds, **options):
    """Answers in a second with 32 in flight, and how many there were."""
    told = oha(tools, url, "-c", IN_FLIGHT, "-z", f"{seconds}s", "-w", **options)
    count = told["statusCodeDistribution"]["200"]
    return count / told["summary"]["total"], count


def one_by_one(tools, url, count, **options):
    """Median and 95th percentile of `count` requests, one after the other, in ms."""
    told = oha(tools, url, "-c", 1, "-n", count, **options)["latencyPercentiles"]
    return told["p50"] * 1e3, told["p95"] * 1e3


class Connection:
    """One connection to a server on loopback."""

    def __init__(self, port):
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(self, method, path, body=None):
        """The JSON of an answer that is 2xx."""
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        self.http.request(method, path, body, headers)
        answer = self.http.getresponse()
        text = answer.read()
        if answer.status not in range(200, 300):
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]}")
        return json.loads(text) if text else None


def is_ready(port, path):
    """Whether a GET is answered with 200."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def median_ms(action, count):
    """The median of how long `action` takes, in ms."""
    return statistics.median(process.timed(action) for _ in range(count))
