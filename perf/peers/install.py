"""Installs the peers and the load tools below a folder, each once, from the registries that
npm, pip, cargo and apt-get are set up to use."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

NPM = ["@restatedev/restate-server@1.7.12", "@restatedev/restate-sdk@1.17.2"]
PIP = ["dbos==3.4.0"]
CARGO = {"pueue": "4.0.4", "oha": "1.16.0"}
APT = {"wrk": "wrk", "curl": "curl", "strace": "strace", "node": "nodejs", "npm": "npm"}
SECONDS = 1800


def run(*command, **options):
    print("+", *command, file=sys.stderr)
    subprocess.run([str(part) for part in command], check=True, timeout=SECONDS,
                   stdin=subprocess.DEVNULL, stdout=sys.stderr, **options)


def once(folder, name, contents, install):
    """Installs what is not what it was when it was last installed."""
    stamp = folder / f"{name}.installed"
    if not stamp.exists() or stamp.read_text() != contents:
        install()
        stamp.write_text(contents)


def debian():
    missing = [package for program, package in APT.items() if not shutil.which(program)]
    if missing:
        root = [] if os.geteuid() == 0 else ["sudo"]
        run(*root, "apt-get", "update", "-q")
        run(*root, "apt-get", "install", "-qy", "--no-install-recommends", *missing)


def npm(folder):
    prefix = folder / "npm"
    prefix.mkdir(exist_ok=True)
    # Their scripts only report who installs.
    run("npm", "install", "--ignore-scripts", "--no-save", "--prefix", prefix, *NPM)


def pip(folder):
    run(sys.executable, "-m", "venv", "--clear", folder / "venv")
    run(folder / "venv/bin/pip", "install", "--quiet", *PIP)


def cargo(folder):
    for crate, version in CARGO.items():
        run("cargo", "install", "--locked", "--root", folder / "cargo", "--version", version, crate)


def wfx(repository, target):
    if given := os.environ.get("WFX"):
        return Path(given).resolve()
    run("cargo", "build", "--locked", "--release", "--bin", "wfx", cwd=repository)
    return target / "release" / "wfx"


def everything(repository):
    """What is measured, as `wfx`, `oha` and the `folder` with the rest."""
    target = Path(os.environ.get("CARGO_TARGET_DIR") or repository / "target").resolve()
    folder = target / "peers"
    folder.mkdir(parents=True, exist_ok=True)
    debian()
    once(folder, "npm", " ".join(NPM), lambda: npm(folder))
    once(folder, "venv", " ".join(PIP), lambda: pip(folder))
    once(folder, "cargo", str(CARGO), lambda: cargo(folder))
    return SimpleNamespace(folder=folder, oha=folder / "cargo/bin/oha", wfx=wfx(repository, target))
