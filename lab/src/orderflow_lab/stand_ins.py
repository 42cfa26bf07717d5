"""Stand-ins for base images, made of Debian's packages, where no registry can be reached.

A stand-in has the name of what it stands for, so that Dockerfiles and manifests stay as they are,
and a label by which it can be told. It has the same Debian, the same version of its program up to
the patch, the same user and the same paths as far as they are used here. It is not the upstream
image: what runs on it says nothing about the rest of that one.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from orderflow_tools.console import Meter, say
from orderflow_tools.containers.engines import Engine
from orderflow_tools.debian import install, is_root_on_debian
from orderflow_tools.errors import PlatformError
from orderflow_tools.settings import find_checkout
from orderflow_tools.toolchain.go_build import cache_folder

PYTHON: Final = "docker.io/library/python:3.11-slim-bookworm"
REDIS: Final = "docker.io/library/redis:7.0-bookworm"
POSTGRES: Final = "docker.io/library/postgres:15-bookworm"
FOLDERS: Final = {PYTHON: "python", REDIS: "redis", POSTGRES: "postgres"}
"""Each image for which there is a stand-in, and its folder in tools/stand-ins."""

BASE: Final = "docker.io/orderflow/stand-in-base:bookworm"
LABEL: Final = "orderflow.stand-in"
"""Names, on each stand-in, what it was made from: an image without it is a real one."""
AUTHORITIES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
LEFT_OUT: Final = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*")
BASE_COMMAND: Final = (
    *("mmdebstrap", "--quiet", "--variant=minbase"),
    *(f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT),
    "bookworm",
)
MIRROR: Final = "http://deb.debian.org/debian"


def provide(engine: Engine, images: Sequence[str]) -> list[str]:
    """See to it that these images are here: pulled, or stood in for; return those stood in for."""
    return [image for image in images if _provide(engine, image)]


def stand_in_key(folder: Path, authorities: bytes) -> str:
    """Return a name for what a stand-in is made from."""
    digest = hashlib.sha256(repr((BASE_COMMAND, MIRROR)).encode() + authorities)
    for path in sorted(folder.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _provide(engine: Engine, image: str) -> bool:
    """Provide one image, and tell whether it is a stand-in."""
    folder = find_checkout() / "lab" / "stand-ins" / FOLDERS[image]
    key = stand_in_key(folder, _authorities())
    if engine.has(image):
        label = engine.label(image, LABEL)
        if label in (None, key):
            return label is not None
    try:
        say(f"Fetching {image}")
        engine.pull(image)
    except PlatformError as error:
        if not is_root_on_debian():
            raise PlatformError(
                f"{error}\nWithout a registry, only root on Debian or its like can go on."
            ) from error
        say(f"No registry gives it. A stand-in is built of Debian's packages: {image}")
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
    """Make the system that all stand-ins begin with; its archive is kept for other engines."""
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
    meter = Meter("Debian bookworm, its smallest system")
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
    """Return whom this machine trusts, for programs that look into a stand-in's own file."""
    return AUTHORITIES.read_bytes() if AUTHORITIES.exists() else b""
