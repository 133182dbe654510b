"""Fails if a dependency of the library or the binary demands a newer Rust than `rust-version`.

Takes the file that `cargo metadata --format-version 1` wrote. Dependencies that only tests have are
not counted: they need not compile with the oldest compiler.
"""

import json
import sys


def version(text):
    return tuple(int(part) for part in text.split("-")[0].split(".")) + (0,) * (2 - text.count("."))


with open(sys.argv[1], encoding="utf-8") as file:
    metadata = json.load(file)
packages = {package["id"]: package for package in metadata["packages"]}
nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
root = metadata["resolve"]["root"]
ours = packages[root]["rust_version"]
seen, waiting = set(), [root]
while waiting:
    node = waiting.pop()
    if node not in seen:
        seen.add(node)
        waiting += [
            dependency["pkg"]
            for dependency in nodes[node]["deps"]
            if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"])
        ]
newer = [
    packages[package]
    for package in seen
    if version(packages[package]["rust_version"] or "0") > version(ours)
]
for package in sorted(newer, key=lambda package: package["name"]):
    print(
        f"{package['name']} {package['version']} needs Rust {package['rust_version']}, and"
        f" rust-version in Cargo.toml is {ours}: raise it, or take an older {package['name']}",
        file=sys.stderr,
    )
if newer:
    sys.exit(1)
print(f"none of {len(seen) - 1} dependencies needs a newer Rust than {ours}")
