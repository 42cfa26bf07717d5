"""Sets up the tests' cluster, and saves its logs after a failure."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cluster.pods import NAMESPACE
from orderflow_lab.cluster.cluster import Cluster
from orderflow_lab.cluster.services import load_services
from orderflow_tools.console import print_line, step
from orderflow_tools.deployment.client import Client
from orderflow_tools.deployment.deploy import deploy
from orderflow_tools.errors import PlatformError
from orderflow_tools.settings import Settings, find_checkout

NAMESPACE_FILE: Final = find_checkout() / "deploy" / "base" / "namespace.yaml"
VISITOR: Final = Path(__file__).parent / "visitor"


def settings() -> Settings:
    """Return the settings of the tests' own cluster, apart from the developer's."""
    return Settings.isolated(find_checkout() / ".orderflow" / "test")


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Provide the developer's own cluster, with the tests' own pods during the block."""
    cluster = Cluster(Settings.from_environment())
    if not cluster.ready:
        raise PlatformError("No cluster is running: `make cluster-up deploy-local` starts one.")
    _admit_visitor(cluster.client)
    try:
        yield cluster
    finally:
        cluster.kubectl("delete", "--ignore-not-found", "-k", VISITOR)


def set_up(cluster: Cluster) -> None:
    """Deploy as `make deploy-local` does, and add the tests' own pods."""
    load_services(cluster, step=step)
    deploy(find_checkout(), cluster.client, step=step)
    with step("the tests' own pods"):
        _admit_visitor(cluster.client)


def save_logs(cluster: Cluster) -> None:
    """Write the logs and events of the pods to the folder of the cluster's logs."""
    folder = cluster.layout.logs / "pods"
    folder.mkdir(parents=True, exist_ok=True)
    client = cluster.client
    wide = ("get", "pods,events", "-A", "-o", "wide")
    (folder / "overview.txt").write_text(client.run(*wide))
    for pod in client.run("get", "pods", "-n", NAMESPACE, "-o", "name").split():
        for run in ((), ("--previous",)):
            _save(client, folder / f"{pod.partition('/')[2]}{''.join(run)}.log", pod, *run)
    print_line(f"The logs of the pods are in {folder}.")


def _save(client: Client, path: Path, pod: str, *options: str) -> None:
    arguments = ("logs", "-n", NAMESPACE, pod, "--all-containers", "--prefix", "--timestamps")
    try:
        path.write_text(client.run(*arguments, *options))
    except PlatformError:  # it has no previous run, or has not started
        return


def _admit_visitor(client: Client) -> None:
    client.run("apply", "-k", VISITOR)
    client.run("rollout", "status", "-n", NAMESPACE, "deployment/visitor", "--timeout=120s")
    client.run("wait", "-n", NAMESPACE, "pod/plain", "--for=condition=Ready", "--timeout=120s")
