"""A client of a cluster's API server, by kubectl."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from orderflow_tools.errors import PlatformError
from orderflow_tools.proxies import bypassing

REQUEST_TIMEOUT: Final = "--request-timeout=3s"


@dataclass(frozen=True)
class Client:
    """kubectl with a given kubeconfig, or without one with the user's own."""

    program: Path
    kubeconfig: Path | None = None

    def run(self, *arguments: str | Path, data: str | None = None) -> str:
        """Run kubectl with `data` as its input, and return its output.

        Raises PlatformError with kubectl's message if it fails.
        """
        outcome = self._run(*arguments, data=data)
        if outcome.returncode:
            command = " ".join(map(str, arguments))
            raise PlatformError(f"kubectl {command} failed:\n{outcome.stderr.strip()}")
        return outcome.stdout

    def answers(self) -> bool:
        """Return whether the API server is ready."""
        return self._run("get", "--raw=/readyz", REQUEST_TIMEOUT).returncode == 0

    def node_is_ready(self) -> bool:
        """Return whether the cluster has a node that accepts pods."""
        path = "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}"
        outcome = self._run("get", "nodes", "-o", path, REQUEST_TIMEOUT)
        return outcome.stdout.split() == ["True"]

    def environment(self) -> dict[str, str]:
        """Return the environment for a client program of this cluster."""
        if self.kubeconfig is None:
            return dict(os.environ)
        return {**without_proxy(self.kubeconfig, os.environ), "KUBECONFIG": str(self.kubeconfig)}

    def _run(
        self, *arguments: str | Path, data: str | None = None
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [self.program, *arguments],
            env=self.environment(),
            stdin=None if data is not None else subprocess.DEVNULL,
            input=data,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )


def without_proxy(kubeconfig: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which a kubeconfig's server is reached without a proxy."""
    if not kubeconfig.exists():
        return dict(environment)
    server = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    host = server.partition("://")[2].rpartition(":")[0]
    return bypassing(environment, [host])
