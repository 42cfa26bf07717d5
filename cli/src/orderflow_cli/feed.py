"""The live feed of orders' status changes."""

import contextlib
import queue
import socket
import threading
import time
from types import TracebackType
from typing import Final, Self

import httpx
from httpx_sse import EventSource, SSEError
from pydantic import ValidationError

from orderflow_cli import service
from orderflow_cli.connection_errors import explain
from orderflow_cli.credentials import Credential
from orderflow_cli.errors import OrderflowError
from orderflow_cli.proxies import open_client
from orderflow_contracts.names import ORDERS
from orderflow_contracts.orders import OrderStatusChanged

SILENCE_SECONDS: Final = 45.0
"""Orders sends something every 15 seconds; a connection silent for this long is dead."""
RECONNECT_SECONDS: Final = 30.0
"""How long to try reopening a broken feed where it left off, before giving up."""
FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 2.0
EVENT: Final = "orders.status"


class StatusFeed:
    """Reads the feed in its own thread from the moment when it is entered.

    That way nothing is missed while a user is thinking, and a wait can end at any time.
    """

    def __init__(
        self,
        orders_url: str,
        credential: Credential | None = None,
        *,
        reconnect_seconds: float = RECONNECT_SECONDS,
    ) -> None:
        self._orders_url = orders_url
        self._credential = credential
        self._reconnect_seconds = reconnect_seconds
        self._changes: queue.Queue[OrderStatusChanged | OrderflowError] = queue.Queue()
        self._opening_ended = threading.Event()
        self._closing = threading.Event()
        self._failure: OrderflowError | None = None
        self._socket: socket.socket | None = None
        self._is_open = False
        self._position = ""
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Open the feed; raise `OrderflowError` immediately if orders does not answer."""
        limits = httpx.Timeout(service.CONNECT_SECONDS, read=SILENCE_SECONDS)
        http = open_client(limits, self._orders_url)
        self._thread = threading.Thread(
            target=self._run, args=(http,), name="status-feed", daemon=True
        )
        self._thread.start()
        self._opening_ended.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        if self._socket is not None:
            # Unlike close(), this wakes the thread from its blocking read.
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        if self._thread is not None:
            self._thread.join(service.CONNECT_SECONDS)

    def next(self, timeout: float) -> OrderStatusChanged | None:
        """Wait for the next change of any order; return None after `timeout` seconds.

        Raises `OrderflowError` if the feed broke and could not be reopened.
        """
        try:
            change = self._changes.get(timeout=max(0.0, timeout))
        except queue.Empty:
            return None
        if isinstance(change, OrderflowError):
            raise change
        return change

    def _run(self, http: httpx.Client) -> None:
        pause, broken_since = FIRST_PAUSE_SECONDS, time.monotonic()
        with http:
            while True:
                self._is_open = False
                failure = self._read_until_broken(http)
                if self._is_open:
                    pause, broken_since = FIRST_PAUSE_SECONDS, time.monotonic()
                if self._should_stop(failure, time.monotonic() - broken_since):
                    return
                self._closing.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _read_until_broken(self, http: httpx.Client) -> OrderflowError:
        try:
            self._read(http)
        except httpx.TransportError as error:
            return explain(ORDERS, self._orders_url, error)
        except (SSEError, ValidationError) as error:
            return OrderflowError(
                f"orders at {self._orders_url} sent an invalid status feed: {error}"
            )
        except OrderflowError as error:
            return error
        return explain(ORDERS, self._orders_url, httpx.ReadError("the feed ended"))

    def _read(self, http: httpx.Client) -> None:
        headers = {"accept": "text/event-stream", "cache-control": "no-store"}
        headers |= service.auth_headers(self._credential, self._orders_url)
        if self._position:
            headers["last-event-id"] = self._position
        with http.stream("GET", f"{self._orders_url}/orders/stream", headers=headers) as response:
            self._socket = response.extensions["network_stream"].get_extra_info("socket")
            if self._closing.is_set():
                return
            if not response.is_success:
                response.read()
                raise service.error_from_response(
                    ORDERS, self._orders_url, response, self._credential
                )
            self._is_open = True
            self._opening_ended.set()
            for event in EventSource(response).iter_sse():
                if event.event == EVENT:
                    self._changes.put(OrderStatusChanged.model_validate_json(event.data))
                self._position = event.id or self._position

    def _should_stop(self, failure: OrderflowError, broken_seconds: float) -> bool:
        """Return whether to give up: closed, never opened, or broken for too long."""
        if self._closing.is_set():
            return True
        if not self._opening_ended.is_set():
            self._failure = failure
            self._opening_ended.set()
            return True
        if broken_seconds > self._reconnect_seconds:
            self._changes.put(failure)
            return True
        return False
