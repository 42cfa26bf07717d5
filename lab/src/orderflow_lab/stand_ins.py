"""Stand-ins for base images, made of Debian packages, where no registry can be reached.

A stand-in has the name of the image that it replaces, so that Dockerfiles and manifests stay the
same, and a label that identifies it. It has the same Debian release, the same version of its
program except for the patch, and the same user and paths as far as they are used here. It proves
nothing about the rest of the upstream image.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from orderflow_tools.console import Meter, print_line
from orderflow_tools.containers.engines import Engine
from orderflow_tools.debian import install, is_root_on_debian
from orderflow_tools.errors import PlatformError
from orderflow_tools.settings import find_checkout
from orderflow_tools.toolchain.cache import cache_folder

PYTHON: Final = "docker.io/library/python:3.11-slim-bookworm"
REDIS: Final = "docker.io/library/redis:7.0-bookworm"
POSTGRES: Final = "docker.io/library/postgres:15-bookworm"
FOLDERS: Final = {PYTHON: "python", REDIS: "redis", POSTGRES: "postgres"}
"""The images that have a stand-in, with their folders in lab/stand-ins."""

BASE: Final = "docker.io/orderflow/stand-in-base:bookworm"
LABEL: Final = "orderflow.stand-in"
"""The label of each stand-in: a digest of its sources. A real image has no such label."""
AUTHORITIES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
LEFT_OUT: Final = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*")
BASE_COMMAND: Final = (
    *("mmdebstrap", "--quiet", "--variant=minbase"),
    *(f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT),
    "bookworm",
)
MIRROR: Final = "http://deb.debian.org/debian"


def provide(engine: Engine, images: Sequence[str]) -> list[str]:
    """Pull these images, or build stand-ins for them; return the images with a stand-in."""
    return [image for image in images if _provide(engine, image)]


def stand_in_key(folder: Path, authorities: bytes) -> str:
    """Return a digest of the sources of a stand-in."""
    digest = hashlib.sha256(repr((BASE_COMMAND, MIRROR)).encode() + authorities)
    for path in sorted(folder.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _provide(engine: Engine, image: str) -> bool:
    """Provide one image, and return whether it is a stand-in."""
    folder = find_checkout() / "lab" / "stand-ins" / FOLDERS[image]
    key = stand_in_key(folder, _authorities())
    if engine.has(image):
        label = engine.label(image, LABEL)
        if label in (None, key):
            return label is not None
    try:
        print_line(f"Fetching {image}")
        engine.pull(image)
    except PlatformError as error:
        if not is_root_on_debian():
            raise PlatformError(
                f"{error}\nWithout a registry, this needs root on Debian or one of its derivatives."
            ) from error
        print_line(f"It cannot be pulled. Building a stand-in from Debian packages: {image}")
        _build(engine, image, folder, key)
        return True
    return False


def _build(engine: Engine, image: str, folder: Path, key: str) -> None:
    _provide_base(engine)
    with tempfile.TemporaryDirectory() as name:
        context = Path(name) / "context"
        shutil.copytree(folder, context)
        (context / AUTHORITIES.name).write_bytes(_authorities())
        dockerfile = (folder / "Dockerfile").read_text(
            encoding="utf-8"
        ) + f'LABEL {LABEL}="{key}"\n'
        engine.build(dockerfile, context, [image])


def _provide_base(engine: Engine) -> None:
    """Build the base of all stand-ins; its archive is saved for other engines."""
    if engine.has(BASE):
        return
    key = hashlib.sha256(repr((BASE_COMMAND, MIRROR)).encode()).hexdigest()[:16]
    archive = cache_folder() / "stand-ins" / f"base-{key}.tar"
    if not archive.exists():
        archive.parent.mkdir(parents=True, exist_ok=True)
        _bootstrap(archive)
    engine.build(f"FROM scratch\nADD {archive.name} /\n", archive.parent, [BASE])


def _bootstrap(archive: Path) -> None:
    if not shutil.which("mmdebstrap"):
        install("mmdebstrap", "debian-archive-keyring")
    meter = Meter("minimal Debian bookworm")
    draft = archive.with_name(f"{os.getpid()}.{archive.name}")
    outcome = subprocess.run(
        [*BASE_COMMAND, draft, MIRROR],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if outcome.returncode:
        draft.unlink(missing_ok=True)
        raise PlatformError(f"mmdebstrap failed:\n{outcome.stderr[-2000:]}")
    draft.replace(archive)
    meter.done("ready")


def _authorities() -> bytes:
    """Return the certificate authorities that this machine trusts, for use in a stand-in."""
    return AUTHORITIES.read_bytes() if AUTHORITIES.exists() else b""
