"""Installs Dapr's control plane in a cluster, from its own chart."""

import subprocess
from pathlib import Path
from typing import Final

from orderflow_lab.cluster.programs import Programs, dapr_chart
from orderflow_tools.deployment.client import Client
from orderflow_tools.errors import PlatformError

NAMESPACE: Final = "dapr-system"
VALUES: Final = Path("deploy/dapr/values-local.yaml")
TIMEOUT: Final = 240


def install(root: Path, programs: Programs, client: Client, home: Path) -> None:
    """Install Dapr and return when all of it is ready."""
    outcome = subprocess.run(
        [
            *(programs.node / "helm", "upgrade", "--install", "dapr", dapr_chart(root)),
            *("--namespace", NAMESPACE, "--create-namespace"),
            *("--values", root / VALUES),
            *("--wait", "--timeout", f"{TIMEOUT}s"),
        ],
        env={**client.environment(), **_homes(home)},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if outcome.returncode:
        raise PlatformError(f"Dapr could not be installed:\n{outcome.stderr.strip()}")


def _homes(folder: Path) -> dict[str, str]:
    """Return the variables that put helm's files into the cluster's folder, not the user's."""
    names = ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")
    return {name: str(folder / "helm") for name in names}
