"""The start of every service: if it fails, everything opened is closed and the process ends."""

import asyncio
import inspect
import os
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import grpc
import grpc.aio
import httpx
import psutil
import pytest
from dapr.ext.workflow import WorkflowRuntime

from fakes.migrated_services import schema_of
from fakes.ports import free_port
from fakes.schemas import migrated
from orderflow_contracts import names
from orderflow_hosting.process import run_and_close
from orderflow_hosting.settings import NOT_CONFIGURED, ServiceSettings
from service_code import settings_class

SERVICES = sorted(names.SERVICES)
DEADLINE_SECONDS = 60
NOT_STEPS = {"load", "start", "main", "run"}
"""Names in a `main` module that are not part of the composition."""


class Broken(Exception):
    """The fault that a test injects into a start."""


class Step(NamedTuple):
    """A callable used by a service's composition root."""

    module: str
    name: str


def own(value: object) -> bool:
    """Return whether something belongs to this workspace and not to a library."""
    package = str(getattr(value, "__module__", "")).partition(".")[0]
    return package in {*SERVICES, "orderflow_hosting"}


def steps_of(service: str) -> Iterator[Step]:
    """Return everything that a composition root can call: classes, functions, packages' `build`."""
    main = import_module(f"{service}.main")
    for name, value in vars(main).items():
        if isinstance(value, ModuleType) and callable(getattr(value, "build", None)):
            yield Step(value.__name__, "build")
        elif callable(value) and own(value) and name not in NOT_STEPS:
            yield Step(main.__name__, name)


def has_database(service: str) -> bool:
    return names.SERVICES[service].has_tables


def settings_of(service: str, folder: Path) -> ServiceSettings:
    """Make settings with an unreachable sidecar and migrated data in a folder."""
    given: dict[str, Any] = {"APP_API_TOKEN": "a token of sixteen or more"}
    given |= {name: free_port() for name in ("http_port", "grpc_port")}
    given |= {name: free_port() for name in ("DAPR_HTTP_PORT", "DAPR_GRPC_PORT")}
    if has_database(service):
        url = f"sqlite:///{folder / 'service.db'}"
        given["database_url"] = migrated(url, schema_of(service))
    return settings_class(service)(**given)


class Opened:
    """The connections that are open, by the stack of calls that opened them."""

    def __init__(self) -> None:
        self.connections: dict[int, str] = {}

    def recorded(self, make: Callable[..., Any], close: str) -> Callable[..., Any]:
        """Wrap what makes a connection, and the method that closes it."""

        def made(*arguments: Any, **keywords: Any) -> Any:
            connection = make(*arguments, **keywords)
            close_it = getattr(connection, close)
            caller = inspect.stack()[1]
            self.connections[id(connection)] = f"{caller.filename}:{caller.lineno}"

            def closed(*given: Any) -> Any:
                self.connections.pop(id(connection), None)
                return close_it(*given)

            setattr(connection, close, closed)
            return connection

        return made


@pytest.fixture(autouse=True)
def registered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow registering a workflow more than once in a process, which the SDK refuses."""
    monkeypatch.setattr(WorkflowRuntime, "register_workflow", lambda *_, **__: None)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    opened = Opened()
    for module, name, close in (
        (grpc.aio, "insecure_channel", "close"),
        (grpc, "insecure_channel", "close"),
        (httpx, "AsyncClient", "aclose"),
    ):
        monkeypatch.setattr(module, name, opened.recorded(getattr(module, name), close))
    return opened


def listeners() -> set[Any]:
    """List the addresses that this process listens on."""
    connections = psutil.Process().net_connections()
    return {each.laddr for each in connections if each.status == psutil.CONN_LISTEN}


def files_in(folder: Path) -> list[str]:
    """List the files of a folder that this process has open."""
    files = psutil.Process().open_files()
    return [file.path for file in files if Path(file.path).is_relative_to(folder)]


class AtOnce(ThreadPoolExecutor):
    """Runs a loop's thread jobs directly, so that no threads remain."""

    def submit(self, call: Callable[..., Any], /, *given: Any, **named: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        future.set_result(call(*given, **named))
        return future


@asynccontextmanager
async def nothing_left(folder: Path, opened: Opened) -> AsyncIterator[None]:
    """Check that threads, tasks, listeners, files and connections are as before."""
    threads, tasks, listening = set(threading.enumerate()), asyncio.all_tasks(), listeners()
    yield
    assert {thread.name for thread in set(threading.enumerate()) - threads} == set()
    assert asyncio.all_tasks() - tasks == set()
    assert listeners() - listening == set()
    assert files_in(folder) == []
    assert opened.connections == {}


def break_step(monkeypatch: pytest.MonkeyPatch, step: Step) -> list[str]:
    """Let a step fail when it is called; return a list that says whether it was."""
    reached: list[str] = []

    def broken(*_: Any, **__: Any) -> Any:
        reached.append(step.name)
        raise Broken(step.name)

    monkeypatch.setattr(import_module(step.module), step.name, broken)
    return reached


@pytest.mark.parametrize("service", SERVICES)
async def test_a_failing_step_closes_everything_opened_before(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Opened
) -> None:
    """Whichever step of the composition fails, the start leaves nothing open."""
    main, settings = import_module(f"{service}.main"), settings_of(service, tmp_path)
    asyncio.get_running_loop().set_default_executor(AtOnce())
    grpc.aio.init_grpc_aio()  # its thread serves all channels of the process
    failed: set[str] = set()
    for step in steps_of(service):
        with monkeypatch.context() as patch:
            break_step(patch, Step(main.__name__, "serve"))
            reached = break_step(patch, step)
            async with nothing_left(tmp_path, opened), asyncio.timeout(DEADLINE_SECONDS):
                with pytest.raises(Broken):
                    await run_and_close(main.run, settings)
        failed.update(reached)

    assert {"Sidecar", "DaprApp", "Access", "serve"} <= failed
    assert ("BackgroundWork" in failed) == hasattr(main, "BackgroundWork")
    assert ("Database" in failed) == has_database(service)


def environment_of(settings: ServiceSettings, **more: str) -> dict[str, str]:
    """Return settings as environment variables of the service's process."""
    prefix = str(type(settings).model_config["env_prefix"])
    own_settings = {
        f"{prefix}{name}".upper(): str(getattr(settings, name))
        for name in ("http_port", "grpc_port", "database_url")
        if hasattr(settings, name)
    }
    return {
        **os.environ,
        **own_settings,
        "DAPR_HTTP_PORT": str(settings.dapr_http_port),
        "DAPR_GRPC_PORT": str(settings.dapr_grpc_port),
        "APP_API_TOKEN": settings.app_api_token.get_secret_value(),
        **more,
    }


def start_and_fail(
    service: str, environment: dict[str, str], folder: Path, *command: str
) -> tuple[int, str]:
    """Start a service's real process, which must end by itself; return exit code and errors."""
    ended = subprocess.run(
        [sys.executable, "-m", service, *command],
        env=environment, cwd=folder, timeout=DEADLINE_SECONDS, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    return ended.returncode, ended.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_a_broken_access_file_ends_the_process(service: str, tmp_path: Path) -> None:
    """The error is one line, and the process exits whatever it has opened."""
    file = tmp_path / "access.json"
    file.write_text("{broken")
    environment = environment_of(settings_of(service, tmp_path), ORDERFLOW_ACCESS_FILE=str(file))

    code, errors = start_and_fail(service, environment, tmp_path)

    [line] = errors.splitlines()
    assert line.startswith(f"cannot start: ORDERFLOW_ACCESS_FILE: {file}: ")
    assert code == NOT_CONFIGURED


@pytest.mark.parametrize("service", SERVICES)
def test_a_port_in_use_ends_the_process(service: str, tmp_path: Path) -> None:
    """The error names the port with its setting."""
    settings = settings_of(service, tmp_path)

    with closing(socket.create_server(("127.0.0.1", settings.http_port))):
        code, errors = start_and_fail(service, environment_of(settings), tmp_path)

    [line] = errors.splitlines()
    assert line.startswith(f"cannot start: {service.upper()}_HTTP_PORT: ")
    assert code == 1


@pytest.mark.parametrize("service", [name for name in SERVICES if has_database(name)])
@pytest.mark.parametrize("fault", ["not a database", "cannot be created"])
def test_a_database_that_cannot_be_read_ends_the_process(
    service: str, fault: str, tmp_path: Path
) -> None:
    """The error names the file, whether it is no database or cannot be created."""
    file = tmp_path / "other.db"
    file.write_text("this is no database " * 100)
    path = file if fault == "not a database" else file / "inside.db"
    variable = f"{service.upper()}_DATABASE_URL"
    environment = environment_of(settings_of(service, tmp_path), **{variable: f"sqlite:///{path}"})

    code, errors = start_and_fail(service, environment, tmp_path)

    [line] = errors.splitlines()
    assert line.startswith(f"cannot start: {variable}: {path} cannot be used: ")
    assert code == 1


@pytest.mark.parametrize("service", SERVICES)
def test_a_sidecar_that_never_comes_ends_the_process(service: str, tmp_path: Path) -> None:
    """The start is given up after the time that is set, with the address and the reason."""
    settings = settings_of(service, tmp_path)

    code, errors = start_and_fail(
        service, environment_of(settings, ORDERFLOW_START_SECONDS="1"), tmp_path
    )

    [line] = errors.splitlines()
    assert line.startswith("cannot start: the sidecar is not available after 1 s: ")
    assert code == 1


@pytest.mark.parametrize("service", [name for name in SERVICES if has_database(name)])
@pytest.mark.parametrize("command", [(), ("migrate",), ("wait-until-migrated",)])
def test_a_database_server_that_never_answers_ends_the_process(
    service: str, command: tuple[str, ...], tmp_path: Path
) -> None:
    """The service and its commands give up after the time that is set."""
    url = f"postgresql+psycopg://someone:secret@127.0.0.1:{free_port()}/{service}"
    variables = {"ORDERFLOW_START_SECONDS": "1", f"{service.upper()}_DATABASE_URL": url}
    environment = environment_of(settings_of(service, tmp_path), **variables)

    code, errors = start_and_fail(service, environment, tmp_path, *command)

    [line] = errors.splitlines()
    what = command[0] if command else "start"
    assert line.startswith(f"cannot {what}: the database is not available after 1 s: ")
    assert "refused" in line or "has not answered" in line
    assert "secret" not in line
    assert code == 1
