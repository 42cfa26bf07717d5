"""A way between a service and its sidecar that can be cut."""

import socket
import threading
from contextlib import suppress
from typing import Self

LOOPBACK = "127.0.0.1"


class Way:
    """Takes connections on a port of its own and leads them to another on this machine."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server((LOOPBACK, 0))
        self._ends: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._take)]

    @property
    def port(self) -> int:
        """Where the way begins."""
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        _shut(self._listener)
        self._threads[0].join()
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join()

    def cut(self) -> None:
        """Break every connection; the next is taken again."""
        for end in list(self._ends):
            _shut(end)

    def _take(self) -> None:
        with suppress(OSError):  # which is how a listener ends
            while True:
                near, _ = self._listener.accept()
                thread = threading.Thread(target=self._lead, args=[near])
                self._threads.append(thread)
                thread.start()

    def _lead(self, near: socket.socket) -> None:
        with near, suppress(OSError), socket.create_connection((LOOPBACK, self._target)) as far:
            ends = {near, far}
            self._ends |= ends
            for end in ends:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=_hand_on, args=[far, near])
            back.start()
            _hand_on(near, far)
            back.join()
            self._ends -= ends


def _hand_on(source: socket.socket, sink: socket.socket) -> None:
    """Hand on what comes until one of the two is cut, then cut both."""
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    _shut(source)
    _shut(sink)


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
