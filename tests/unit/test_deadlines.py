"""Every call to the sidecar, the engine and the database ends in time, with an error of its own."""

import ast
import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import httpx
import pytest
from pydantic import BaseModel
from sqlalchemy import MetaData

from fakes.memory_store import MemoryStore
from fakes.ports import free_port
from fakes.schemas import FromModels
from inventory import batching
from inventory.batching import Command, CommandBatcher
from inventory.ports import StoreUnavailable
from inventory.store import Scope
from orderflow_hosting import database as database_module
from orderflow_hosting import sidecar as sidecar_module
from orderflow_hosting.database import Database, DatabaseTooSlow
from orderflow_hosting.settings import ServiceSettings
from orderflow_hosting.sidecar import Sidecar, StateEntry
from orderflow_tools.settings import find_checkout
from orderflow_workflow_runtime import client as client_module
from orderflow_workflow_runtime.client import DaprEngine
from orderflow_workflow_runtime.ports import EngineUnavailable

SHORT_SECONDS = 0.2
PATIENCE_SECONDS = 10


class Message(BaseModel):
    """Some message."""


SIDECAR_CALLS: dict[str, Callable[[Sidecar], Awaitable[object]]] = {
    "publish_raw": lambda sidecar: sidecar.publish_raw("topic", b"{}"),
    "publish_together": lambda sidecar: sidecar.publish_together(
        "topic", [("o1", b"{}")], seconds=SHORT_SECONDS
    ),
    "invoke": lambda sidecar: sidecar.invoke("inventory", "stock", Message()),
    "read_state": lambda sidecar: sidecar.read_state("store", ["key"]),
    "read_one": lambda sidecar: sidecar.read_one("store", "key"),
    "write_one": lambda sidecar: sidecar.write_one("store", "key", b"1"),
    "transact": lambda sidecar: sidecar.transact("store", {"key": StateEntry(b"1", None)}),
    "check": lambda sidecar: sidecar.check(),
    "version": lambda sidecar: sidecar.version(),
    "check_workflows": lambda sidecar: sidecar.check_workflows(),
    "is_stalled": lambda sidecar: sidecar.is_stalled(),
    "shut_down": lambda sidecar: sidecar.shut_down(),
}
ENGINE_CALLS: dict[str, Callable[[DaprEngine], Awaitable[object]]] = {
    "start": lambda engine: engine.start("workflow", "o1", None),
    "instance": lambda engine: engine.instance("o1"),
    "raise_event": lambda engine: engine.raise_event("o1", "event", None),
    "pause": lambda engine: engine.pause("o1"),
    "resume": lambda engine: engine.resume("o1"),
    "terminate": lambda engine: engine.terminate("o1"),
    "purge": lambda engine: engine.purge("o1"),
    "rerun": lambda engine: engine.rerun("o1", 1, None),
    "finished": lambda engine: engine.finished("o1", SHORT_SECONDS),
    "ids": lambda engine: engine.ids(10, None),
    "history": lambda engine: engine.history("o1"),
    "recording": lambda engine: engine.recording("o1"),
    "discard": lambda engine: engine.discard("o1", with_children=True),
}


def calls_of(client: type) -> set[str]:
    """Return the public methods of a client that make calls."""
    found = inspect.getmembers(client, inspect.iscoroutinefunction)
    return {name for name, _ in found if not name.startswith("_")} - {"close"}


class Silent(grpc.GenericRpcHandler):  # type: ignore[misc] # grpcio has no types
    """Takes every call and answers none."""

    def __init__(self) -> None:
        self.called: list[str] = []

    def service(self, details: Any) -> Any:
        self.called.append(details.method)

        async def never(*_: Any) -> None:
            await asyncio.Event().wait()

        return grpc.unary_unary_rpc_method_handler(never)


@pytest.fixture
def silent() -> Silent:
    return Silent()


@pytest.fixture
async def settings(
    silent: Silent, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ServiceSettings]:
    """Provide the settings for a sidecar that takes every call and answers none."""
    monkeypatch.setattr(sidecar_module, "TIMEOUT_SECONDS", SHORT_SECONDS)
    monkeypatch.setattr(sidecar_module, "HTTP_SECONDS", SHORT_SECONDS)
    monkeypatch.setattr(client_module, "TIMEOUT_SECONDS", SHORT_SECONDS)
    server = grpc.aio.server(handlers=[silent])
    port = free_port()
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    held: list[asyncio.StreamWriter] = []
    http = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    yield ServiceSettings.model_construct(
        dapr_host="127.0.0.1",
        dapr_grpc_port=port,
        dapr_http_port=http.sockets[0].getsockname()[1],
    )
    for writer in held:
        writer.close()
    http.close()
    await server.stop(0)


def test_every_call_is_tried() -> None:
    """A new method of a client needs an entry in the tables of this file."""
    assert calls_of(Sidecar) == set(SIDECAR_CALLS)
    assert calls_of(DaprEngine) == set(ENGINE_CALLS)


@pytest.mark.parametrize("name", SIDECAR_CALLS)
async def test_a_call_to_a_silent_sidecar_ends(
    name: str, settings: ServiceSettings, silent: Silent
) -> None:
    """The error says that the time is up."""
    async with Sidecar("orders", settings) as sidecar, asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises((grpc.aio.AioRpcError, httpx.TimeoutException)) as raised:
            await SIDECAR_CALLS[name](sidecar)

    if isinstance(raised.value, grpc.aio.AioRpcError):
        assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert len(silent.called) == 1


@pytest.mark.parametrize("name", ENGINE_CALLS)
async def test_a_call_to_a_silent_engine_ends(
    name: str, settings: ServiceSettings, silent: Silent
) -> None:
    """Callers get the error that they expect from an engine that does not respond."""
    engine = DaprEngine(settings)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(TimeoutError if name == "finished" else EngineUnavailable):
                await ENGINE_CALLS[name](engine)
    finally:
        await engine.close()

    assert len(silent.called) == 1


@pytest.mark.parametrize("method", ["read", "write"])
async def test_a_database_that_hangs_is_reported(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller gets an error in time; work that has not begun by then is never run."""
    monkeypatch.setattr(database_module, "DEADLINE_SECONDS", SHORT_SECONDS)
    monkeypatch.setattr(database_module, "READERS", 1)
    release, later = threading.Event(), list[str]()
    with Database(f"sqlite:///{tmp_path}/some.db", FromModels(MetaData())) as database:
        run = getattr(database, method)
        async with asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(DatabaseTooSlow, match="no result within"):
                await run(lambda _: release.wait(PATIENCE_SECONDS))
            with pytest.raises(DatabaseTooSlow):
                await run(lambda _: later.append("run"))
            release.set()
            await run(lambda _: later.append("last"))

    assert later == ["last"]


async def test_a_command_on_a_store_that_hangs_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its caller learns that the store is not available."""
    monkeypatch.setattr(batching, "COMMAND_SECONDS", SHORT_SECONDS)
    store = MemoryStore()
    monkeypatch.setattr(store, "read", lambda _: asyncio.Event().wait())
    batcher = CommandBatcher(store)

    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(StoreUnavailable, match="not written within"):
            await batcher.execute(Command[None](Scope(), lambda _: None))


CLIENTS = {"AsyncClient", "Client", "DaprStub", "DaprWorkflowClient", "WorkflowRuntime"}
CLIENTS |= {"TaskHubSidecarServiceStub", "engine_stub", "insecure_channel", "create_engine"}
MADE_IN = {
    "orderflow_hosting/sidecar.py",  # each call above, with `WithDeadline` or a client's timeout
    "orderflow_hosting/engines.py",  # used by `Database`, and by migrations
    "orderflow_hosting/postgresql.py",  # likewise
    "orderflow_workflow_runtime/client.py",  # each call above, through `_call`
    "orderflow_workflow_runtime/recorder.py",  # each call through `Recorder._request`
    "orderflow_workflow_runtime/replay/comparison.py",  # never started, so that it calls nobody
    "orderflow_workflow_runtime/worker.py",  # the SDK's worker, which has deadlines of its own
    "orderflow_workflow_runtime/upstream/history_payloads.py",  # for the client and the recorder
    "orderflow_workflow_runtime/upstream/torn_histories/guard.py",  # for `Restarts`
    "orderflow_workflow_runtime/upstream/torn_histories/restarts.py",  # each call says its deadline
}


def made_in(source: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            if name in CLIENTS or name.endswith("Stub"):
                yield name


def test_clients_are_made_only_where_their_calls_have_deadlines() -> None:
    """A new client belongs to one of these modules, or has a deadline that is tested here."""
    found = {
        str(source).partition("/src/")[2]
        for top in ("libraries", "services")
        for source in (find_checkout() / top).glob("*/src/**/*.py")
        if set(made_in(source))
    }

    assert found == MADE_IN


def test_each_call_of_the_restarts_says_its_deadline() -> None:
    """They are made outside of the clients above, and nothing waits for them."""
    source = find_checkout() / "libraries/workflow_runtime/src/orderflow_workflow_runtime"
    tree = ast.parse((source / "upstream/torn_histories/restarts.py").read_text(encoding="utf-8"))
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "future"
    ]

    assert calls
    assert all("timeout" in {keyword.arg for keyword in call.keywords} for call in calls)
