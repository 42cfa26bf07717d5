"""Several replicas on one PostgreSQL database: no change is lost or made twice."""

import asyncio
import json
import secrets
import shutil
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection, delete, inspect, text
from sqlalchemy.exc import DBAPIError

from approvals.decisions.store import SqlApprovalStore
from approvals.domain import AlreadyDecided, Case
from approvals.tables import SCHEMA as APPROVALS_SCHEMA
from fakes.schemas import migrated
from fakes.waiting import until
from orderflow_contracts.approvals import ApprovalRequested, Decision, DecisionMade
from orderflow_contracts.fields import now
from orderflow_contracts.orders import OrderLine, OrderStatus, OrderSubmitted
from orderflow_hosting.access import Audit, Principal, Role
from orderflow_hosting.access.sessions import Sessions
from orderflow_hosting.access.throttle import Throttle
from orderflow_hosting.background import BackgroundWork
from orderflow_hosting.database import Database, DatabaseNotReady, DatabaseUnavailable
from orderflow_hosting.dead_letters import DeadLetters
from orderflow_hosting.engines import open_engine
from orderflow_hosting.migrations.schema import Schema
from orderflow_hosting.outbox import Message, Relay, add_within
from orderflow_hosting.outbox.lease import LEASE_SECONDS
from orderflow_hosting.retrying import is_around
from orderflow_hosting.sidecar import Sidecar
from orderflow_hosting.spellings import backfill_spellings
from orderflow_lab.postgres_server import PostgresServer
from orders.board.search import OrderFilter
from orders.board.store import BoardStore
from orders.board.tables import SOURCES
from orders.migrations.first_tables import TABLES as FIRST_TABLES
from orders.ordering.changes import accept_within
from orders.ordering.feed import StatusFeed
from orders.ordering.records import OtherContent, new_run_id
from orders.ordering.store import OrderStore
from orders.payments.built_in import BuiltInProvider
from orders.payments.service import RecordedPayments
from orders.payments.store import PaymentStore
from orders.tables import ACCESS, DEAD_LETTERS, SCHEMA, TABLES
from orders.tasks.store import TaskStore
from system.stores import new_database, postgres_programs

T = TypeVar("T")

REPLICAS = 4
ORDERS = 40
PATIENCE_SECONDS = 30
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    """Create a database for one test."""
    return new_database(postgres)


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """Run a server that one test may stop."""
    with PostgresServer(postgres_programs()) as server:
        yield server


def on_replicas(url: str, schema: Schema, work: Callable[[Database], Awaitable[T]]) -> list[T]:
    """Run the same work on several replicas at once, each with its own database object and loop."""
    begin = threading.Barrier(REPLICAS)

    async def replica() -> T:
        database = Database(await asyncio.to_thread(migrated, url, schema), schema)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await database.ready()
            await asyncio.to_thread(begin.wait, PATIENCE_SECONDS)
            return await work(database)
        finally:
            database.close()

    with ThreadPoolExecutor(REPLICAS) as pool:
        running = [pool.submit(asyncio.run, replica()) for _ in range(REPLICAS)]
        return [each.result() for each in running]


@contextmanager
def opened(url: str, *, is_migrated: bool = False) -> Iterator[Database]:
    database = Database(url if is_migrated else migrated(url, SCHEMA), SCHEMA)
    try:
        yield database
    finally:
        database.close()


def an_order(order_id: str, quantity: int = 1) -> OrderSubmitted:
    lines = (OrderLine(item="cars", quantity=quantity),)
    return OrderSubmitted(order_id=order_id, customer_id="alice", lines=lines)


class Gate:
    """Delays a writer between its work and its commit."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self._open = threading.Event()

    def hold(self) -> None:
        """Wait to be opened."""
        self.entered.set()
        assert self._open.wait(PATIENCE_SECONDS)

    def open(self) -> None:
        """Let it commit."""
        self._open.set()


async def is_waiting_for_a_lock(database: Database) -> bool:
    """Return whether a session of this database waits for a lock."""
    query = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    count = await database.read(lambda connection: connection.scalar(query))
    return bool(count)


async def followed(feed: StatusFeed, count: int) -> list[str]:
    """Read this many changes from the beginning."""
    found: list[str] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        async for kept in feed.follow(0):
            found += [kept.change.order_id] if kept else []
            if len(found) >= count:
                break
    return found


class Recorder(Sidecar):
    """Records what the replicas publish."""

    def __init__(self) -> None:
        """Connect to nothing."""
        self.published: list[str] = []

    async def publish_together(
        self, topic: str, events: Sequence[tuple[str, bytes]], *, seconds: float
    ) -> None:
        """Record the events, with a pause in which other replicas may go on."""
        assert (topic, seconds > 0) == ("orders.status", True)
        await asyncio.sleep(0.01)
        self.published += [event.decode() for _, event in events]

    async def until_published(self, count: int) -> None:
        """Wait until so many different events are published."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(set(self.published)) < count:
                await asyncio.sleep(0.02)

    def of(self, key: str) -> list[int]:
        """Return the numbers of a key's events, without repetitions."""
        found = dict.fromkeys(event for event in self.published if event.startswith(f"{key}."))
        return [int(event.rpartition(".")[2]) for event in found]


@asynccontextmanager
async def publishing(database: Database, recorder: Recorder) -> AsyncIterator[Relay]:
    """Publish what is promised, until the process dies without a word to the others."""
    letters = DeadLetters(database, DEAD_LETTERS, subject_of=lambda _: None)
    relay = Relay(database, recorder, letters.take_back_within)
    async with BackgroundWork() as background:
        relay.keep_publishing(background)
        yield relay


async def promise(databases: Sequence[Database], keys: Sequence[str], numbers: range) -> None:
    """Let the replicas promise events one after the other, of each key in turn."""
    for number in numbers:
        for key in keys:
            event = Message(key, "orders.status", f"{key}.{number}".encode())
            work = partial(lambda event, connection: add_within(connection, event), event)
            await databases[number % len(databases)].write(work)


async def test_one_replica_publishes_for_all_and_another_takes_over(url: str) -> None:
    """Nothing is lost or overtaken when the one that publishes dies, or stops in good order."""
    recorder, keys = Recorder(), ("a", "b", "c")
    with opened(url) as one, opened(url) as other, opened(url) as last:
        for database in (one, other, last):
            await database.ready()
        async with publishing(one, recorder):
            await promise([one], keys, range(1))
            await recorder.until_published(3)  # so that it is the one
            async with publishing(other, recorder):
                await promise([one, other], keys, range(1, 20))
                await recorder.until_published(60)
                assert len(recorder.published) == 60
        async with publishing(other, recorder) as relay:
            began_at = time.monotonic()
            await promise([one, other], keys, range(20, 40))
            await recorder.until_published(120)
            assert time.monotonic() - began_at < LEASE_SECONDS + 5
        await relay.give_back()
        async with publishing(last, recorder):
            began_at = time.monotonic()
            await promise([one, last], keys, range(40, 41))
            await recorder.until_published(123)
            assert time.monotonic() - began_at < LEASE_SECONDS / 2
        assert [recorder.of(key) for key in keys] == [list(range(41))] * len(keys)


async def test_a_follower_misses_no_change_that_is_committed_late(url: str) -> None:
    """Changes are committed in the order of their positions."""
    gate = Gate()
    with opened(url) as one, opened(url) as other:
        await one.ready()
        await other.ready()

        def accept_late(connection: Connection) -> None:
            accept_within(connection, an_order("late"), new_run_id(), now())
            gate.hold()

        late = asyncio.create_task(one.write(accept_late))
        assert await asyncio.to_thread(gate.entered.wait, PATIENCE_SECONDS)
        early = asyncio.create_task(OrderStore(other).accept(an_order("early")))

        async def is_decided() -> bool:
            return early.done() or await is_waiting_for_a_lock(other)

        await until(is_decided)
        store = OrderStore(other)
        read_meanwhile = await store.changes(0, 10)  # as a follower does
        gate.open()
        await asyncio.gather(late, early)
        position = max((kept.position for kept in read_meanwhile), default=0)
        read_after = await store.changes(position, 10)

        ids = [kept.change.order_id for kept in (*read_meanwhile, *read_after)]
        assert sorted(ids) == ["early", "late"]


def test_a_follower_gets_changes_of_all_replicas_once_and_in_order(url: str) -> None:
    """A follower sees each change once, with growing positions, while replicas write."""

    async def work(database: Database) -> tuple[int, list[str]]:
        store = OrderStore(database)
        total = REPLICAS * ORDERS
        following = asyncio.create_task(followed(StatusFeed(store, shared=True), total))
        name = secrets.token_hex(4)
        await asyncio.gather(
            *(store.accept(an_order(f"{name}-{number}")) for number in range(ORDERS))
        )
        return await store.last_position(), await following

    for _, positions in on_replicas(url, SCHEMA, work):
        assert len(positions) == len(set(positions)) == REPLICAS * ORDERS


def test_an_order_delivered_to_all_replicas_is_new_once(url: str) -> None:
    """One replica accepts it as new; all refuse other content."""
    ids = [f"o{number}" for number in range(ORDERS)]

    async def work(database: Database) -> tuple[int, int]:
        store = OrderStore(database)
        same = [await store.accept(an_order(order_id)) for order_id in ids]  # each a race
        other = await asyncio.gather(
            *(store.accept(an_order(order_id, 2)) for order_id in ids), return_exceptions=True
        )
        return (
            sum(accepted.is_new for accepted in same),
            sum(isinstance(refusal, OtherContent) for refusal in other),
        )

    outcomes = on_replicas(url, SCHEMA, work)

    assert sum(new for new, _ in outcomes) == ORDERS
    assert [refused for _, refused in outcomes] == [ORDERS] * REPLICAS


def test_replicas_agree_which_of_two_contents_is_the_order(url: str) -> None:
    """Different contents for one id, sent to different replicas, give one order."""
    ids = [f"o{number}" for number in range(ORDERS)]
    quantities = iter(range(1, REPLICAS + 1))

    async def work(database: Database) -> list[bool]:
        store, quantity = OrderStore(database), next(quantities)
        outcomes = await asyncio.gather(
            *(store.accept(an_order(order_id, quantity)) for order_id in ids),
            return_exceptions=True,
        )
        assert all(isinstance(x, OtherContent) or x.is_new for x in outcomes), outcomes  # type: ignore[union-attr]
        return [not isinstance(outcome, OtherContent) for outcome in outcomes]

    outcomes = on_replicas(url, SCHEMA, work)

    assert [sum(each) for each in zip(*outcomes, strict=True)] == [1] * ORDERS


def test_only_one_run_of_an_order_records(url: str) -> None:
    """If several replicas run an order, one run owns it, and the order ends once."""
    ids = [f"o{number}" for number in range(ORDERS)]

    async def work(database: Database) -> list[bool]:
        run_id = new_run_id()
        store = OrderStore(database, new_run_id=lambda: run_id)
        await asyncio.gather(*(store.accept(an_order(order_id)) for order_id in ids))
        owned = []
        for order_id in ids:
            records = [
                await store.record(order_id, run_id, status)
                for status in (OrderStatus.RESERVED, OrderStatus.PAID, OrderStatus.COMPLETED)
            ]
            owned.append(all(records))
            assert all(records) or not any(records)
        return owned

    outcomes = on_replicas(url, SCHEMA, work)

    assert [sum(each) for each in zip(*outcomes, strict=True)] == [1] * ORDERS


def test_replicas_agree_on_the_rollback_of_a_stopped_order(url: str) -> None:
    """All replicas that find a stopped order name the same rollback run."""
    ids = [f"o{number}" for number in range(ORDERS)]

    async def work(database: Database) -> list[str | None]:
        store = OrderStore(database)
        await asyncio.gather(*(store.accept(an_order(order_id)) for order_id in ids))
        return list(await asyncio.gather(*(store.hand_to_undo(order_id) for order_id in ids)))

    names = on_replicas(url, SCHEMA, work)

    assert all(len(set(each)) == 1 and each[0] for each in zip(*names, strict=True))


def test_replicas_charge_and_refund_once(url: str) -> None:
    """Concurrent charges and refunds leave at most one charge and one refund of it."""
    ids = [f"o{number}" for number in range(ORDERS)]

    async def work(database: Database) -> list[list[tuple[str, int]]]:
        payments = RecordedPayments(BuiltInProvider(), PaymentStore(database))
        for order_id in ids:  # each a race
            await payments.charge(order_id, "alice", 500)
        await asyncio.gather(*(payments.refund(order_id) for order_id in ids[::2]))
        entries = [await payments.store.entries(order_id) for order_id in ids]
        return [[(entry.kind, entry.amount_cents) for entry in each] for each in entries]

    for books in on_replicas(url, SCHEMA, work):
        for number, entries in enumerate(books):
            if number % 2:
                assert entries == [("charge", 500)]
            else:
                assert entries in ([("refund", 0)], [("charge", 500), ("refund", 500)])


def test_replicas_assign_a_task_to_one_person(url: str) -> None:
    """Replicas that receive and assign a task at once agree on the assignee."""
    ids = [f"t{number}" for number in range(ORDERS)]

    async def work(database: Database) -> list[str]:
        tasks, me = TaskStore(database), secrets.token_hex(4)
        for task_id in ids:  # each a race
            await tasks.receive(task_id, me, "Pick")
        assigned = await asyncio.gather(*(tasks.assign(task_id, me, ()) for task_id in ids))
        return [task.assignee for task in assigned]

    assignees = on_replicas(url, SCHEMA, work)

    assert all(len(set(each)) == 1 for each in zip(*assignees, strict=True))


def test_the_first_decision_stands_on_all_replicas(url: str) -> None:
    """Once one replica has recorded a decision, all refuse another one."""
    ids = [f"o{number}" for number in range(ORDERS)]
    lines = (OrderLine(item="cars", quantity=4),)

    async def work(database: Database) -> list[bool]:
        store, me = SqlApprovalStore(database), secrets.token_hex(4)
        decision = Decision(approved=True, approver=me)

        async def decide(order_id: str) -> bool:
            request = ApprovalRequested(
                order_id=order_id,
                customer_id="alice",
                lines=lines,
                total_cents=1,
                expires_at=NOW + timedelta(days=1),
            )
            await store.change(order_id, lambda case: case.add_request(request, NOW))
            try:
                await store.change(order_id, decided_now)
            except AlreadyDecided:
                return False
            return True

        def decided_now(case: Case) -> Case:
            return case.decide(decision_about(case), NOW)

        def decision_about(case: Case) -> DecisionMade:
            return DecisionMade(order_id=case.order_id, **decision.model_dump())

        return [await decide(order_id) for order_id in ids]  # each a race

    outcomes = on_replicas(url, APPROVALS_SCHEMA, work)

    assert [sum(each) for each in zip(*outcomes, strict=True)] == [1] * ORDERS


async def test_a_frozen_replica_does_not_block_the_others(url: str) -> None:
    """A writer frozen in its transaction retries it later; nobody gets an error."""
    gate = Gate()
    with opened(url) as frozen, opened(url) as other:
        await frozen.ready()
        await other.ready()

        def accept_and_freeze(connection: Connection) -> None:
            accept_within(connection, an_order("frozen"), new_run_id(), now())
            gate.hold()

        lost = asyncio.create_task(frozen.write(accept_and_freeze))
        assert await asyncio.to_thread(gate.entered.wait, PATIENCE_SECONDS)

        async with asyncio.timeout(PATIENCE_SECONDS):
            assert (await OrderStore(other).accept(an_order("o1"))).is_new
        gate.open()

        await lost
        positions = [kept.position for kept in await OrderStore(other).changes(0, 10)]
        assert len(positions) == 2
        assert await OrderStore(other).order("frozen") is not None


NEWER = '''
"""A revision for tests."""

import sqlalchemy as sa
from alembic import op

revision = "0099"
down_revision = "{newest}"


def upgrade() -> None:
    op.add_column("orders", sa.Column("colour", sa.String(10)))
    op.add_column("orders", sa.Column("weight", sa.Integer, nullable=False, server_default="7"))
'''


@pytest.fixture
def newer(tmp_path: Path) -> Schema:
    """Add the columns of a later version to the schema."""
    versions = tmp_path / "versions"
    shutil.copytree(SCHEMA.versions, versions)
    (versions / "r0099_later.py").write_text(NEWER.format(newest=SCHEMA.needed))
    return Schema("orders", versions)


def test_replicas_that_start_at_once_create_the_schema_once(url: str, newer: Schema) -> None:
    """Concurrent creation of tables and columns causes no error."""

    async def columns(database: Database) -> set[str]:
        def read(connection: Connection) -> set[str]:
            return {column["name"] for column in inspect(connection).get_columns("orders")}

        return await database.read(read)

    before = on_replicas(url, SCHEMA, columns)
    after = on_replicas(url, newer, columns)

    assert all(found == set(TABLES.tables["orders"].columns.keys()) for found in before)
    assert all({"colour", "weight"} <= found for found in after)


async def test_a_service_waits_for_a_database_that_comes_up_later(
    own_server: PostgresServer,
) -> None:
    """It reports the reason until the server answers, then starts."""
    url = migrated(new_database(own_server), SCHEMA)
    own_server.stop()
    with opened(url, is_migrated=True) as database:
        store = OrderStore(database)
        with pytest.raises(DatabaseNotReady) as refusal:
            await store.accept(an_order("o1"))
        assert is_around(refusal.value)

        own_server.start()

        async with asyncio.timeout(PATIENCE_SECONDS):
            await database.ready()
        assert (await store.accept(an_order("o1"))).is_new


async def test_a_wrong_database_password_is_reported_but_not_shown(
    url: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Readiness and log say that the password is wrong, without showing it."""
    user, _, rest = url.removeprefix("postgresql://").partition(":")
    wrong = f"postgresql://{user}:not-the-secret@{rest.partition('@')[2]}"
    with opened(wrong, is_migrated=True) as database:
        message = ""

        async def is_reported() -> bool:
            nonlocal message
            with pytest.raises(DatabaseNotReady) as refusal:
                await database.check()
            message = str(refusal.value)
            return "password authentication failed" in message

        await until(is_reported)

    logged = caplog.text + "".join(capsys.readouterr())
    assert "not-the-secret" not in message + logged


async def test_a_restarted_database_is_used_again(
    own_server: PostgresServer,
) -> None:
    """During the outage work fails with a retryable error; nothing is recorded twice."""
    with opened(new_database(own_server)) as database:
        await database.ready()
        store = OrderStore(database)
        assert (await store.accept(an_order("o1"))).is_new
        own_server.kill()

        outcomes = await asyncio.gather(
            *(store.accept(an_order(f"o{number}")) for number in range(20)),
            store.order("o1"),
            return_exceptions=True,
        )
        assert all(isinstance(each, Exception) and is_around(each) for each in outcomes), outcomes

        own_server.start()
        again = await asyncio.gather(
            *(store.accept(an_order(f"o{number}")) for number in range(20))
        )
        assert [accepted.is_new for accepted in again] == [number != 1 for number in range(20)]


async def test_a_read_only_former_primary_is_abandoned(own_server: PostgresServer) -> None:
    """After a failover it refuses to write; the next attempt opens a new connection."""
    pid = text("SELECT pg_backend_pid()")
    with opened(new_database(own_server)) as database:
        await database.ready()
        store = OrderStore(database)
        former = await database.write(lambda connection: connection.scalar(pid))
        own_server.set_read_only(on=True)

        async def refuses() -> bool:
            try:
                await store.accept(an_order(secrets.token_hex(4)))
            except DatabaseUnavailable as error:
                return "read-only" in str(error)
            return False

        await until(refuses)
        with pytest.raises(DatabaseUnavailable, match="read-only"):
            await database.write(database._write_probe)
        assert await store.order("o1") is None
        own_server.set_read_only(on=False)

        async def accepts() -> bool:
            return not await refuses()

        await until(accepts)
        assert await database.write(lambda connection: connection.scalar(pid)) != former


async def test_no_statements_are_prepared_on_the_server(url: str) -> None:
    """PgBouncer in transaction mode may give each transaction another session."""

    def work(connection: Connection) -> object:
        for number in range(20):
            connection.scalar(text("SELECT CAST(:number AS integer)"), {"number": number})
        return connection.scalar(text("SELECT count(*) FROM pg_prepared_statements"))

    with opened(url) as database:
        await database.ready()
        assert await database.read(work) == 0
        assert await database.write(work) == 0


async def test_the_database_refuses_to_change_the_audit_trail(url: str) -> None:
    """Entries and outcomes cannot be updated, deleted or truncated."""
    with opened(url) as database:
        await database.ready()
        audit = Audit(database, ACCESS)
        ann = Principal("ann", frozenset({Role.OPERATOR}), "token")
        await audit.end(await audit.begin(ann, "order.cancel", "o1", {"body": "\0"}), "done")
        before = await audit.page(10, None)
        for table in ("audit", "audit_outcomes"):
            for change in (
                f"UPDATE {table} SET at = now()",  # noqa: S608 # two names of our own
                f"DELETE FROM {table}",  # noqa: S608 # likewise
                f"TRUNCATE {table} CASCADE",
            ):
                with pytest.raises(DBAPIError, match="cannot be changed"):
                    await database.write(partial(Connection.execute, statement=text(change)))

        assert await audit.page(10, None) == before
        assert [entry.outcome for entry in before] == ["done"]


def test_replicas_share_the_count_of_wrong_passwords(url: str) -> None:
    """Trying at several replicas gives no more attempts than at one."""

    async def work(database: Database) -> list[bool]:
        throttle = Throttle(database, ACCESS)
        return [await throttle.begin("ann", "10.0.0.1") > 0 for _ in range(5)]

    refused = [each for replica in on_replicas(url, SCHEMA, work) for each in replica]

    assert refused.count(False) == 5


def test_replicas_share_sessions(url: str) -> None:
    """Signing in or out at one replica does so at all."""
    cookies: list[str] = []

    async def begin(database: Database) -> None:
        cookies.append((await Sessions(database, ACCESS, hours=8).open("ann", "session"))[0])

    async def find(database: Database) -> list[bool]:
        sessions = Sessions(database, ACCESS, hours=8)
        return [await sessions.find(cookie) is not None for cookie in cookies]

    on_replicas(url, SCHEMA, begin)

    assert on_replicas(url, SCHEMA, find) == [[True] * REPLICAS] * REPLICAS


def test_the_boards_counts_are_right_with_several_replicas(url: str) -> None:
    """Each order is counted once: in totals, sales and lists by item."""

    async def work(database: Database) -> None:
        store = OrderStore(database, new_run_id=lambda: "run")
        for number in range(ORDERS):
            await store.accept(an_order(f"Order_{number:03}"))
            await store.record(f"Order_{number:03}", "run", OrderStatus.COMPLETED)
        await BoardStore(database).fill()

    on_replicas(url, SCHEMA, work)

    async def read() -> None:
        with opened(url) as database:
            await database.ready()
            board = BoardStore(database)
            counts = await board.counts()
            assert {status: count for status, count in counts.items() if count} == {
                OrderStatus.COMPLETED: ORDERS
            }
            assert await board.sold() == {"cars": ORDERS}
            by_item = await board.search(OrderFilter(item="cars", customer_id="alice"), 100)
            by_id = await board.search(OrderFilter(order_id="Order_03"), 5)
            assert len(by_item.orders) == ORDERS
            assert [each.order_id for each in by_id.orders] == [f"Order_03{n}" for n in range(5)]
            rest = await board.search(OrderFilter(order_id="Order_03"), 5, by_id.next)
            assert [each.order_id for each in rest.orders] == [f"Order_03{n}" for n in range(5, 10)]

    asyncio.run(read())


async def test_search_for_names_and_ids_ignores_case(url: str) -> None:
    """Rows of an earlier version are found, too, even if several replicas index them at once."""
    names = ("José", "Jose\u0301", "JOSÉ")
    with opened(url) as one, opened(url) as two:
        await one.ready()
        await two.ready()
        for number, name in enumerate(names):
            order = an_order(f"Id-{number}").model_copy(update={"customer_id": name})
            await OrderStore(one).accept(order)
        await one.write(lambda connection: connection.execute(delete(ACCESS.spellings)))
        board = BoardStore(two)
        before = (await board.search(OrderFilter(customer_id="José"), 5)).orders
        sources = [(database, source) for database in (one, two) for source in SOURCES]
        await asyncio.gather(*(backfill_spellings(*each) for each in sources))

        found = (await board.search(OrderFilter(customer_id="jose"), 5)).orders
        by_id = await board.search(OrderFilter(order_id="ID-"), 2)
        rest = await board.search(OrderFilter(order_id="ID-"), 2, by_id.next)

    assert [each.order_id for each in before] == ["Id-0"]
    assert [each.order_id for each in found] == ["Id-2", "Id-1", "Id-0"]
    assert [each.order_id for each in (*by_id.orders, *rest.orders)] == ["Id-0", "Id-1", "Id-2"]


async def test_the_board_adopts_tables_of_an_earlier_version(url: str) -> None:
    """Existing orders are counted, and the board's indexes are created."""
    added = {"order_counts", "item_sales", "order_lines", "order_lines_left"}
    first = [table for table in FIRST_TABLES.sorted_tables if table.name not in added]
    insert = text(
        "INSERT INTO orders (order_id, customer_id, lines, status, sequence, created_at,"
        " updated_at) VALUES (:id, 'alice', CAST(:lines AS json), :status, 1, now(), now())"
    )
    orders = [
        {
            "id": f"o{number:03}",
            "lines": json.dumps([{"item": "cars", "quantity": number + 1}]),
            "status": "completed" if number == 1 else "received",
        }
        for number in range(ORDERS)
    ]
    engine = open_engine(url)
    with engine.begin() as connection:
        FIRST_TABLES.create_all(connection, tables=first)
        connection.execute(text("DROP INDEX orders_by_customer, orders_by_plain_id"))
        connection.execute(insert, orders)
    engine.dispose()

    with opened(url) as database:
        await database.ready()
        board = BoardStore(database)
        before = (await board.search(OrderFilter(item="cars"), 100)).orders
        await board.fill()
        found = await board.search(OrderFilter(item="cars"), 100)
        counts = await board.counts()
        sold = await board.sold()
        indexes = await database.read(lambda connection: inspect(connection).get_indexes("orders"))

    assert before == ()
    assert len(found.orders) == ORDERS
    assert (counts[OrderStatus.RECEIVED], counts[OrderStatus.COMPLETED]) == (ORDERS - 1, 1)
    assert sold == {"cars": 2}
    assert {"orders_by_customer", "orders_by_plain_id"} <= {each["name"] for each in indexes}
