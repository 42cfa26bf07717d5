"""The same workflows managed through the sidecar's HTTP API and the Dapr CLI."""

import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from orderflow_tools.platform import Platform
from orderflow_tools.supervision.processes import SIDECARS
from system.shop import Shop, wait_for
from system.workflows import COUNTER, HELLO, Workflows, expect, new_suffix

CLI_ETCD_PORT = 2379
"""The port at which `dapr workflow purge` expects the scheduler's etcd in every run."""


# The sidecar's own API

VERSIONS = ["v1.0", "v1.0-alpha1"]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_sidecars_api_manages_workflows(workflows: Workflows, version: str) -> None:
    """Start, read, pause, resume, raise and purge, as in Dapr's documentation."""
    base = f"{workflows.platform.sidecar_url('orders')}/{version}/workflows/dapr"
    http, instance_id = workflows.shop.http, f"direct-{new_suffix()}"

    def post(path: str, body: Any = None, **params: str) -> httpx.Response:
        return http.post(f"{base}/{path}", params=params, json=body, timeout=30)

    def until(status: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            # Reading an instance while it is written is a temporary error.
            response = http.get(f"{base}/{instance_id}")
            found = response.json()
            return found if response.is_success and found["runtimeStatus"] == status else None

        return wait_for(f"{instance_id} to be {status}", look)

    started = post(f"{HELLO}/start", "Ann", instanceID=instance_id)
    assert (started.status_code, started.json()["instanceID"]) == (202, instance_id)
    assert until("RUNNING")["workflowName"] == HELLO
    assert post(f"{instance_id}/pause").status_code == 202
    until("SUSPENDED")
    assert workflows.status(instance_id)["runtime_status"] == "SUSPENDED"
    assert post(f"{instance_id}/pause").status_code == 202
    assert post(f"{instance_id}/raiseEvent/approvalEvent", {"ok": True}).status_code == 202
    assert post(f"{instance_id}/resume").status_code == 202
    done = until("COMPLETED")
    output = json.loads(done["properties"]["dapr.workflow.output"])
    assert (output["initial_greeting"], output["event_data"]) == ("Hello, Ann!", {"ok": True})
    assert workflows.status(instance_id)["output"] == output
    assert post(f"{instance_id}/purge").status_code == 202
    assert http.get(f"{base}/{instance_id}").status_code == 404
    expect(workflows.get(f"/{instance_id}/status"), 404, "WORKFLOW_NOT_FOUND")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_termination_through_the_sidecar_is_seen_by_the_service(
    workflows: Workflows, version: str
) -> None:
    """The service reports the same end."""
    base = f"{workflows.platform.sidecar_url('orders')}/{version}/workflows/dapr"
    instance_id = workflows.start_counter()

    response = workflows.shop.http.post(f"{base}/{instance_id}/terminate")

    assert response.status_code == 202
    assert workflows.finished(instance_id)["runtime_status"] == "TERMINATED"


# The Dapr CLI


class DaprCli:
    """`dapr workflow` for one platform.

    The CLI takes the first sidecar of an application that it finds among all processes. So that a
    run beside this one is not taken, it is shown this platform's processes alone.
    """

    def __init__(self, platform: Platform, folder: Path) -> None:
        self._platform = platform
        self._folder = folder

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `dapr workflow …` for orders."""
        return subprocess.run(
            [str(self._platform.runtime.dapr), "workflow", *arguments, "--app-id", "orders"],
            env={**self._platform.environment(), "HOST_PROC": str(self._processes())},
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def done(self, *arguments: str) -> str:
        """Run it, and return its output; it must succeed."""
        outcome = self(*arguments)
        assert outcome.returncode == 0, outcome
        return outcome.stdout

    @property
    def store(self) -> str:
        """Where `list` finds the instances."""
        return f"redis://127.0.0.1:{self._platform.settings.ports.control.broker}"

    def _processes(self) -> Path:
        shown = self._folder / f"proc-{new_suffix()}"
        shown.mkdir()
        pids = [str(self._platform.pid(name)) for name in SIDECARS]
        for name in (*pids, "stat", "uptime", "meminfo"):
            (shown / name).symlink_to(f"/proc/{name}")
        return shown


@pytest.fixture
def dapr(workflows: Workflows, tmp_path: Path) -> DaprCli:
    return DaprCli(workflows.platform, tmp_path)


def listed(dapr: DaprCli) -> dict[str, dict[str, Any]]:
    text = dapr.done("list", "--connection-string", dapr.store, "--output", "json")
    return {entry["instanceID"]: entry for entry in json.loads(text)}


def test_the_dapr_cli_runs_lists_suspends_resumes_and_raises(
    workflows: Workflows, dapr: DaprCli
) -> None:
    """The commands are those of its reference, with the store named where it is needed."""
    instance_id = f"cli-{new_suffix()}"

    dapr.done("run", HELLO, "--instance-id", instance_id, "--input", "Ann")
    assert workflows.wait_for_status(instance_id, "RUNNING")["input"] == "Ann"
    assert listed(dapr)[instance_id]["name"] == HELLO
    dapr.done("suspend", instance_id)
    workflows.wait_for_status(instance_id, "SUSPENDED")
    assert listed(dapr)[instance_id]["runtimeStatus"] == "SUSPENDED"
    dapr.done("raise-event", f"{instance_id}/approvalEvent", "--input", '{"approved": true}')
    dapr.done("resume", instance_id)

    done = workflows.finished(instance_id)
    assert done["output"]["event_data"] == '{"approved": true}', "the CLI sends every input as text"
    assert listed(dapr)[instance_id]["runtimeStatus"] == "COMPLETED"


def test_the_dapr_cli_terminates_and_purges(workflows: Workflows, dapr: DaprCli) -> None:
    """A purge also removes the instance's reminders from the scheduler."""
    instance_id = f"cli-{new_suffix()}"
    dapr.done("run", COUNTER, "--instance-id", instance_id, "--input", "7")
    workflows.wait_until_count_exceeds(instance_id, 6)

    dapr.done("terminate", instance_id, "--output", "enough")
    ended = workflows.finished(instance_id)
    assert (ended["runtime_status"], ended["output"]) == ("TERMINATED", "enough")
    with etcd_on_the_clis_port(workflows.platform):
        dapr.done("purge", instance_id)

    expect(workflows.get(f"/{instance_id}/status"), 404, "WORKFLOW_NOT_FOUND")
    assert instance_id not in listed(dapr)


def test_the_dapr_cli_reports_an_unknown_instance(dapr: DaprCli) -> None:
    """Its exit code is not zero."""
    outcome = dapr("suspend", f"nobody-{new_suffix()}")

    assert outcome.returncode != 0
    assert "no such instance" in outcome.stdout + outcome.stderr


def test_an_order_terminated_by_the_dapr_cli_can_be_rolled_back(
    workflows: Workflows, dapr: DaprCli
) -> None:
    """The CLI knows nothing of orders; forcing its termination rolls the order back."""
    shop: Shop = workflows.shop
    shop.restock()
    order_id = shop.submit("cars", 4)
    shop.wait_status(order_id, "awaiting_approval")

    dapr.done("terminate", order_id)
    workflows.wait_for_status(order_id, "TERMINATED")
    expect(workflows.post(f"/{order_id}/terminate", force="true"), 202)

    order = shop.wait_final(order_id)
    assert (order["status"], order["reason"]) == ("cancelled", "terminated_by_operator")
    assert shop.stock("cars")["available"] == 100


@contextmanager
def etcd_on_the_clis_port(platform: Platform) -> Iterator[None]:
    """Forward the port that the CLI expects to this run's etcd.

    In a run on the default ports it is there. Where another run holds the port, its etcd serves as
    well: what the CLI deletes there has this instance's name.
    """
    with ExitStack() as stack:
        with suppress(OSError):
            listener = socket.create_server(("127.0.0.1", CLI_ETCD_PORT))
            stack.callback(listener.close)
            target = platform.settings.ports.control.scheduler_etcd_client
            threading.Thread(target=_accept, args=(listener, target), daemon=True).start()
        yield


def _accept(listener: socket.socket, target: int) -> None:
    with suppress(OSError):
        while True:
            near, _ = listener.accept()
            far = socket.create_connection(("127.0.0.1", target))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_copy, args=(source, sink), daemon=True).start()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError), source, sink:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_RDWR)
