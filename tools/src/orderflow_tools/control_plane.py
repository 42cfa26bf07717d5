"""Dapr's placement and scheduler, on loopback only, each with its own ports."""

from orderflow_tools.ports import LOOPBACK
from orderflow_tools.settings import Settings
from orderflow_tools.toolchain.dapr import Runtime


def placement_command(settings: Settings, runtime: Runtime) -> list[str]:
    """Return the command that starts placement, which tells sidecars where actors run."""
    ports = settings.ports.control
    return [
        str(runtime.placement),
        *_listening(ports.placement, ports.placement_health, ports.placement_metrics),
        *("--initial-cluster", f"dapr-placement-0={LOOPBACK}:{ports.placement_raft}"),
    ]


def scheduler_command(settings: Settings, runtime: Runtime) -> list[str]:
    """Return the command that starts the scheduler, which drives the workflows' reminders.

    The program that starts it adds the address that sidecars are told to connect to.
    """
    ports = settings.ports.control
    peer = f"dapr-scheduler-server-0=http://{LOOPBACK}:{ports.scheduler_etcd_peer}"
    return [
        *(settings.python, "-m", "orderflow_tools.scheduler"),
        *(str(ports.scheduler), str(ports.scheduler_etcd_client)),
        str(runtime.scheduler),
        *_listening(ports.scheduler, ports.scheduler_health, ports.scheduler_metrics),
        *("--etcd-data-dir", str(settings.data / "scheduler")),
        *("--etcd-initial-cluster", peer),
        *("--etcd-client-listen-address", LOOPBACK),
        *("--etcd-client-port", str(ports.scheduler_etcd_client)),
        *("--identity-directory-write", str(settings.run / "identity")),
    ]


def _listening(port: int, health: int, metrics: int) -> list[str]:
    return [
        *("--listen-address", LOOPBACK, "--port", str(port)),
        *("--healthz-listen-address", LOOPBACK, "--healthz-port", str(health)),
        *("--metrics-listen-address", LOOPBACK, "--metrics-port", str(metrics)),
    ]
