"""An engine that answers on a socket, in docker's way: docker itself, or podman."""

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
"""How long an engine may say nothing while it builds."""
START_SECONDS: Final = 30
KEPT: Final = "240h"
"""How long the project's own engine keeps what no image of now is made of."""
PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
"""Arguments that every build knows, and that never become a part of the image."""
TAIL_LINES: Final = 25
SENT_AS: Final = ".orderflow.Dockerfile"


class ApiEngine:
    """Docker or podman, on their socket."""

    def __init__(self, client: docker.DockerClient, network: str | None) -> None:
        self.client = client
        self.network = network
        """The network of builds and containers where the engine has none that is the usual one."""

    @classmethod
    def connect(cls, host: str, network: str | None = None) -> Self:
        """Take the engine that answers there."""
        return cls(docker.DockerClient(base_url=host, timeout=SILENCE_SECONDS), network)

    @property
    def origin(self) -> str:
        """Which engine it is, and where it answers."""
        version = self.client.version()
        parts = (str(part["Name"]) for part in version.get("Components", ()))
        name = next((part for part in parts if "odman" in part), "Docker")
        return f"{name} {version['Version']} at {self.client.api.base_url}"

    def has(self, image: str) -> bool:
        """Tell whether an image is here."""
        return self._image(image) is not None

    def label(self, image: str, name: str) -> str | None:
        """Return a label of an image that is here."""
        found = self._image(image)
        return found.labels.get(name) if found else None

    def pull(self, image: str) -> None:
        """Fetch an image from its registry."""
        repository, _, tag = image.rpartition(":")
        with _in_words(f"{image} could not be fetched"):
            self.client.api.pull(repository, tag=tag)
            if not self.has(image):
                raise PlatformError(f"{image} could not be fetched: the engine does not say why.")

    def build(
        self,
        dockerfile: str,
        context: Path,
        tags: Sequence[str],
        arguments: Mapping[str, str] | None = None,
    ) -> None:
        """Build an image from the text of a Dockerfile and a folder, and give it these names."""
        proxies = {name: os.environ[name] for name in PROXIES if os.environ.get(name)}
        first, *others = tags
        # The client would name a Dockerfile from elsewhere in a way that podman does not take.
        # Its types say less than it does.
        sent = cast(Any, context_archive)(
            str(context), _ignored(context), dockerfile=(SENT_AS, dockerfile)
        )
        with sent, _in_words(f"{first} could not be built"):
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
        """Write an image to a tar file that other engines, and containerd, can load."""
        draft = archive.with_name(f"{archive.name}.draft")
        with _in_words(f"{image} could not be saved"), draft.open("wb") as file:
            # A short timeout would be one for the engine's silence, not for the transfer.
            for chunk in self.client.api.get_image(image):
                file.write(chunk)
        draft.replace(archive)

    def close(self) -> None:
        """Close the connections to the engine."""
        self.client.close()

    def forget_old(self) -> None:
        """Remove what was left of builds of long ago."""
        self.client.images.prune({"dangling": True, "until": KEPT})

    def _image(self, image: str) -> Any:
        try:
            return self.client.images.get(image)
        except ImageNotFound:
            return None


def _ignored(context: Path) -> list[str]:
    """Return the patterns of what is not sent to the engine."""
    ignore = context / ".dockerignore"
    lines = ignore.read_text(encoding="utf-8").splitlines() if ignore.exists() else []
    return [line for line in lines if line.strip() and not line.startswith("#")]


def _follow(lines: Iterator[dict[str, Any]], meter: Meter, failure: str) -> None:
    """Show how far a build is; raise with its last lines where it fails."""
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
def _in_words(failure: str) -> Iterator[None]:
    """Turn what the client raises into words for a person."""
    try:
        yield
    except (DockerException, RequestException) as error:
        raise PlatformError(f"{failure}: {error}") from error
