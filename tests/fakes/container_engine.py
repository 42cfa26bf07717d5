"""A container engine that builds nothing."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from orderflow_lab.stand_ins import LABEL
from orderflow_tools.errors import PlatformError


class FakeEngine:
    """An engine that has what it is given, and fetches what its registry has."""

    origin = "a fake"

    def __init__(self, *, here: Mapping[str, str | None], registry: Sequence[str] = ()) -> None:
        self.here = dict(here)
        self.registry = registry
        self.built: list[tuple[list[str], dict[str, str]]] = []
        self.pulled: list[str] = []

    def has(self, image: str) -> bool:
        return image in self.here

    def label(self, image: str, name: str) -> str | None:
        assert name == LABEL
        return self.here[image]

    def pull(self, image: str) -> None:
        self.pulled.append(image)
        if image not in self.registry:
            raise PlatformError(f"{image} could not be fetched: no such host")
        self.here[image] = None

    def build(
        self,
        dockerfile: str,
        context: Path,
        tags: Sequence[str],
        arguments: Mapping[str, str] | None = None,
    ) -> None:
        assert context.is_dir()
        assert dockerfile.startswith("#")
        self.built.append((list(tags), dict(arguments or {})))

    def save(self, image: str, archive: Path) -> None:
        archive.write_text(image)
