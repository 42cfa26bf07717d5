"""A container engine: one that answers, one that can be started, or one of the project's own."""

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
    """What is asked of an engine; images have their full names, such as docker.io/library/redis:7.

    What fails is a PlatformError with the engine's words.
    """

    @property
    def origin(self) -> str:
        """Which engine it is, in words."""

    def has(self, image: str) -> bool:
        """Tell whether an image is here."""

    def label(self, image: str, name: str) -> str | None:
        """Return a label of an image that is here."""

    def pull(self, image: str) -> None:
        """Fetch an image from its registry."""

    def build(
        self,
        dockerfile: str,
        context: Path,
        tags: Sequence[str],
        arguments: Mapping[str, str] | None = None,
    ) -> None:
        """Build an image from the text of a Dockerfile and a folder, and give it these names."""

    def save(self, image: str, archive: Path) -> None:
        """Write an image to a tar file that other engines, and containerd, can load."""


@contextmanager
def open_engine(kind: Kind | None = None, *, with_api: bool = False) -> Iterator[Engine]:
    """Give the engine to use as long as the block lasts: a certain kind, or the first there is.

    An engine that was started for this is stopped again. `with_api` asks for one that can also run
    containers, for which there is `ApiEngine.client`.
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
            engine.forget_old()
            yield engine
    else:
        raise PlatformError(
            "Images need a container engine, and none answers here: start docker or podman (or "
            "name it in DOCKER_HOST), or install one. On Debian and its like, root needs none: "
            "one is installed then."
        )


@contextmanager
def open_api(kind: Kind | None = None) -> Iterator[ApiEngine]:
    """Give an engine that can also run containers."""
    with open_engine(kind, with_api=True) as engine:
        if not isinstance(engine, ApiEngine):
            raise PlatformError(f"{engine.origin} cannot run containers: start docker or podman.")
        yield engine


def _listening(kind: Kind | None) -> str | None:
    """Return where an engine of this kind, or of any, answers already."""
    host = _docker_host() if kind in (None, "docker") else None
    if host is None and kind in (None, "podman"):
        host = answers(_podman_sockets())
    return host


def _docker_host(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return where docker answers; whoever names a place means that one, or none."""
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
