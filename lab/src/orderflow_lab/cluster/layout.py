"""Where a cluster stores its files, and where the node sees them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orderflow_tools.errors import PlatformError
from orderflow_tools.settings import Settings
from orderflow_tools.toolchain.cache import cache_folder

NODE_HOME: Final = Path("/run/orderflow")
"""Where the node sees the cluster's folder: a short path, as sockets require."""
NODE_PROGRAMS: Final = Path("/run/orderflow-programs")
"""Where the node sees the built programs."""


@dataclass(frozen=True)
class Layout:
    """The folders of one cluster. `inside` means that its processes run in a node."""

    root: Path
    home: Path
    cache: Path
    inside: bool = True

    @classmethod
    def of(cls, settings: Settings, *, inside: bool = True) -> "Layout":
        """Return the folders of the cluster, or of the API server alone, below a run's folder."""
        name = "cluster" if inside else "cluster-api"
        return cls(settings.root, settings.home / name, cache_folder(), inside)

    @property
    def logs(self) -> Path:
        """The logs, one for each process; they stay when the cluster is removed."""
        return self.home / "logs"

    @property
    def data(self) -> Path:
        """Everything else that the cluster writes; it is removed with the cluster."""
        return self.home / "data"

    @property
    def certificates(self) -> Path:
        """The authority, and each part's certificate and key."""
        return self.data / "certificates"

    @property
    def configuration(self) -> Path:
        """Files that are generated for the parts."""
        return self.data / "configuration"

    @property
    def volumes(self) -> Path:
        """The folders behind persistent volumes."""
        return self.data / "volumes"

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of the cluster's administrator."""
        return self.home / "kubeconfig"

    def seen(self, path: Path) -> Path:
        """Return where the cluster's processes see a path of the machine."""
        if not self.inside:
            return path
        for base, seen_as in ((self.home, NODE_HOME), (self.cache, NODE_PROGRAMS)):
            if path.is_relative_to(base):
                return seen_as / path.relative_to(base)
        raise PlatformError(f"The cluster's node does not see {path}.")

    @property
    def complete(self) -> Path:
        """A file that exists if the cluster was brought up completely."""
        return self.data / "complete"
