"""One service process: HTTP for people and gRPC for Dapr side by side, until a signal ends both."""

import asyncio
import errno
import os
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import Any, NoReturn, TypeVar

import structlog
import uvicorn
from fastapi import FastAPI

from orderflow_hosting.access.reader import AccessFileBroken
from orderflow_hosting.access.walk import must_be_guarded
from orderflow_hosting.dapr_app import DaprApp
from orderflow_hosting.migrations.schema import UnsuitableSchema
from orderflow_hosting.setting_types import Unusable
from orderflow_hosting.settings import NOT_CONFIGURED, ServiceSettings, variable_of
from orderflow_hosting.start_up import NotStarted
from orderflow_hosting.supervision import deaths, stop_all

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

HTTP_GRACE_SECONDS = 3
CLOSING_SECONDS = 30.0
"""How long a failed process may take to close what it opened; a stuck thread may never end."""
_ABOUT_THE_PORT = {errno.EADDRINUSE, errno.EACCES}


class _HttpServer(uvicorn.Server):
    """A server that leaves signals to the process, which has more than HTTP to stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


Settings = TypeVar("Settings", bound=ServiceSettings)
Run = Callable[[Settings, AsyncExitStack], Awaitable[None]]
"""A service's composition root. It enters whatever it opens into the stack, which closes it."""
Refusal = Callable[[], Coroutine[Any, Any, NoReturn]]
"""Waits until serving has become pointless, and raises the reason."""


class WorkFailed(Exception):
    """Supervised work of the process has failed; the log has the reason."""


def start(run: Run[Settings], settings: Settings) -> None:
    """Run a service's process until it ends; if it cannot start, print why in one line."""
    try:
        asyncio.run(run_and_close(run, settings))
    except (UnsuitableSchema, NotStarted) as error:
        sys.stderr.write(f"cannot start: {error}\n")
        raise SystemExit(1 if isinstance(error, NotStarted) else NOT_CONFIGURED) from None
    except WorkFailed as error:
        sys.stderr.write(f"ended: {error}\n")
        raise SystemExit(1) from None
    except (AccessFileBroken, Unusable) as error:
        field = error.field if isinstance(error, Unusable) else "access_file"
        sys.stderr.write(f"cannot start: {variable_of(type(settings), field)}: {error}\n")
        raise SystemExit(1 if isinstance(error, Unusable) else NOT_CONFIGURED) from None


async def run_and_close(run: Run[Settings], settings: Settings) -> None:
    """Run a composition root, then close what it opened, newest first, whatever ended it.

    After an error, the process exits at once if closing takes longer than `CLOSING_SECONDS`.
    """
    limit = threading.Timer(CLOSING_SECONDS, _exit_at_once)
    limit.daemon = True
    try:
        async with AsyncExitStack() as resources:
            try:
                await run(settings, resources)
            except Exception:
                limit.start()
                raise
    finally:
        await stop_all()
        limit.cancel()
        if limit.is_alive():
            limit.join()


def _exit_at_once() -> None:
    log.error("closing_took_too_long", seconds=CLOSING_SECONDS)
    os._exit(1)


async def serve(
    settings: ServiceSettings,
    http: FastAPI,
    dapr: DaprApp,
    on_stop: Callable[[], None] = lambda: None,
    *refusals: Refusal,
) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP; then finish the running calls and return.

    `on_stop` is called when stopping begins, to end responses that would never end by themselves.
    Each of `refusals` is awaited meanwhile, and raises an error when serving has become pointless.
    Raises that error, `WorkFailed` if supervised work has failed, an error that ended the HTTP or
    the gRPC server, `Unusable` for an address that it cannot listen on, and `Unguarded` for a route
    without a fitting guard.
    """
    if hasattr(http.state, "access"):
        must_be_guarded(http)
    # Both before anything starts: uvicorn would exit by itself, and gRPC print a traceback.
    _listen("grpc", settings.grpc_host, settings.grpc_port).close()
    with _listen("http", settings.http_host, settings.http_port) as listener:
        server = _http_server(settings, http)
        with deaths() as death:
            await _serve_both(settings, server, listener, dapr, on_stop, refusals, death)
    if death.done():
        raise WorkFailed(f"background work has failed: {death.result()}")


def _http_server(settings: ServiceSettings, http: FastAPI) -> _HttpServer:
    return _HttpServer(
        uvicorn.Config(
            http,
            host=settings.http_host,
            port=settings.http_port,
            log_config=None,
            access_log=False,
            proxy_headers=False,  # only the connection is proof of the client's address
            timeout_graceful_shutdown=HTTP_GRACE_SECONDS,
        )
    )


async def _serve_both(
    settings: ServiceSettings,
    server: _HttpServer,
    listener: socket.socket,
    dapr: DaprApp,
    on_stop: Callable[[], None],
    refusals: Sequence[Refusal],
    death: "asyncio.Future[BaseException]",
) -> None:
    signalled = _signalled()
    await dapr.start()
    http_edge = asyncio.create_task(server.serve(sockets=[listener]))
    dapr_edge = asyncio.create_task(dapr.wait())
    log.info("serving", http_port=settings.http_port, grpc_port=settings.grpc_port)
    edges: set[asyncio.Future[None]] = {http_edge, dapr_edge}
    edges |= {asyncio.create_task(refusal()) for refusal in refusals}
    ends: set[asyncio.Future[Any]] = {*edges, signalled, death}
    done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    log.info("stopping")
    on_stop()
    server.should_exit = True
    await dapr.stop()
    await asyncio.wait({http_edge})
    for edge in edges - {http_edge, dapr_edge}:
        edge.cancel()
    for edge in edges & done:
        edge.result()


def _listen(edge: str, host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        # Python adds a second sentence, which repeats the address.
        why = str(error.strerror).partition(" (while attempting")[0]
        field = f"{edge}_port" if error.errno in _ABOUT_THE_PORT else f"{edge}_host"
        raise Unusable(field, f"cannot listen on {host}, port {port}: {why}") from None
    except UnicodeError:
        raise Unusable(f"{edge}_host", f"{host} is not the name of a host") from None


def _signalled() -> "asyncio.Future[None]":
    """Complete at the first signal that asks the process to end."""
    loop = asyncio.get_running_loop()
    signalled: asyncio.Future[None] = loop.create_future()

    def end() -> None:
        if not signalled.done():
            signalled.set_result(None)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # A signal that was ignored at the start stays ignored: nohup ignores SIGHUP, and shell
        # scripts ignore SIGINT for background jobs. SIGTERM must always stop a service.
        if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, end)
    return signalled
