"""An engine with Docker's API on a socket: docker itself, or podman."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self, cast

import docker
from docker.errors import DockerException, ImageNotFound
from docker.utils.build import tar as context_archive
from requests.exceptions import RequestException

from orderflow_tools.console import Meter
from orderflow_tools.errors import PlatformError

SILENCE_SECONDS: Final = 900
"""Seconds for which an engine may be silent while it builds."""
KEPT: Final = "240h"
"""How long the project's own engine keeps layers that no image uses."""
PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
"""Build arguments that every build accepts and that do not stay in the image."""
TAIL_LINES: Final = 25
SENT_AS: Final = ".orderflow.Dockerfile"


class ApiEngine:
    """Docker or podman, on their socket."""

    def __init__(self, client: docker.DockerClient, network: str | None) -> None:
        self.client = client
        self.network = network
        """The network for builds and containers, if the engine has no default one."""

    @classmethod
    def connect(cls, host: str, network: str | None = None) -> Self:
        """Connect to the engine at this address."""
        return cls(docker.DockerClient(base_url=host, timeout=SILENCE_SECONDS), network)

    @property
    def origin(self) -> str:
        """The name, version and address of the engine."""
        version = self.client.version()
        parts = (str(part["Name"]) for part in version.get("Components", ()))
        name = next((part for part in parts if "odman" in part), "Docker")
        return f"{name} {version['Version']} at {self.client.api.base_url}"

    def has(self, image: str) -> bool:
        """Return whether an image is present."""
        return self._image(image) is not None

    def label(self, image: str, name: str) -> str | None:
        """Return a label of an image, or None if either is missing."""
        found = self._image(image)
        return found.labels.get(name) if found else None

    def pull(self, image: str) -> None:
        """Pull an image from its registry."""
        repository, _, tag = image.rpartition(":")
        with _map_errors(f"{image} could not be fetched"):
            self.client.api.pull(repository, tag=tag)
            if not self.has(image):
                raise PlatformError(f"{image} could not be fetched: the engine gives no reason.")

    def build(
        self,
        dockerfile: str,
        context: Path,
        tags: Sequence[str],
        arguments: Mapping[str, str] | None = None,
    ) -> None:
        """Build an image from the text of a Dockerfile and a folder, and tag it."""
        proxies = {name: os.environ[name] for name in PROXIES if os.environ.get(name)}
        first, *others = tags
        # The client names a Dockerfile outside the context in a way that podman does not accept.
        # Its types do not declare what this function takes.
        sent = cast(Any, context_archive)(
            str(context), _ignored(context), dockerfile=(SENT_AS, dockerfile)
        )
        with sent, _map_errors(f"{first} could not be built"):
            lines = self.client.api.build(
                fileobj=sent,
                custom_context=True,
                dockerfile=SENT_AS,
                tag=first,
                buildargs={**proxies, **(arguments or {})},
                network_mode=self.network,
                rm=True,
                forcerm=True,
                decode=True,
            )
            _follow(lines, Meter(first), f"{first} could not be built")
            for other in others:
                repository, _, version = other.rpartition(":")
                self.client.images.get(first).tag(repository, version)

    def save(self, image: str, archive: Path) -> None:
        """Save an image as a tar file that other engines and containerd can load."""
        draft = archive.with_name(f"{archive.name}.draft")
        with _map_errors(f"{image} could not be saved"), draft.open("wb") as file:
            # The client's timeout applies to the engine's silence, not to the whole transfer.
            for chunk in self.client.api.get_image(image):
                file.write(chunk)
        draft.replace(archive)

    def close(self) -> None:
        """Close the connections to the engine."""
        self.client.close()

    def remove_old(self) -> None:
        """Remove the remains of old builds."""
        self.client.images.prune({"dangling": True, "until": KEPT})

    def _image(self, image: str) -> Any:
        try:
            return self.client.images.get(image)
        except ImageNotFound:
            return None


def _ignored(context: Path) -> list[str]:
    """Return the patterns of files that are not sent to the engine."""
    ignore = context / ".dockerignore"
    lines = ignore.read_text(encoding="utf-8").splitlines() if ignore.exists() else []
    return [line for line in lines if line.strip() and not line.startswith("#")]


def _follow(lines: Iterator[dict[str, Any]], meter: Meter, failure: str) -> None:
    """Show the progress of a build; raise PlatformError with its last lines if it fails."""
    last: list[str] = []
    for line in lines:
        text = str(line.get("stream") or line.get("error") or "").strip()
        if text:
            last = [*last[-TAIL_LINES:], text]
        if text.lower().startswith("step "):
            meter.show(text.split(" : ")[0].split(":")[0].lower())
        if "error" in line:
            raise PlatformError(f"{failure}:\n  " + "\n  ".join(last))
    meter.done("ready")


@contextmanager
def _map_errors(failure: str) -> Iterator[None]:
    """Turn the client's errors into PlatformError."""
    try:
        yield
    except (DockerException, RequestException) as error:
        raise PlatformError(f"{failure}: {error}") from error
