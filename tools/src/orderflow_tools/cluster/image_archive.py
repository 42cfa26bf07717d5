"""Images of one program each, written as an archive that containerd loads: no engine is needed."""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

USER: Final = 65532
"""The user of Dapr's own images, and of others that have nothing but their program."""
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class ProgramImage:
    """An image that holds one static program, at the root, and starts it."""

    reference: str
    program: Path
    name: str


def write_archive(images: Iterable[ProgramImage], path: Path) -> None:
    """Write images into one tar file, as `docker save` does."""
    manifest = []
    with tarfile.open(path, "w") as archive:
        for image in images:
            layer = path.with_name(f"{path.name}.layer")
            digest = _write_layer(image, layer)
            archive.add(layer, f"{digest}/layer.tar")
            layer.unlink()
            configuration = json.dumps(_configuration(image, digest)).encode()
            name = f"{hashlib.sha256(configuration).hexdigest()}.json"
            _add(archive, name, configuration)
            manifest.append(
                {"Config": name, "RepoTags": [image.reference], "Layers": [f"{digest}/layer.tar"]}
            )
        _add(archive, "manifest.json", json.dumps(manifest).encode())


def _write_layer(image: ProgramImage, path: Path) -> str:
    """Write a layer and return its SHA-256; equal programs make equal layers."""
    with tarfile.open(path, "w") as layer:
        folder = tarfile.TarInfo("tmp")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
        layer.addfile(folder)
        program = tarfile.TarInfo(image.name)
        program.size, program.mode = image.program.stat().st_size, 0o755
        with image.program.open("rb") as file:
            layer.addfile(program, file)
        _add(layer, "etc/passwd", f"nonroot:x:{USER}:{USER}::/tmp:/sbin/nologin\n".encode())
        _add(layer, "etc/group", f"nonroot:x:{USER}:\n".encode())
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _configuration(image: ProgramImage, digest: str) -> dict[str, object]:
    machine = platform.machine()
    return {
        "architecture": _ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "config": {"User": f"{USER}:{USER}", "Cmd": [f"/{image.name}"], "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o644
    archive.addfile(member, io.BytesIO(data))
