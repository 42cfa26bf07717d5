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
"""Orders says something every 15 seconds; a connection that says nothing for so long is dead."""
PATIENCE_SECONDS: Final = 30.0
"""For so long a feed that broke is opened again, from where it was, before it gives up."""
FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 2.0
EVENT: Final = "orders.status"


class StatusFeed:
    """Reads along in a thread of its own, from the moment when it is entered.

    Thus nothing is missed while a person thinks, and a wait can end at any time.
    """

    def __init__(
        self,
        orders_url: str,
        credential: Credential | None = None,
        *,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._orders_url = orders_url
        self._credential = credential
        self._patience = patience
        self._arrived: queue.Queue[OrderStatusChanged | OrderflowError] = queue.Queue()
        self._settled = threading.Event()
        self._closing = threading.Event()
        self._failure: OrderflowError | None = None
        self._socket: socket.socket | None = None
        self._is_open = False
        self._position = ""
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Open the feed; raise `OrderflowError` at once if orders is not there."""
        limits = httpx.Timeout(service.CONNECT_SECONDS, read=SILENCE_SECONDS)
        http = open_client(limits, self._orders_url)
        self._thread = threading.Thread(
            target=self._run, args=(http,), name="status-feed", daemon=True
        )
        self._thread.start()
        self._settled.wait()
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
            # Closing would not wake the thread out of its read; this does.
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        if self._thread is not None:
            self._thread.join(service.CONNECT_SECONDS)

    def next(self, timeout: float) -> OrderStatusChanged | None:
        """Wait for a change of any order; None after so many seconds without one.

        Raises `OrderflowError` when the feed broke and could not be opened again.
        """
        try:
            arrived = self._arrived.get(timeout=max(0.0, timeout))
        except queue.Empty:
            return None
        if isinstance(arrived, OrderflowError):
            raise arrived
        return arrived

    def _run(self, http: httpx.Client) -> None:
        pause, broken_since = FIRST_PAUSE_SECONDS, time.monotonic()
        with http:
            while True:
                self._is_open = False
                failure = self._read_until_broken(http)
                if self._is_open:
                    pause, broken_since = FIRST_PAUSE_SECONDS, time.monotonic()
                if self._is_over(failure, time.monotonic() - broken_since):
                    return
                self._closing.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _read_until_broken(self, http: httpx.Client) -> OrderflowError:
        try:
            self._read(http)
        except httpx.TransportError as error:
            return explain(ORDERS, self._orders_url, error)
        except (SSEError, ValidationError) as error:
            return OrderflowError(f"orders at {self._orders_url} sends no status feed: {error}")
        except OrderflowError as error:
            return error
        return explain(ORDERS, self._orders_url, httpx.ReadError("the feed ended"))

    def _read(self, http: httpx.Client) -> None:
        headers = {"accept": "text/event-stream", "cache-control": "no-store"}
        headers |= service.shown(self._credential, self._orders_url)
        if self._position:
            headers["last-event-id"] = self._position
        with http.stream("GET", f"{self._orders_url}/orders/stream", headers=headers) as response:
            self._socket = response.extensions["network_stream"].get_extra_info("socket")
            if self._closing.is_set():
                return
            if not response.is_success:
                response.read()
                raise service.refusal(ORDERS, self._orders_url, response, self._credential)
            self._is_open = True
            self._settled.set()
            for event in EventSource(response).iter_sse():
                if event.event == EVENT:
                    self._arrived.put(OrderStatusChanged.model_validate_json(event.data))
                self._position = event.id or self._position

    def _is_over(self, failure: OrderflowError, broken_seconds: float) -> bool:
        """Tell whether to leave it: closed, never opened, or broken for too long."""
        if self._closing.is_set():
            return True
        if not self._settled.is_set():
            self._failure = failure
            self._settled.set()
            return True
        if broken_seconds > self._patience:
            self._arrived.put(failure)
            return True
        return False
