"""Dapr for this project: an installation found on the machine, or one built from pinned modules.

What is built goes to the user's cache folder, under a name made of everything that it is built
from, so that clones share it and a changed pin builds anew.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orderflow_tools.console import Meter, say
from orderflow_tools.errors import PlatformError
from orderflow_tools.golang import Go, find_go

RUNTIME_VERSION: Final = "1.18.1"
CLI_VERSION: Final = "1.16.5"
RUNTIME_FLAGS: Final = (
    *("-trimpath", "-tags", "allcomponents"),
    *("-ldflags", f"-s -w -X github.com/dapr/dapr/pkg/buildinfo.version={RUNTIME_VERSION}"),
)
CLI_FLAGS: Final = (
    *("-trimpath", "-ldflags"),
    f"-s -w -X main.version={CLI_VERSION} -X main.apiVersion=1.0",
)
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


DAPR: Final = "github.com/dapr/dapr"
COMMANDS: Final = f"{DAPR}/cmd"
TARGETS: Final = (
    Target("daprd", "runtime", f"{COMMANDS}/daprd", RUNTIME_FLAGS),
    Target("placement", "runtime", f"{COMMANDS}/placement", RUNTIME_FLAGS, loopback_health=True),
    Target("scheduler", "runtime", f"{COMMANDS}/scheduler", RUNTIME_FLAGS, loopback_health=True),
    Target("dapr", "cli", "github.com/dapr/cli", CLI_FLAGS),
)

HEALTH_SERVER: Final = "pkg/healthz/server/server.go"
HEALTH_LINE: Final = ('fmt.Sprintf(":%d", s.port)', 'fmt.Sprintf("127.0.0.1:%d", s.port)')
"""Placement and scheduler 1.18.1 read --healthz-listen-address and then listen on all interfaces.

This line of theirs is changed while they are built, so that nothing of a run is open to a network.
"""


@dataclass(frozen=True)
class Runtime:
    """The programs that make up Dapr, and where they come from, in words."""

    dapr: Path
    daprd: Path
    placement: Path
    scheduler: Path
    origin: str


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder in the user's cache that keeps what was built."""
    base = environment.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "orderflow"


def build_key(modules: Path) -> str:
    """Return a name for a build of these modules: it changes with the pins and with the flags."""
    digest = hashlib.sha256()
    for module in ("runtime", "cli"):
        for name in ("go.mod", "go.sum"):
            digest.update(f"{module}/{name}".encode() + (modules / module / name).read_bytes())
    build = [TARGETS, sorted(BUILD_ENVIRONMENT.items()), HEALTH_LINE]
    digest.update(repr(build).encode())
    return digest.hexdigest()[:16]


def find_runtime(root: Path, environment: Mapping[str, str] = os.environ) -> Runtime:
    """Return Dapr: installed on this machine in the right version, built before, or built now."""
    if installed := find_installed(environment):
        return installed
    modules = root / "tools" / "dapr-toolchain"
    built = cache_folder(environment) / f"dapr-{build_key(modules)}"
    if not built.exists():
        _build_once(modules, built)
    return Runtime(
        dapr=built / "dapr",
        daprd=built / "daprd",
        placement=built / "placement",
        scheduler=built / "scheduler",
        origin=f"Dapr {RUNTIME_VERSION}, built from pinned sources in {built}",
    )


def find_installed(environment: Mapping[str, str] = os.environ) -> Runtime | None:
    """Return a Dapr installation of the same minor version with all its programs, if there is one.

    Its runtime is looked for where its own CLI does: in DAPR_RUNTIME_PATH, else the home folder.
    """
    cli = shutil.which("dapr", path=environment.get("PATH"))
    folder = Path(environment.get("DAPR_RUNTIME_PATH") or Path.home()) / ".dapr" / "bin"
    daprd, placement, scheduler = folder / "daprd", folder / "placement", folder / "scheduler"
    if not cli or not all(program.is_file() for program in (daprd, placement, scheduler)):
        return None
    version = _version_of(daprd)
    if version.split(".")[:2] != RUNTIME_VERSION.split(".")[:2]:
        return None
    origin = f"Dapr {version}, installed in {folder}"
    return Runtime(Path(cli), daprd, placement, scheduler, origin)


def _version_of(daprd: Path) -> str:
    try:
        outcome = subprocess.run(
            [daprd, "--version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return outcome.stdout.strip()


def _build_once(modules: Path, built: Path) -> None:
    """Build all programs into a folder, which appears whole or not at all."""
    with _lock(built.with_suffix(".lock")):
        if built.exists():
            return  # another clone has built it meanwhile
        go = find_go(cache_folder(), modules / "runtime" / "go.mod")
        say(f"Building Dapr {RUNTIME_VERSION} with {go.origin}.")
        say("This happens once: about 12 minutes on two cores, less on more. Later runs reuse it.")
        draft = built.with_name(f"{built.name}.{os.getpid()}")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        try:
            for target in TARGETS:
                _build(go, modules / target.module, target, draft / target.name)
            shutil.rmtree(draft / "changed")
            draft.rename(built)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _build(go: Go, module: Path, target: Target, output: Path) -> None:
    """Build one program, and show how many of its packages are compiled."""
    meter = Meter(target.name)
    total = 0
    for line in _lines(go, module, "list", "-tags", "allcomponents", "-deps", target.package):
        total += not line.startswith("go: ")
        meter.show("modules are fetched")
    flags: list[str | Path] = [*target.flags, "-o", output]
    if target.loopback_health:
        flags += ["-modfile", _changed_module(go, module, output.parent / "changed")]
    compiled = 0
    for line in _lines(go, module, "build", "-v", *flags, target.package):
        compiled += not line.startswith("go: ")
        meter.show(f"{compiled} of at most {total} packages are compiled")
    meter.done("ready")


def _changed_module(go: Go, module: Path, folder: Path) -> Path:
    """Return a go.mod by which Dapr is compiled with a changed health server; see HEALTH_LINE."""
    modfile, copy = folder / "go.mod", folder / "dapr"
    if modfile.exists():
        return modfile
    *_, dapr = _lines(go, module, "list", "-m", "-f", "{{.Dir}}", DAPR)
    # The module cache is read-only, and so would be a copy that keeps the modes.
    shutil.copytree(dapr, copy, copy_function=shutil.copyfile)
    for path in [copy, *copy.rglob("*/")]:
        path.chmod(0o755)
    source = (copy / HEALTH_SERVER).read_text()
    if source.count(HEALTH_LINE[0]) != 1:
        raise PlatformError(f"Dapr's {HEALTH_SERVER} is not as expected: see HEALTH_LINE here.")
    (copy / HEALTH_SERVER).write_text(source.replace(*HEALTH_LINE))
    shutil.copyfile(module / "go.sum", folder / "go.sum")
    pins = (module / "go.mod").read_text()
    modfile.write_text(f"{pins}\nreplace {DAPR} => {copy}\n")
    return modfile


def _lines(go: Go, module: Path, *arguments: str | Path) -> Iterator[str]:
    """Run go, give what it prints line by line, and raise PlatformError if it fails."""
    with subprocess.Popen(
        [go.program, *arguments],
        cwd=module,
        env={**os.environ, **BUILD_ENVIRONMENT},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        last: list[str] = []
        for line in process.stdout or ():
            last = [*last[-15:], line.rstrip()]
            yield line.rstrip()
    if process.returncode:
        raise PlatformError(
            "Dapr could not be built; go said:\n  " + "\n  ".join(last) + "\n"
            "If modules could not be fetched, check the network and the GOPROXY variable."
        )


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold a lock among all processes of this machine; say so when another has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another process is building Dapr on this machine; waiting for it.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
