import asyncio
import os
import signal
import socket
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from fakes.ports import free_port
from orderflow_hosting.access.reader import AccessFileBroken
from orderflow_hosting.background import BackgroundWork
from orderflow_hosting.dapr_app import DaprApp
from orderflow_hosting.migrations.schema import UnsuitableSchema
from orderflow_hosting.process import WorkFailed, serve, start
from orderflow_hosting.setting_types import Unusable
from orderflow_hosting.settings import ServiceSettings

PATIENCE_SECONDS = 20


@pytest.fixture
def settings() -> ServiceSettings:
    return ServiceSettings.model_construct(
        http_host="127.0.0.1",
        http_port=free_port(),
        grpc_host="127.0.0.1",
        grpc_port=free_port(),
        app_api_token=SecretStr("a token of sixteen or more"),
    )


class SlowSite:
    """An HTTP application with a response that waits for the test."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.go_on = asyncio.Event()
        self.app = FastAPI()
        self.app.get("/slow")(self.slow)

    async def slow(self) -> str:
        """Answer once released."""
        self.entered.set()
        await self.go_on.wait()
        return "done"


async def within_patience(work: Any) -> Any:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await work


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_stops_both_servers_after_running_requests(
    settings: ServiceSettings, number: signal.Signals
) -> None:
    """A running request is answered, then the call returns so that its caller can clean up."""
    people, stopped = SlowSite(), asyncio.Event()
    serving = asyncio.create_task(serve(settings, people.app, DaprApp(settings), stopped.set))
    base_url = f"http://127.0.0.1:{settings.http_port}"
    async with httpx.AsyncClient(base_url=base_url, timeout=PATIENCE_SECONDS) as client:
        asking = asyncio.create_task(client.get("/slow"))
        await within_patience(people.entered.wait())

        os.kill(os.getpid(), number)
        await within_patience(stopped.wait())
        people.go_on.set()

        assert (await within_patience(asking)).json() == "done"
    await within_patience(serving)


async def test_a_refusal_stops_both_servers(settings: ServiceSettings) -> None:
    """An error that makes serving pointless is raised after both servers are closed."""
    database = Refusing()
    serving = asyncio.create_task(
        serve(settings, FastAPI(), DaprApp(settings), lambda: None, database.refusal)
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not is_open(settings.http_port):
            await asyncio.sleep(0.05)
        assert not serving.done()
        database.unsuitable.set()

        with pytest.raises(UnsuitableSchema, match="too old"):
            await serving
    assert not is_open(settings.http_port)


async def test_a_signal_stops_the_wait_for_the_database(settings: ServiceSettings) -> None:
    """An unavailable database does not prevent the process from stopping."""
    database, stopped = Refusing(), asyncio.Event()
    serving = asyncio.create_task(
        serve(settings, FastAPI(), DaprApp(settings), stopped.set, database.refusal)
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not is_open(settings.http_port):
            await asyncio.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)
        await serving

    assert stopped.is_set()
    assert database.is_cancelled


async def test_background_work_that_dies_ends_the_process(settings: ServiceSettings) -> None:
    """Both servers are closed, and the error says that work has failed."""
    go_on = asyncio.Event()

    async def work() -> None:
        await go_on.wait()
        raise RuntimeError("a fault")

    async with BackgroundWork() as background:
        background.start(work)
        serving = asyncio.create_task(serve(settings, FastAPI(), DaprApp(settings)))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not is_open(settings.http_port):
                await asyncio.sleep(0.05)
            go_on.set()

            with pytest.raises(WorkFailed, match="a fault"):
                await serving
    assert not is_open(settings.http_port)


def test_the_exit_code_says_that_work_has_failed(
    settings: ServiceSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever supervises the process starts it again."""

    async def run(_: ServiceSettings, resources: AsyncExitStack) -> None:
        background = await resources.enter_async_context(BackgroundWork())
        background.start(fail)
        await serve(settings, FastAPI(), DaprApp(settings))

    with pytest.raises(SystemExit) as ended:
        start(run, settings)

    assert ended.value.code == 1
    assert capsys.readouterr().err == "ended: background work has failed: a fault\n"


async def fail() -> None:
    raise RuntimeError("a fault")


def test_a_process_that_cannot_close_after_an_error_exits(tmp_path: Path) -> None:
    """A thread that hangs does not keep a failed process from being started again."""
    program = """
import threading
from orderflow_hosting import process
process.CLOSING_SECONDS = 0.3
async def run(_, resources):
    resources.callback(threading.Event().wait)
    raise process.WorkFailed("a fault")
process.start(run, None)
"""

    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, timeout=PATIENCE_SECONDS, check=False
    )

    assert ended.returncode == 1


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Refusing:
    """A database whose schema turns out to be unsuitable some time after the start."""

    def __init__(self) -> None:
        self.unsuitable = asyncio.Event()
        self.is_cancelled = False

    async def refusal(self) -> NoReturn:
        """Raise after a while."""
        try:
            await self.unsuitable.wait()
        except asyncio.CancelledError:
            self.is_cancelled = True
            raise
        raise UnsuitableSchema("the schema is too old")


async def test_an_http_port_in_use_is_reported(settings: ServiceSettings) -> None:
    """The message gives the port, and nothing has started."""
    message = f"127.0.0.1, port {settings.http_port}: .*in use"
    holder = socket.create_server(("127.0.0.1", settings.http_port))

    with holder, pytest.raises(Unusable, match=message):
        await serve(settings, FastAPI(), DaprApp(settings))


async def test_a_grpc_port_in_use_ends_the_process(settings: ServiceSettings) -> None:
    """The HTTP server does not run alone when Dapr cannot be served."""
    holder = socket.create_server(("127.0.0.1", settings.grpc_port))

    with holder, pytest.raises(Unusable, match=str(settings.grpc_port)):
        await within_patience(serve(settings, FastAPI(), DaprApp(settings)))


@pytest.mark.parametrize("edge", ["http", "grpc"])
@pytest.mark.parametrize("host", ["192.0.2.1", "..", "127.0.0.1"])
def test_an_unusable_address_is_one_line_with_its_variable(
    settings: ServiceSettings, edge: str, host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A foreign address, an invalid name and a port in use prevent the start."""
    moved = settings.model_copy(update={f"{edge}_host": host})

    async def run(_: ServiceSettings, __: AsyncExitStack) -> None:
        await serve(moved, FastAPI(), DaprApp(moved))

    port = getattr(moved, f"{edge}_port")
    with socket.create_server(("127.0.0.1", port)), pytest.raises(SystemExit):
        start(run, moved)

    what = "PORT" if host == "127.0.0.1" else "HOST"
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"cannot start: {edge.upper()}_{what}: ")


async def test_both_servers_listen_on_ipv6(settings: ServiceSettings) -> None:
    """An IPv6 address works for the sidecar and for people."""
    moved = settings.model_copy(update={"http_host": "::1", "grpc_host": "::1"})
    serving = asyncio.create_task(serve(moved, FastAPI(), DaprApp(moved)))
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not serving.done() and not _answers("::1", moved.grpc_port):
                await asyncio.sleep(0.05)
        assert not serving.done()
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        await within_patience(serving)


def _answers(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6) as probe:
        return probe.connect_ex((host, port)) == 0


def test_an_unsuitable_schema_is_one_line(
    settings: ServiceSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code says that restarting would not help."""

    async def run(_: ServiceSettings, __: AsyncExitStack) -> None:
        raise UnsuitableSchema("the schema of the database is not migrated yet")

    with pytest.raises(SystemExit) as ended:
        start(run, settings)

    message = capsys.readouterr().err
    assert message == "cannot start: the schema of the database is not migrated yet\n"
    assert ended.value.code == os.EX_CONFIG


def test_a_broken_access_file_is_one_line_with_its_variable(
    settings: ServiceSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code says that restarting would not help."""

    async def run(_: ServiceSettings, __: AsyncExitStack) -> None:
        raise AccessFileBroken("/some/file: is not valid")

    with pytest.raises(SystemExit) as ended:
        start(run, settings)

    message = capsys.readouterr().err
    assert message == "cannot start: ORDERFLOW_ACCESS_FILE: /some/file: is not valid\n"
    assert ended.value.code == os.EX_CONFIG
