"""Writes images of one program each as an archive for containerd, without an engine."""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

USER: Final = 65532
"""The user of Dapr's own images, and of similar images without a system."""
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class ProgramImage:
    """An image that contains one static program, at the root, and starts it."""

    reference: str
    program: Path
    name: str


class _Joined:
    """Reads several files as one, and computes their digest."""

    def __init__(self, pieces: list[BinaryIO]) -> None:
        self._pieces = pieces
        self.digest = hashlib.sha256()

    def read(self, count: int) -> bytes:
        """Return this many bytes, or all that are left."""
        data = bytearray()
        while self._pieces and len(data) < count:
            piece = self._pieces[0].read(count - len(data))
            data += piece
            if not piece:
                self._pieces.pop(0)
        self.digest.update(data)
        return bytes(data)


def write_archive(images: Iterable[ProgramImage], file: BinaryIO) -> None:
    """Write images as one tar file, as `docker save` does; the file may be a pipe."""
    manifest = []
    with tarfile.open(fileobj=file, mode="w|") as archive:
        for number, image in enumerate(images):
            name = f"{number}/layer.tar"
            configuration = json.dumps(_configuration(image, _add_layer(archive, name, image)))
            own_name = f"{hashlib.sha256(configuration.encode()).hexdigest()}.json"
            archive.addfile(*_member(own_name, configuration.encode()))
            manifest.append({"Config": own_name, "RepoTags": [image.reference], "Layers": [name]})
        archive.addfile(*_member("manifest.json", json.dumps(manifest).encode()))


def _add_layer(archive: tarfile.TarFile, name: str, image: ProgramImage) -> str:
    """Add a layer, itself a tar file, without copying the program; return its SHA-256."""
    before = io.BytesIO()
    with tarfile.open(fileobj=before, mode="w") as layer:
        folder = tarfile.TarInfo("tmp")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
        layer.addfile(folder)
        layer.addfile(
            *_member("etc/passwd", f"nonroot:x:{USER}:{USER}::/tmp:/bin/false\n".encode())
        )
        layer.addfile(*_member("etc/group", f"nonroot:x:{USER}:\n".encode()))
        end = layer.offset
    program = tarfile.TarInfo(image.name)
    program.size, program.mode = image.program.stat().st_size, 0o755
    start = before.getvalue()[:end] + program.tobuf()
    rest = bytes(-program.size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)
    whole = tarfile.TarInfo(name)
    whole.size = len(start) + program.size + len(rest)
    with image.program.open("rb") as file:
        content = _Joined([io.BytesIO(start), file, io.BytesIO(rest)])
        archive.addfile(whole, cast(BinaryIO, content))
    return content.digest.hexdigest()


def _configuration(image: ProgramImage, digest: str) -> dict[str, object]:
    machine = platform.machine()
    return {
        "architecture": _ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "config": {"User": f"{USER}:{USER}", "Cmd": [f"/{image.name}"], "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }


def _member(name: str, data: bytes) -> tuple[tarfile.TarInfo, BinaryIO]:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o644
    return member, io.BytesIO(data)
