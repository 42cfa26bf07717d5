"""No loop dies silently: each one that is killed is reported, so that the process ends."""

import ast
import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData

from approvals.decisions.feed import ChangeFeed
from approvals.decisions.ports import Version
from fakes.memory_store import MemoryStore
from fakes.schemas import FromModels
from fakes.waiting import until
from inventory.batching import Command, CommandBatcher
from inventory.store import Scope
from orderflow_hosting.database import Database
from orderflow_hosting.settings import ServiceSettings
from orderflow_hosting.sidecar import Sidecar
from orderflow_hosting.supervision import WorkCancelled, deaths
from orderflow_hosting.write_queue import WriteQueue
from orderflow_tools.settings import find_checkout
from orderflow_workflow_runtime.worker import Worker, WorkerDied
from orders.board.change_feed import ChangeFeed as BoardFeed

PATIENCE_SECONDS = 10


class Approvals:
    """Approvals that never change."""

    async def version(self, now: datetime) -> Version:
        return Version(now.year, None)


class Statuses:
    """A feed of statuses without any."""

    async def follow(self, _: int | None) -> Any:
        await asyncio.Event().wait()
        yield None


class HangingStore(MemoryStore):
    """A store that never answers."""

    async def read(self, _: Any) -> Any:
        await asyncio.Event().wait()


class LivingThread:
    """The SDK's thread, until it dies."""

    def __init__(self) -> None:
        self.alive = True

    def is_alive(self) -> bool:
        return self.alive


@asynccontextmanager
async def approvals_feed() -> Any:
    follower = ChangeFeed(Approvals()).follow(None)
    await anext(follower)
    yield "ChangeFeed._poll"
    await follower.aclose()


@asynccontextmanager
async def board_feed() -> Any:
    next_change = BoardFeed(Statuses()).listener()  # type: ignore[arg-type] # what it uses of a feed
    await next_change()
    waiting = asyncio.ensure_future(next_change())
    yield "ChangeFeed._count"
    waiting.cancel()


@asynccontextmanager
async def batcher() -> Any:
    batches = CommandBatcher(HangingStore())
    waiting = asyncio.ensure_future(batches.execute(Command[None](Scope(), lambda _: None)))
    yield "CommandBatcher._work"
    waiting.cancel()


LOOPS = [approvals_feed, board_feed, batcher]


def find_task(name: str) -> "asyncio.Task[Any] | None":
    return next((task for task in asyncio.all_tasks() if task.get_name() == name), None)


@pytest.mark.parametrize("loop", LOOPS)
async def test_a_loop_that_is_killed_is_reported(
    loop: Callable[[], AbstractAsyncContextManager[str]],
) -> None:
    """Its task is cancelled from outside."""
    with deaths() as death:
        async with loop() as name:
            await until(lambda: find_task(name) is not None)
            task = find_task(name)
            assert task is not None
            task.cancel()

            error = await asyncio.wait_for(death, PATIENCE_SECONDS)

    assert str(error) == f"{name} was cancelled"


async def is_up() -> None:
    """Find the sidecar up."""


async def tested() -> str:
    return "1.18.1"


@pytest.fixture
async def worker(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Provide a worker that has started, with an SDK that connects to nothing."""
    settings = ServiceSettings.model_construct(
        dapr_host="127.0.0.1", dapr_grpc_port=1, dapr_http_port=1
    )
    async with Sidecar("orders", settings) as sidecar:
        made = Worker(settings, sidecar, lambda _: None, workflows={}, activities={})
        sdk = vars(made._runtime)["_WorkflowRuntime__worker"]
        monkeypatch.setattr(sdk, "_runLoop", thread := LivingThread())
        monkeypatch.setattr(made._runtime, "start", lambda: None)
        monkeypatch.setattr(made._runtime, "shutdown", lambda: None)
        monkeypatch.setattr(sidecar, "check", is_up)
        monkeypatch.setattr(sidecar, "version", tested)
        yield made, thread
        await made.stop()


async def test_the_end_of_the_sdks_thread_is_reported(worker: Any) -> None:
    """Without it, no workflow of the service makes progress, and the SDK tells nobody."""
    made, thread = worker
    with deaths() as death:
        await made.start()
        thread.alive = False

        assert isinstance(await asyncio.wait_for(death, PATIENCE_SECONDS), WorkerDied)


@pytest.mark.parametrize("name", ["StalledSidecar.watch", "Worker._watch_thread"])
async def test_the_end_of_a_watch_of_the_worker_is_reported(worker: Any, name: str) -> None:
    """Without it, a stalled sidecar would stay stalled."""
    made, _ = worker
    with deaths() as death:
        await made.start()
        await until(lambda: find_task(name) is not None)
        task = find_task(name)
        assert task is not None
        task.cancel()

        assert isinstance(await asyncio.wait_for(death, PATIENCE_SECONDS), WorkCancelled)


@pytest.mark.parametrize("error", [RuntimeError("a fault"), SystemExit(3)])
async def test_the_end_of_the_databases_writer_is_raised(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing could be written any more, so the process has to end."""

    def run(_: WriteQueue) -> None:
        raise error

    monkeypatch.setattr(WriteQueue, "run", run)
    with Database(f"sqlite:///{tmp_path}/some.db", FromModels(MetaData())) as database:
        with pytest.raises(type(error)) as raised:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await database.refusal()
        assert raised.value is error


ALLOWED = {
    "orderflow_hosting/supervision.py": {"create_task"},
    "orderflow_hosting/process.py": {"create_task", "Timer"},  # awaited where they are made
    "orderflow_hosting/web/changes.py": {"ensure_future"},  # awaited by the response that made it
    "orderflow_hosting/database.py": {"Thread"},  # its end is raised by `refusal`
    # Its end is raised by the next call of the SDK, which connects again.
    "orderflow_workflow_runtime/upstream/torn_histories/work_items.py": {"Thread"},
}


def started_in(source: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            if name in {"create_task", "ensure_future", "TaskGroup", "Thread", "Timer"}:
                yield name


def test_tasks_and_threads_are_started_only_where_their_end_is_noticed() -> None:
    """New background work is started with `Supervised` or `BackgroundWork`."""
    found: dict[str, set[str]] = {}
    for top in ("libraries", "services"):
        for source in (find_checkout() / top).glob("*/src/**/*.py"):
            if names := set(started_in(source)):
                found[str(source).partition("/src/")[2]] = names

    assert found == ALLOWED
