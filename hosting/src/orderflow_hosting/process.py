"""One service process: people's HTTP and Dapr's gRPC side by side, until a signal ends both."""

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI

from orderflow_hosting.access.reader import AccessFileBroken
from orderflow_hosting.access.walk import must_be_guarded
from orderflow_hosting.dapr_app import DaprApp
from orderflow_hosting.settings import NOT_CONFIGURED, ServiceSettings

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

HTTP_GRACE_SECONDS = 3


class CannotListen(Exception):
    """The HTTP port cannot be had, most often because something else listens on it."""


class _HttpServer(uvicorn.Server):
    """A server that leaves signals to the process, which has more to stop than HTTP."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def start(work: Coroutine[Any, Any, None]) -> None:
    """Run a service's process to its end; say in one line why it cannot begin, if so."""
    try:
        asyncio.run(work)
    except (CannotListen, AccessFileBroken) as error:
        sys.stderr.write(f"cannot start: {error}\n")
        code = NOT_CONFIGURED if isinstance(error, AccessFileBroken) else 1
        raise SystemExit(code) from None


async def serve(
    settings: ServiceSettings,
    http: FastAPI,
    dapr: DaprApp,
    on_stop: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP; then finish what is in hand and return.

    `on_stop` is called when stopping begins, to end answers that would last for ever. Raises what
    stopped one of the two edges if it was not a signal, such as a port in use (`CannotListen`),
    and `Unguarded` for a route that somebody could use who may not.
    """
    if hasattr(http.state, "access"):
        must_be_guarded(http)
    listener = _listen(settings.http_host, settings.http_port)
    server = _HttpServer(
        uvicorn.Config(
            http,
            host=settings.http_host,
            port=settings.http_port,
            log_config=None,
            access_log=False,
            proxy_headers=False,  # who is at the other end is for the connection alone to tell
            timeout_graceful_shutdown=HTTP_GRACE_SECONDS,
        )
    )
    signalled = _signalled()
    dapr.start()
    http_edge = asyncio.create_task(server.serve(sockets=[listener]))
    dapr_edge = asyncio.create_task(dapr.wait())
    log.info("serving", http_port=settings.http_port, grpc_port=settings.grpc_port)
    edges = {http_edge, dapr_edge}
    done, _ = await asyncio.wait({*edges, signalled}, return_when=asyncio.FIRST_COMPLETED)
    log.info("stopping")
    on_stop()
    server.should_exit = True
    await dapr.stop()
    await asyncio.wait({http_edge})
    for edge in edges & done:
        edge.result()


def _listen(host: str, port: int) -> socket.socket:
    """Take the HTTP port before anything else begins; uvicorn would end the process by itself."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise CannotListen(f"cannot listen on {host}:{port}: {error.strerror}") from error
    except UnicodeError as error:
        raise CannotListen(f"cannot listen on {host}:{port}: that is no name of a host") from error


def _signalled() -> "asyncio.Future[None]":
    """Complete at the first signal that asks the process to end."""
    loop = asyncio.get_running_loop()
    signalled: asyncio.Future[None] = loop.create_future()

    def end() -> None:
        if not signalled.done():
            signalled.set_result(None)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # What was ignored at the start stays so: nohup ignores SIGHUP, a shell script SIGINT for
        # what it starts in the background. SIGTERM is how whoever runs a service stops it.
        if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, end)
    return signalled
