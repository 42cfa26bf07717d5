"""Builds programs from pinned Go modules, once for all clones on a machine."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from orderflow_tools.console import Meter, print_line
from orderflow_tools.errors import PlatformError
from orderflow_tools.toolchain.cache import make_once
from orderflow_tools.toolchain.go_compiler import Go, find_go

BUILD_ENVIRONMENT: Final = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}


@dataclass(frozen=True)
class Target:
    """One program: its name, the Go module that pins it, its package and the flags of its build.

    `loopback_health` means that a changed line must bind its health port to loopback.
    """

    name: str
    module: str
    package: str
    flags: tuple[str, ...]
    loopback_health: bool = False


Changed = Callable[[Go, Path, Path], Path]
"""From the compiler, a module and a working folder, returns a go.mod with changed sources."""


@dataclass(frozen=True)
class Build:
    """Programs that are built together; the name of `folder` changes with their sources.

    `title` and `cost` are shown to the user, who has to wait.
    """

    title: str
    folder: str
    modules: Path
    targets: tuple[Target, ...]
    cost: str
    changed: Changed | None = None

    def at(self, cache: Path) -> Path:
        """Return the folder of the programs, which exists once they are built."""
        return cache / self.folder


def build_once(build: Build, cache: Path) -> Path:
    """Return the folder of the programs; build them if need be."""
    return make_once(build.at(cache), build.title, lambda draft: _build(build, draft))


def _build(build: Build, draft: Path) -> None:
    go = find_go(draft.parent, build.modules / build.targets[0].module / "go.mod")
    print_line(f"Building {build.title} with {go.origin}.")
    print_line(f"This happens once and takes {build.cost} on two cores. Later runs reuse it.")
    for (module, flags, patched), targets in groupby(build.targets, _build_options):
        changed = build.changed if patched else None
        _compile(go, build.modules / module, flags, list(targets), draft, changed)
    shutil.rmtree(draft / "changed", ignore_errors=True)


def _build_options(target: Target) -> tuple[str, tuple[str, ...], bool]:
    """Return what programs must have in common to be built by one call of the compiler."""
    return target.module, target.flags, target.loopback_health


def _compile(
    go: Go,
    module: Path,
    flags: tuple[str, ...],
    targets: list[Target],
    folder: Path,
    changed: Changed | None,
) -> None:
    """Build programs with one call, and show the progress in packages."""
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
    """Return Go's name for the program of a package.

    >>> program_name("go.etcd.io/etcd/server/v3")
    'server'
    """
    *_, parent, last = ["", *package.split("/")]
    return parent if last[:1] == "v" and last[1:].isdigit() else last


def lines(go: Go, module: Path, *arguments: str | Path) -> Iterator[str]:
    """Run go and yield its output line by line; raise PlatformError if it fails."""
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
            f"go {arguments[0]} failed in {module}:\n  " + "\n  ".join(last) + "\n"
            "If modules could not be fetched, check the network and the GOPROXY variable."
        )
