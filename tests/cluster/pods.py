"""The pods of the services: finding, calling, killing and waiting for them."""

import json
import os
import signal
from pathlib import Path
from typing import Any, Final

from orderflow_tools.deployment.client import Client
from system.storefront import wait_for

NAMESPACE: Final = "orderflow"
SIDECAR: Final = "daprd"

Pod = dict[str, Any]


class Pods:
    """The pods of one namespace of a cluster whose node runs on this machine."""

    def __init__(self, client: Client, namespace: str = NAMESPACE) -> None:
        self._client = client
        self._namespace = namespace

    def of(self, app: str) -> list[Pod]:
        """Return the pods of an application that are not being deleted."""
        label = "app" if app.startswith("dapr-") else "app.kubernetes.io/name"
        output = self._run("get", "pods", "-l", f"{label}={app}", "-o", "json")
        found: list[Pod] = json.loads(output)["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def name(self, app: str) -> str:
        """Return the name of a pod of an application that is ready."""
        return str(self._a_ready_one(app)["metadata"]["name"])

    def address(self, app: str) -> str:
        """Return the address of a pod of an application that is ready."""
        return str(self._a_ready_one(app)["status"]["podIP"])

    def execute(self, app: str, *command: str, data: str = "") -> str:
        """Run a command in the application container of a pod, and return its output."""
        return self._run("exec", "-i", self.name(app), "-c", "app", "--", *command, data=data)

    def victim(self, app: str) -> Pod:
        """Choose a ready pod of an application, to be killed later."""
        return self._a_ready_one(app)

    def kill(self, pod: Pod) -> None:
        """Kill all containers of a pod without warning, and let another pod take its place.

        The pod is marked for deletion before its processes die: otherwise the kubelet would restart
        its containers beside the successor's, two stores would write the same volume, and writes
        acknowledged by the old one would be lost. Until it is marked, it is frozen.
        """
        running = [each for each in _containers(pod) if "running" in each["state"]]
        containers = [each["containerID"] for each in running]
        for container in containers:
            _signal(container, signal.SIGSTOP)
        name = pod["metadata"]["name"]
        self._run("delete", "pod", name, "--wait=false")
        for container in containers:
            _signal(container, signal.SIGKILL)

    def kill_container(self, pod: Pod, container: str) -> None:
        """Kill one container of a pod, and wait until the kubelet has restarted it."""
        app = pod["metadata"]["labels"]["app.kubernetes.io/name"]
        former = _container(pod, container)
        _signal(former["containerID"], signal.SIGKILL)

        def another_runs() -> bool:
            return any(
                _container(each, container)["restartCount"] > former["restartCount"]
                for each in self.of(app)
                if each["metadata"]["uid"] == pod["metadata"]["uid"]
            )

        wait_for(f"{container} of {app} to be started again", another_runs)

    def wait_ready(self, app: str, count: int = 1, timeout: float = 120) -> None:
        """Wait until as many pods of an application are ready, and there are no others."""

        def all_ready() -> bool:
            pods = self.of(app)
            return len(pods) == count and all(is_ready(pod) for pod in pods)

        wait_for(f"{count} pods of {app} to be ready", all_ready, timeout)

    def _a_ready_one(self, app: str) -> Pod:
        def look() -> Pod | None:
            return next((pod for pod in self.of(app) if is_ready(pod)), None)

        return wait_for(f"a pod of {app} to be ready", look, 120)

    def _run(self, *arguments: str, data: str | None = None) -> str:
        return self._client.run("-n", self._namespace, *arguments, data=data)


def is_ready(pod: Pod) -> bool:
    """Return whether all containers of a pod are ready."""
    conditions = pod["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _containers(pod: Pod) -> list[dict[str, Any]]:
    status = pod["status"]
    return [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]


def _container(pod: Pod, name: str) -> dict[str, Any]:
    (found,) = (each for each in _containers(pod) if each["name"] == name)
    return found


def _signal(container_id: str, number: signal.Signals) -> None:
    """Send a signal to all processes of a container, which are processes of this machine."""
    pids = processes_of(container_id.rpartition("/")[2])
    assert pids, f"no process of {container_id} is found"
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def processes_of(container_id: str) -> list[int]:
    """Return the processes whose control group is named after a container."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cgroup"):
        try:
            if container_id in path.read_text():
                found.append(int(path.parent.name))
        except OSError:  # it has ended
            continue
    return found
