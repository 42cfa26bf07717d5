"""A workaround is off above the version that it names, and on where the version is not known."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dapr.ext.workflow._durabletask import worker as sdk_worker

from orderflow_hosting.settings import ServiceSettings
from orderflow_hosting.sidecar import Sidecar
from orderflow_tools.settings import find_checkout
from orderflow_tools.toolchain.dapr import RUNTIME_VERSION
from orderflow_workflow_runtime.upstream import pausing, stalled_sidecar, torn_histories
from orderflow_workflow_runtime.upstream.versions import SDK_VERSION, Fault
from orderflow_workflow_runtime.worker import Worker

UPSTREAM = find_checkout() / "libraries/workflow_runtime/src/orderflow_workflow_runtime/upstream"


@pytest.mark.parametrize(
    "version", ["1.18.0", "1.18.1", "1.18.99", "v1.18.4", "1.17.9", "1.9.0", "0.99.0", "1.18"]
)
def test_the_named_version_and_earlier_ones_have_the_fault(version: str) -> None:
    """All patch releases count, because none is known to have the fix."""
    assert Fault("1.18").is_in(version)


@pytest.mark.parametrize("version", ["1.19.0", "1.19.0-rc.1", "v1.20.3", "2.0.0", "1.100.0"])
def test_later_versions_do_not(version: str) -> None:
    """Their fixes are announced, and the workarounds may do harm there."""
    assert not Fault("1.18").is_in(version)


@pytest.mark.parametrize("version", [None, "", "unknown", "edge", "nightly-2026-11-29", "1"])
def test_a_version_that_cannot_be_read_counts_as_tested(version: str | None) -> None:
    """It is most likely a build of the tested sources."""
    assert Fault("1.18").is_in(version)


def test_the_tested_versions_have_the_faults() -> None:
    """What is pinned needs its workarounds."""
    assert torn_histories.FAULT.is_in(RUNTIME_VERSION)
    assert stalled_sidecar.FAULT.is_in(RUNTIME_VERSION)
    assert pausing.FAULT.is_in(SDK_VERSION)


def sources() -> Iterator[Path]:
    """List each workaround: a module, or the first one of a package."""
    for path in sorted(UPSTREAM.iterdir()):
        if path.is_dir() and path.name != "__pycache__":
            yield path / "__init__.py"
        elif path.suffix == ".py" and path.stem not in {"__init__", "versions"}:
            yield path


@pytest.mark.parametrize(
    "source", list(sources()), ids=lambda path: path.parent.name + "." + path.stem
)
def test_each_workaround_says_what_it_does_above_its_version(source: Path) -> None:
    """It is off, by its `FAULT`, or says why it is harmless."""
    text = source.read_text(encoding="utf-8")

    above = re.search(r"^Above: (off|harmless)\. \w", text, re.MULTILINE)

    assert above
    assert (above[1] == "off") == ("FAULT: Final = Fault(" in text)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Start a worker whose sidecar has a version; return the worker, which has been stopped."""

    async def start(version: str) -> Worker:
        async def check() -> None:
            """Find the sidecar up."""

        async def found() -> str:
            return version

        settings = ServiceSettings.model_construct(
            dapr_host="127.0.0.1", dapr_grpc_port=1, dapr_http_port=1
        )
        async with Sidecar("orders", settings) as sidecar:
            monkeypatch.setattr(sidecar, "check", check)
            monkeypatch.setattr(sidecar, "version", found)
            worker = Worker(settings, sidecar, lambda _: None, workflows={}, activities={})
            monkeypatch.setattr(worker._runtime, "start", lambda: None)
            monkeypatch.setattr(worker._runtime, "shutdown", lambda: None)
            monkeypatch.setattr(worker, "_watch_thread", check)
            await worker.start()
            await worker.stop()
        return worker

    return start


@pytest.mark.parametrize(
    ("version", "on"), [("1.18.1", True), ("unknown", True), ("1.19.0", False)]
)
async def test_the_worker_asks_the_sidecar_for_its_version(
    started: Any, version: str, *, on: bool
) -> None:
    """Above the faulty version, no turn is held back, and no sidecar is shut down."""
    worker = await started(version)

    sdk = vars(worker._runtime)["_WorkflowRuntime__worker"]
    assert worker._guard.interceptor.is_on is on
    assert ("_execute_orchestrator" in vars(sdk)) is on
    assert len(worker._watches) == (2 if on else 1)


def test_the_sdk_is_left_alone_above_the_faulty_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its method may do more by then."""
    executor = sdk_worker._OrchestrationExecutor
    method = getattr(executor.process_event, "__wrapped__", executor.process_event)
    monkeypatch.setattr(executor, "process_event", method)

    monkeypatch.setattr(pausing, "SDK_VERSION", "1.20.0")
    pausing.repair_pausing()
    assert executor.process_event is method

    monkeypatch.setattr(pausing, "SDK_VERSION", "1.19.0")
    pausing.repair_pausing()
    assert executor.process_event is not method
