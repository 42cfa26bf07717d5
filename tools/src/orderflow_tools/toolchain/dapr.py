"""Dapr: an installation found on the machine, or one built from pinned Go modules."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from orderflow_tools.errors import PlatformError
from orderflow_tools.toolchain.cache import cache_folder, key_of
from orderflow_tools.toolchain.go_build import (
    BUILD_ENVIRONMENT,
    Build,
    Target,
    build_once,
    lines,
)
from orderflow_tools.toolchain.go_compiler import Go

CHOICE: Final = "DAPR"
"""The variable that chooses the Dapr to run."""
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
"""Placement and scheduler 1.18.1 ignore --healthz-listen-address and listen on all interfaces.

This line is changed when they are built, so that a run is not reachable from a network.
"""


@dataclass(frozen=True)
class Runtime:
    """The programs of Dapr, and where they come from, in words."""

    dapr: Path
    daprd: Path
    placement: Path
    scheduler: Path
    origin: str


def build_key(modules: Path) -> str:
    """Return a name for a build of these modules, which changes with the pins and the flags."""
    files = [f"{module}/{name}" for module in ("runtime", "cli") for name in ("go.mod", "go.sum")]
    return key_of(modules, files, [TARGETS, sorted(BUILD_ENVIRONMENT.items()), HEALTH_LINE])


def find_runtime(root: Path, environment: Mapping[str, str] = os.environ) -> Runtime:
    """Return Dapr: installed on this machine in the right version, or else built if need be.

    With `DAPR=installed` in the environment, an installation of any version is used, and nothing is
    built. Raises PlatformError if there is none, or for another value.
    """
    match environment.get(CHOICE, ""):
        case "":
            return find_installed(environment) or built_runtime(root, environment)
        case "installed":
            return _require_installed(environment)
        case other:
            raise PlatformError(
                f"{CHOICE}: {other} is not known. Use {CHOICE}=installed, or unset it."
            )


def built_runtime(root: Path, environment: Mapping[str, str] = os.environ) -> Runtime:
    """Return Dapr in the pinned version, built if need be."""
    modules = root / "tools" / "dapr-toolchain"
    build = Build(
        title=f"Dapr {RUNTIME_VERSION}",
        folder=f"dapr-{build_key(modules)}",
        modules=modules,
        targets=TARGETS,
        cost="about 12 minutes",
        changed=_changed_module,
    )
    built = build_once(build, cache_folder(environment))
    return Runtime(
        dapr=built / "dapr",
        daprd=built / "daprd",
        placement=built / "placement",
        scheduler=built / "scheduler",
        origin=f"Dapr {RUNTIME_VERSION}, built from pinned sources in {built}",
    )


def find_installed(environment: Mapping[str, str] = os.environ) -> Runtime | None:
    """Return a complete Dapr installation of the same minor version, if there is one.

    Its runtime is searched where the Dapr CLI searches: in DAPR_RUNTIME_PATH or the home folder.
    """
    found = _installed(environment, _folder(environment))
    return found if found and _is_tested(_version_of(found.daprd)) else None


def _require_installed(environment: Mapping[str, str]) -> Runtime:
    """Return a complete installation, in Dapr's folder or on the PATH, whatever its version."""
    path = environment.get("PATH")
    on_path = (Path(daprd).parent for daprd in [shutil.which("daprd", path=path)] if daprd)
    folders = [_folder(environment), *on_path]
    found = next((each for folder in folders if (each := _installed(environment, folder))), None)
    if found is None:
        raise PlatformError(
            f"{CHOICE}=installed, but no Dapr is installed: `dapr` must be on the PATH, and daprd, "
            f"placement and scheduler in {' or '.join(map(str, folders))} (`dapr init --slim`)."
        )
    if _is_tested(_version_of(found.daprd)):
        return found
    warning = f"Orderflow was not tested with it, but with {RUNTIME_VERSION}"
    return replace(found, origin=f"{found.origin}. {warning}")


def _installed(environment: Mapping[str, str], folder: Path) -> Runtime | None:
    cli = shutil.which("dapr", path=environment.get("PATH"))
    daprd, placement, scheduler = folder / "daprd", folder / "placement", folder / "scheduler"
    if not cli or not all(program.is_file() for program in (daprd, placement, scheduler)):
        return None
    origin = f"Dapr {_version_of(daprd) or 'of an unknown version'}, installed in {folder}"
    return Runtime(Path(cli), daprd, placement, scheduler, origin)


def _folder(environment: Mapping[str, str]) -> Path:
    """Return the folder in which the Dapr CLI installs the runtime."""
    return Path(environment.get("DAPR_RUNTIME_PATH") or Path.home()) / ".dapr" / "bin"


def _is_tested(version: str) -> bool:
    return version.split(".")[:2] == RUNTIME_VERSION.split(".")[:2]


def _version_of(daprd: Path) -> str:
    try:
        outcome = subprocess.run(
            [daprd, "--version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return outcome.stdout.strip()


def _changed_module(go: Go, module: Path, folder: Path) -> Path:
    """Return a go.mod that compiles Dapr with a changed health server; see HEALTH_LINE."""
    modfile, copy = folder / "go.mod", folder / "dapr"
    if modfile.exists():
        return modfile
    *_, dapr = lines(go, module, "list", "-m", "-f", "{{.Dir}}", DAPR)
    # The module cache is read-only; a copy that preserved the modes would be, too.
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
