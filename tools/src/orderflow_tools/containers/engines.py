"""Finds a container engine: one that runs, one that can be started, or the project's own."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, Literal, Protocol

from orderflow_tools.containers.buildah import BuildahEngine
from orderflow_tools.containers.docker_api import ApiEngine
from orderflow_tools.containers.own_engine import own_engine
from orderflow_tools.containers.sockets import answers, started_podman
from orderflow_tools.debian import is_root_on_debian
from orderflow_tools.errors import PlatformError

Kind = Literal["docker", "podman", "buildah", "own"]
KINDS: Final[tuple[Kind, ...]] = ("docker", "podman", "buildah", "own")


class Engine(Protocol):
    """A container engine; images have full names, such as docker.io/library/redis:7.

    A failure is a PlatformError with the engine's message.
    """

    @property
    def origin(self) -> str:
        """The name and version of the engine, in words."""

    def has(self, image: str) -> bool:
        """Return whether an image is present."""

    def label(self, image: str, name: str) -> str | None:
        """Return a label of an image, or None if either is missing."""

    def pull(self, image: str) -> None:
        """Pull an image from its registry."""

    def build(
        self,
        dockerfile: str,
        context: Path,
        tags: Sequence[str],
        arguments: Mapping[str, str] | None = None,
    ) -> None:
        """Build an image from the text of a Dockerfile and a folder, and tag it."""

    def save(self, image: str, archive: Path) -> None:
        """Save an image as a tar file that other engines and containerd can load."""


@contextmanager
def open_engine(kind: Kind | None = None, *, with_api: bool = False) -> Iterator[Engine]:
    """Provide an engine for the duration of the block: of this kind, or the first one found.

    An engine that was started for this is stopped at the end. `with_api` requires one that can
    also run containers, by `ApiEngine.client`.
    """
    if host := _listening(kind):
        with closing(ApiEngine.connect(host)) as engine:
            yield engine
    elif kind in (None, "podman") and shutil.which("podman"):
        with started_podman() as host, closing(ApiEngine.connect(host)) as engine:
            yield engine
    elif kind in (None, "buildah") and not with_api and shutil.which("buildah"):
        yield BuildahEngine()
    elif kind in (None, "own") and is_root_on_debian():
        with own_engine() as host, closing(ApiEngine.connect(host, network="host")) as engine:
            engine.remove_old()
            yield engine
    else:
        raise PlatformError(
            "Building images needs a container engine, and none answers: start docker or podman, "
            "name one in DOCKER_HOST, or install one. As root on Debian and its derivatives, one "
            "is installed automatically."
        )


@contextmanager
def open_api(kind: Kind | None = None) -> Iterator[ApiEngine]:
    """Provide an engine that can also run containers."""
    with open_engine(kind, with_api=True) as engine:
        if not isinstance(engine, ApiEngine):
            raise PlatformError(f"{engine.origin} cannot run containers: start docker or podman.")
        yield engine


def _listening(kind: Kind | None) -> str | None:
    """Return the address of a running engine of this kind, or of any kind."""
    host = _docker_host() if kind in (None, "docker") else None
    if host is None and kind in (None, "podman"):
        host = answers(_podman_sockets())
    return host


def _docker_host(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the address of docker; an address in DOCKER_HOST must answer."""
    if named := environment.get("DOCKER_HOST"):
        if not answers([named]):
            raise PlatformError(f"No engine answers at DOCKER_HOST={named}: start it, or unset it.")
        return named
    of_user = Path.home() / ".docker" / "run" / "docker.sock"
    return answers([f"unix://{path}" for path in (Path("/var/run/docker.sock"), of_user)])


def _podman_sockets(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return where podman listens if the system has started it."""
    folders = [Path(environment.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")]
    if os.getuid() == 0:
        folders.append(Path("/run"))
    return [f"unix://{folder / 'podman' / 'podman.sock'}" for folder in folders]
