"""Revokes the leadership that a killed scheduler leaves in the etcd embedded in every scheduler.

A scheduler triggers reminders only while it holds a key in etcd. It gives the key back when it is
stopped. When it is killed, the key stays until its lease of 20 seconds expires, counted from the
next start of etcd, and Dapr has no option to shorten that (leaseTTL in go-etcd-cron's
internal/leadership/leadership.go). All workflows would stand still for so long.

This needs a single scheduler, as in a local run. The scheduler that is running is the only one that
can have this etcd's data open, and it stores its own address in its key. So a key with any other
address belongs to a process that has ended, and its lease is not the lease of the running one.
"""

import base64
import contextlib
import http.client
import json
import logging
import time
from collections.abc import Iterator
from typing import Any, Final

import psutil

from orderflow_tools.ports import LOOPBACK

FIRST_KEY: Final = "dapr/leadership/"
END_OF_KEYS: Final = "dapr/leadership0"
"""The first key that is not one of leadership."""
ANSWER_TIMEOUT: Final = 10.0
"""Seconds to wait for an answer; etcd accepts connections a second or two before it answers."""
PATIENCE: Final = 60.0
"""Seconds after which the leases have expired anyway, even if etcd took long to start."""
PAUSE: Final = 0.1

log = logging.getLogger(__name__)


class EtcdRefused(Exception):
    """The answer of etcd is an error."""


def revoke_former(scheduler: psutil.Process, etcd_port: int, address: str) -> None:
    """Revoke every lease of leadership but this scheduler's, as soon as its etcd answers.

    The address identifies the scheduler. Returns early if the scheduler ends.
    """
    deadline = time.monotonic() + PATIENCE
    problem: Exception | None = None
    while scheduler.is_running():
        try:
            if _listens(scheduler, etcd_port):
                return _revoke(scheduler, etcd_port, address)
        except psutil.Error:  # it has just ended
            return None
        except (OSError, http.client.HTTPException, EtcdRefused) as error:
            problem = error
        if time.monotonic() > deadline:
            log.warning("former_leadership_not_revoked reason=%r", problem)
            return None
        time.sleep(PAUSE)
    return None


def _listens(scheduler: psutil.Process, port: int) -> bool:
    connections = scheduler.net_connections("tcp")
    return any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in connections)


def _revoke(scheduler: psutil.Process, etcd_port: int, address: str) -> None:
    connection = http.client.HTTPConnection(LOOPBACK, etcd_port, timeout=ANSWER_TIMEOUT)
    connection.auto_open = 0  # never connect again: the next scheduler could be the one to answer
    with contextlib.closing(connection):
        connection.connect()
        if not scheduler.is_running():  # if it is, the port was its own when we connected
            return
        for lease in list(_other_leases(connection, address)):
            _ask(connection, "/v3/lease/revoke", {"ID": lease})
            log.info("former_leadership_revoked lease=%s", lease)


def _other_leases(connection: http.client.HTTPConnection, address: str) -> Iterator[str]:
    """Yield the leases of all keys of leadership that do not hold the address."""
    keys = {"key": _encoded(FIRST_KEY), "range_end": _encoded(END_OF_KEYS)}
    for entry in _ask(connection, "/v3/kv/range", keys).get("kvs", []):
        if address.encode() not in base64.b64decode(entry["value"]):
            yield entry["lease"]


def _ask(connection: http.client.HTTPConnection, path: str, body: dict[str, str]) -> Any:
    connection.request("POST", path, json.dumps(body))
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != http.HTTPStatus.OK:
        raise EtcdRefused(f"{path}: {answer.status} {content.decode(errors='replace')}")
    return json.loads(content)


def _encoded(key: str) -> str:
    return base64.b64encode(key.encode()).decode()
