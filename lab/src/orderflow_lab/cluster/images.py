"""The images that the cluster itself needs, made from the built programs."""

import shutil
from pathlib import Path
from typing import Final

from orderflow_lab.cluster.image_archive import ProgramImage, write_archive
from orderflow_lab.cluster.processes import Processes
from orderflow_lab.cluster.programs import COREDNS_VERSION, DAPR, Programs
from orderflow_lab.cluster.worker import PAUSE_IMAGE, SOCKET
from orderflow_tools.toolchain.dapr import RUNTIME_VERSION

CTR: Final = ("ctr", "-a", SOCKET, "-n", "k8s.io")
IMPORT: Final = (*CTR, "images", "import", "-")
COREDNS_IMAGE: Final = f"registry.k8s.io/coredns/coredns:v{COREDNS_VERSION}"


def own_images(programs: Programs) -> list[ProgramImage]:
    """Return the images under the names that manifests and charts use."""
    dapr = {target.name: programs.dapr / target.name for target in DAPR}
    dapr["daprd"] = programs.daprd
    return [
        ProgramImage(PAUSE_IMAGE, programs.node / "pause", "pause"),
        ProgramImage(COREDNS_IMAGE, programs.node / "coredns", "coredns"),
        *(
            ProgramImage(f"ghcr.io/dapr/{name}:{RUNTIME_VERSION}", program, name)
            for name, program in dapr.items()
        ),
    ]


def load_own(processes: Processes, programs: Programs) -> None:
    """Load the images that the cluster itself needs into the node."""
    images = own_images(programs)
    processes.feed(IMPORT, lambda pipe: write_archive(images, pipe))


def load(processes: Processes, archive: Path) -> None:
    """Load the images of an archive, as `docker save` writes it, into the node."""
    with archive.open("rb") as file:
        processes.feed(IMPORT, lambda pipe: shutil.copyfileobj(file, pipe, 1 << 20))


def names(processes: Processes) -> list[str]:
    """Return the names of the images in the node."""
    listed = processes.run([*CTR, "images", "list", "-q"])
    return sorted(name for name in listed.split() if not name.startswith("sha256:"))
