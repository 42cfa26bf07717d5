"""Programs built from pinned Go modules, once for all clones on a machine.

What is built goes to the user's cache folder, under a name made of everything that it is built
from, so that clones share it and a changed pin builds anew.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from orderflow_tools.console import Meter, say
from orderflow_tools.errors import PlatformError
from orderflow_tools.toolchain.go_compiler import Go, find_go

BUILD_ENVIRONMENT: Final = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}


@dataclass(frozen=True)
class Target:
    """One program: its name, the Go module that pins it, its package and the flags of its build.

    `loopback_health` says that its health port must be kept on loopback by a changed line.
    """

    name: str
    module: str
    package: str
    flags: tuple[str, ...]
    loopback_health: bool = False


Changed = Callable[[Go, Path, Path], Path]
"""Given the compiler, a module and a folder to work in: returns a go.mod by which changed sources
are compiled."""


@dataclass(frozen=True)
class Build:
    """Programs that are built together: `folder` names them and all that they are made from.

    `title` and `cost` are told to the person who waits.
    """

    title: str
    folder: str
    modules: Path
    targets: tuple[Target, ...]
    cost: str
    changed: Changed | None = None

    def at(self, cache: Path) -> Path:
        """Return the folder that holds the programs, once they are built."""
        return cache / self.folder


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder in the user's cache that keeps what was built."""
    base = environment.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "orderflow"


def key_of(modules: Path, files: Iterable[str], recipe: object) -> str:
    """Return a name for a build: it changes with these files, and with what is told of the rest."""
    digest = hashlib.sha256()
    for name in files:
        digest.update(name.encode() + (modules / name).read_bytes())
    digest.update(repr(recipe).encode())
    return digest.hexdigest()[:16]


def build_once(build: Build, cache: Path) -> Path:
    """Return the folder of the programs, which appears whole or not at all; build it if need be."""
    built = build.at(cache)
    if built.exists():
        return built
    with _lock(built.with_suffix(".lock"), build.title):
        if not built.exists():  # else another clone has built it meanwhile
            _build(build, built)
    return built


def _build(build: Build, built: Path) -> None:
    go = find_go(built.parent, build.modules / build.targets[0].module / "go.mod")
    say(f"Building {build.title} with {go.origin}.")
    say(f"This happens once: {build.cost} on two cores, less on more. Later runs reuse it.")
    draft = built.with_name(f"{built.name}.{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        for (module, flags, patched), targets in groupby(build.targets, _manner):
            changed = build.changed if patched else None
            _compile(go, build.modules / module, flags, list(targets), draft, changed)
        shutil.rmtree(draft / "changed", ignore_errors=True)
        draft.rename(built)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _manner(target: Target) -> tuple[str, tuple[str, ...], bool]:
    """Return what programs must have in common for one call of the compiler to build them."""
    return target.module, target.flags, target.loopback_health


def _compile(
    go: Go,
    module: Path,
    flags: tuple[str, ...],
    targets: list[Target],
    folder: Path,
    changed: Changed | None,
) -> None:
    """Build programs with one call, and show how many of their packages are compiled."""
    packages = [target.package for target in targets]
    meter = Meter(", ".join(target.name for target in targets))
    tags = flags[flags.index("-tags") :][:2] if "-tags" in flags else ()
    total = 0
    for line in lines(go, module, "list", *tags, "-deps", *packages):
        total += not line.startswith("go: ")
        meter.show("modules are fetched")
    modfile: list[str | Path] = (
        ["-modfile", changed(go, module, folder / "changed")] if changed else []
    )
    output = folder / "output"
    output.mkdir()
    compiled = 0
    for line in lines(go, module, "build", "-v", *flags, *modfile, "-o", f"{output}/", *packages):
        compiled += not line.startswith("go: ")
        meter.show(f"{compiled} of at most {total} packages are compiled")
    for target in targets:
        (output / program_name(target.package)).rename(folder / target.name)
    output.rmdir()
    meter.done("ready")


def program_name(package: str) -> str:
    """Return how Go calls the program of a package.

    >>> program_name("go.etcd.io/etcd/server/v3")
    'server'
    """
    *_, parent, last = ["", *package.split("/")]
    return parent if last[:1] == "v" and last[1:].isdigit() else last


def lines(go: Go, module: Path, *arguments: str | Path) -> Iterator[str]:
    """Run go, give what it prints line by line, and raise PlatformError if it fails."""
    with subprocess.Popen(
        [go.program, *arguments],
        cwd=module,
        env={**os.environ, **BUILD_ENVIRONMENT},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        last: list[str] = []
        for line in process.stdout or ():
            last = [*last[-15:], line.rstrip()]
            yield line.rstrip()
    if process.returncode:
        raise PlatformError(
            f"go {arguments[0]} failed in {module}; it said:\n  " + "\n  ".join(last) + "\n"
            "If modules could not be fetched, check the network and the GOPROXY variable."
        )


@contextmanager
def _lock(path: Path, title: str) -> Iterator[None]:
    """Hold a lock among all processes of this machine; say so when another has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Another process is building {title} on this machine; waiting for it.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
