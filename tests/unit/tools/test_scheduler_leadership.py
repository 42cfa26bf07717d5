"""A new scheduler's start revokes the leadership of the schedulers that ended before it."""

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psutil
import pytest

from orderflow_tools.ports import LOOPBACK
from orderflow_tools.scheduler import leadership

OWN = "passthrough://own/127.0.0.1:50006"
FORMER = "127.0.0.1:50006"


class Etcd(ThreadingHTTPServer):
    """The part of etcd's gateway that serves keys and leases; this process plays the scheduler."""

    def __init__(self) -> None:
        super().__init__((LOOPBACK, 0), Gateway)
        self.leaders: dict[str, str] = {}
        """The addresses in the keys of leadership, by lease."""
        self.refusals = 0
        self.requests = 0


class Gateway(BaseHTTPRequestHandler):
    """Answers as etcd does."""

    server: Etcd
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """List the keys, or revoke a lease with its keys."""
        etcd = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        etcd.requests += 1
        if etcd.refusals:
            etcd.refusals -= 1
            return self._answer(503, {"message": "etcdserver: leader changed"})
        if self.path == "/v3/lease/revoke":
            return self._answer(200 if etcd.leaders.pop(body["ID"], None) else 404, {})
        assert base64.b64decode(body["key"]) == b"dapr/leadership/"
        assert base64.b64decode(body["range_end"]) == b"dapr/leadership0"
        entries = [
            {"value": base64.b64encode(f"\x08\x01{address}".encode()).decode(), "lease": lease}
            for lease, address in etcd.leaders.items()
        ]
        return self._answer(200, {"kvs": entries} if entries else {})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def etcd() -> Iterator[Etcd]:
    """Serve keys and leases on a free port."""
    with Etcd() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def other() -> Iterator[psutil.Process]:
    """Run a process that serves nothing, until the test ends it."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield psutil.Process(process.pid)
        process.kill()


def revoke(etcd: Etcd, scheduler: psutil.Process | None = None) -> None:
    """Revoke what former schedulers left."""
    leadership.revoke_former(scheduler or psutil.Process(), etcd.server_port, OWN)


def died(process: psutil.Process) -> bool:
    """End a process, and return True."""
    process.kill()
    process.wait()
    return True


def test_only_former_leadership_is_revoked(etcd: Etcd) -> None:
    """The running scheduler's lease stays, whichever of the keys is its own."""
    etcd.leaders = {"1": FORMER, "2": OWN, "3": OWN.replace("own", "former")}

    revoke(etcd)

    assert etcd.leaders == {"2": OWN}


def test_nothing_is_revoked_if_no_key_was_left(etcd: Etcd) -> None:
    """After an orderly stop there is no key, and one request shows it."""
    revoke(etcd)

    assert etcd.requests == 1


def test_a_refusal_is_tried_again(etcd: Etcd) -> None:
    """A request that etcd refuses is sent again until it succeeds."""
    etcd.leaders, etcd.refusals = {"1": FORMER}, 2

    revoke(etcd)

    assert not etcd.leaders


def test_refusals_end_with_a_warning(
    etcd: Etcd, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Once the leases have expired anyway, the log says why they could not be revoked."""
    etcd.leaders, etcd.refusals = {"1": FORMER}, 1_000_000
    monkeypatch.setattr(leadership, "PATIENCE", 0.0)

    revoke(etcd)

    assert "former_leadership_not_revoked" in caplog.text
    assert "leader changed" in caplog.text


def test_the_etcd_of_another_process_is_left_alone(
    etcd: Etcd, other: psutil.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent to a port that the scheduler does not serve itself."""
    etcd.leaders = {"1": FORMER}
    monkeypatch.setattr(leadership, "PATIENCE", 0.3)

    revoke(etcd, other)

    assert (etcd.leaders, etcd.requests) == ({"1": FORMER}, 0)


def test_a_scheduler_that_ended_revokes_nothing(
    etcd: Etcd, other: psutil.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the scheduler dies as its etcd is called, the next one may answer, and is left alone."""
    etcd.leaders = {"1": FORMER}
    monkeypatch.setattr(leadership, "_listens", lambda *_: died(other))

    revoke(etcd, other)

    assert (etcd.leaders, etcd.requests) == ({"1": FORMER}, 0)
