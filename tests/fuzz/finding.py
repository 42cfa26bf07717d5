"""Finds what each marked event has become, in the dead letters and in the services' tables."""

import base64
import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, Final

from fakes.generated_events import ORDERS_OVER_HTTP
from orderflow_contracts import names
from system.shop import Shop

MARKER: Final = re.compile(rb"fuzz[0-9a-f]{8}n[0-9]{6}e")


@dataclass(frozen=True)
class _Record:
    """What an accepted event becomes: its name, and where it is found. Some have no API."""

    kind: str
    app_id: str
    table: str
    columns: str
    where: str = "true"


_ORDER: Final = _Record(
    "order",
    "orders",
    "orders",
    "order_id, customer_id, details, event_key",
    "NOT (status = 'rejected' AND reason = 'invalid')",
)
# A decision or withdrawal counts from its request on: until then nobody sees it, and it is parked.
_RECORDS: Final = {
    ORDERS_OVER_HTTP: _ORDER,
    names.ORDERS_SUBMITTED: _ORDER,
    names.ORDERS_BATCH_SUBMITTED: _Record(
        "batch",
        "orders",
        "batches",
        "batch_id, (SELECT group_concat(order_id) FROM batch_orders o"
        " WHERE o.batch_id = batches.batch_id)",
    ),
    names.TASKS_COMPLETED: _Record("task", "orders", "tasks", "task_id", "status = 'completed'"),
    names.APPROVALS_REQUESTED: _Record(
        "approval", "approvals", "approvals", "order_id, customer_id", "requested_at IS NOT NULL"
    ),
    names.APPROVALS_DECISIONS: _Record(
        "decision",
        "approvals",
        "approvals",
        "order_id, approver, comment, endorser, endorsement",
        "requested_at IS NOT NULL AND (decided_at IS NOT NULL OR endorsed_at IS NOT NULL)",
    ),
    names.APPROVALS_WITHDRAWN: _Record(
        "withdrawal",
        "approvals",
        "approvals",
        "order_id, ended_reason",
        "requested_at IS NOT NULL AND ended_at IS NOT NULL",
    ),
}


@dataclass(frozen=True)
class Found:
    """What an event has become; `data` are the bytes that are kept of it, if any."""

    kind: str
    data: bytes | None = None
    reason: str = ""


class Finder:
    """Looks for marked events on a running platform whose services use SQLite."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._letters: dict[tuple[str, str], list[Found]] = defaultdict(list)
        self._newest_letter: dict[str, int] = defaultdict(int)
        self._position: dict[str, str] = defaultdict(lambda: "0")
        self._published: dict[tuple[str, str], list[bytes]] = defaultdict(list)
        self._last_row: dict[_Record, int] = {}

    def start_round(self) -> None:
        """Forget the events of earlier rounds, so that a round is as fast as the first one."""
        self._letters.clear()
        self._published.clear()
        for record in _RECORDS.values():
            query = f"SELECT coalesce(max(rowid), 0) FROM {record.table}"  # noqa: S608
            ((self._last_row[record],),) = self._rows(record.app_id, query)

    def found(self, run: str, *, in_old_rows: bool = False) -> dict[tuple[str, str], list[Found]]:
        """Return what was found of the round's events, by door and marker.

        An order can also be in a row of an earlier round, in which a refused event had its id.
        """
        for app_id in _with_topics():
            self._read_letters(app_id)
        found = {key: list(letters) for key, letters in self._letters.items()}
        for door, record in _RECORDS.items():
            query = (
                f"SELECT {record.columns} FROM {record.table}"  # noqa: S608
                f" WHERE rowid > {0 if in_old_rows else self._last_row[record]} AND {record.where}"
            )
            for row in self._rows(record.app_id, query):
                for marker in markers(repr(row).encode(), run):
                    found.setdefault((door, marker), []).append(Found(record.kind))
        for app_id in _with_topics():
            for topic, event, error in self._rows(
                app_id, "SELECT topic, event, error FROM parked_events"
            ):
                for marker in markers(event, run):
                    parked = Found("parked event", event, error)
                    found.setdefault((topic, marker), []).append(parked)
        return found

    def published(self, topic: str, marker: str) -> list[bytes]:
        """Return the events with this marker as they lie in the broker."""
        entries: Any = self._shop.broker.xrange(topic, min=f"({self._position[topic]}")
        for position, fields in entries:
            self._position[topic] = position.decode()
            for found in markers(fields[b"data"]):
                self._published[topic, found].append(fields[b"data"])
        return self._published[topic, marker]

    def all_handled(self) -> bool:
        """Return whether the services have acknowledged all events, also those of dead letters."""
        topics = [topic for app_id in _with_topics() for topic in names.SUBSCRIPTIONS[app_id]]
        behind = map(names.dead_letter_topic, topics)
        known = [topic for topic in (*topics, *behind) if self._shop.broker.exists(topic)]
        return all(map(self._shop.all_acknowledged, known))

    def _read_letters(self, app_id: str) -> None:
        """Read the dead letters that are new since the last call."""
        url, after, newest = self._shop.url(app_id, "/dead-letters"), None, 0
        while True:
            params = {"limit": 500} | ({"after": after} if after else {})
            page = self._shop.http.get(url, params=params).json()
            new = [one for one in page["items"] if one["id"] > self._newest_letter[app_id]]
            for letter in new:
                newest = max(newest, letter["id"])
                self._read_letter(f"{url}/{letter['id']}", letter["topic"])
            after = page["next"]
            if len(new) < len(page["items"]) or after is None:
                break
        self._newest_letter[app_id] = max(newest, self._newest_letter[app_id])

    def _read_letter(self, url: str, topic: str) -> None:
        response = self._shop.http.get(url)
        letter = response.json()
        data = base64.b64decode(letter["data_base64"])
        for marker in markers(data + response.content):
            self._letters[topic, marker].append(Found("dead letter", data, letter["reason"]))

    def _rows(self, app_id: str, query: str) -> list[Any]:
        path = self._shop.platform.settings.home / f"data/{app_id}.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as database:
            return database.execute(query).fetchall()


def _with_topics() -> Iterator[str]:
    return (app_id for app_id, topics in names.SUBSCRIPTIONS.items() if topics)


def markers(data: bytes, run: str = "") -> set[str]:
    """Return the markers in an event, also those in its `data_base64`."""
    texts = [data]
    with suppress(ValueError, TypeError, KeyError, RecursionError):
        texts.append(base64.b64decode(json.loads(data)["data_base64"]))
    found = {marker.decode() for text in texts for marker in MARKER.findall(text)}
    return {marker for marker in found if marker.startswith(run)}


def holds(kept: Found, published: bytes) -> bool:
    """Return whether the kept bytes are those of the event in the broker, or of its data.

    This reads the event in another way than the services do.
    """
    if kept.data == published:
        return True
    try:
        envelope = _load(published)
        if "data_base64" in envelope:
            return base64.b64decode(envelope["data_base64"]) == kept.data
        data = envelope.get("data")
        if isinstance(data, str) and data.encode("utf-8", "surrogatepass") == kept.data:
            return True
        return bool(_load(kept.data or b"null") == data)
    except (ValueError, TypeError, AttributeError):
        return False


def _load(text: bytes) -> Any:
    """Read JSON with numbers as they are written, because Python limits their length."""
    return json.loads(text, parse_int=str, parse_float=str)
