"""Buildah, which builds images without a socket."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from orderflow_tools.errors import PlatformError
from orderflow_tools.programs import run_to_end

TAIL_LINES: Final = 25


class BuildahEngine:
    """The installed buildah, which builds, pulls and saves images but runs no containers."""

    @property
    def origin(self) -> str:
        """The name and version of the engine."""
        return _buildah("--version").strip()

    def has(self, image: str) -> bool:
        """Return whether an image is present."""
        return bool(_buildah("images", "--quiet", "--filter", f"reference={image}").strip())

    def label(self, image: str, name: str) -> str | None:
        """Return a label of an image, or None if either is missing."""
        if not self.has(image):
            return None
        template = f'{{{{index .OCIv1.Config.Labels "{name}"}}}}'
        value = _buildah("inspect", "--type", "image", "--format", template, image)
        return value.strip() or None

    def pull(self, image: str) -> None:
        """Pull an image from its registry."""
        _buildah("pull", "--quiet", image)

    def build(
        self,
        dockerfile: str,
        context: Path,
        tags: Sequence[str],
        arguments: Mapping[str, str] | None = None,
    ) -> None:
        """Build an image from the text of a Dockerfile and a folder, and tag it."""
        given = [f"--build-arg={name}={value}" for name, value in (arguments or {}).items()]
        names = [f"--tag={tag}" for tag in tags]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "Dockerfile"
            path.write_text(dockerfile)
            # Without this option, buildah does not cache layers.
            _buildah("build", "--layers", f"--file={path}", *given, *names, str(context))

    def save(self, image: str, archive: Path) -> None:
        """Save an image as a tar file that other engines and containerd can load."""
        archive.unlink(missing_ok=True)
        _buildah("push", "--quiet", image, f"docker-archive:{archive}:{image}")


def _buildah(*arguments: str) -> str:
    outcome = run_to_end(["buildah", *arguments])
    if outcome.returncode:
        last = "\n  ".join(outcome.stdout.splitlines()[-TAIL_LINES:])
        raise PlatformError(f"buildah {arguments[0]} failed:\n  {last}")
    return outcome.stdout
