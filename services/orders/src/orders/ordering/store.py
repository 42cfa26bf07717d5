"""The tables of orders and of their statuses."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    exists,
    func,
    literal,
    or_,
    select,
)

from orderflow_contracts.fields import Clock, now
from orderflow_contracts.orders import (
    Order,
    OrderStatus,
    OrderSubmitted,
)
from orderflow_hosting.database import Database
from orderflow_hosting.outbox import Message, add_within
from orders.ordering.cancelling import (
    end_cancelled_within,
    nothing_charged_within,
    request_cancel_within,
    standing_of,
    start_charge_within,
)
from orders.ordering.changes import (
    SELECT_ORDER,
    accept_within,
    begin_again_within,
    hand_to_undo_within,
    is_promised_within,
    promise_first_within,
    record_within,
)
from orders.ordering.feed_start import StoredPositions
from orders.ordering.naming import NamingEvent, name_within
from orders.ordering.records import (
    BEFORE_CHARGE,
    NOTHING_READ,
    UNFINISHED,
    WAITING,
    Accepted,
    Cancellation,
    ChargeStart,
    Invalid,
    Pending,
    Record,
    Rejected,
    Standing,
    StoredChange,
    new_run_id,
)
from orders.ordering.rejecting import reject_within
from orders.ordering.rows import (
    IS_OUTSTANDING,
    is_entry_of_open_batch,
    order_of,
    pending,
    stored_change,
)
from orders.ordering.started_instances import (
    check_no_order_within,
    forget_start_within,
    record_start_within,
    started_until,
)
from orders.saved_histories import Replaced
from orders.tables import ORDERS, STATUSES


class OrderStore:
    """Stores orders and statuses. Every method is one transaction and is idempotent."""

    def __init__(
        self,
        database: Database,
        clock: Clock = now,
        new_run_id: Callable[[], str] = new_run_id,
    ) -> None:
        self._database = database
        self._clock = clock
        self._new_run_id = new_run_id

    async def accept(self, order: OrderSubmitted, event: NamingEvent | None = None) -> Accepted:
        """Store an order with its first status, unless it is known.

        An order that is known only from refused submissions continues. With an event, this names
        the order, whose own id is not used. Raises `OtherContent` if the id is known with different
        content, and `IdTaken` if it belongs to an instance that the management API started.
        """
        return await self._database.write(
            lambda connection: accept_within(
                connection, order, self._new_run_id(), self._clock(), event
            )
        )

    async def reject_invalid(
        self, order_id: str, invalid: Invalid = NOTHING_READ, event: NamingEvent | None = None
    ) -> Rejected:
        """Store the rejection of a refused submission, unless the id is known.

        With an event, this names the order, and the given id is not used. Returns the rejection of
        the first refused submission, and none if the id belongs to an accepted order.
        """
        return await self._database.write(
            lambda connection: reject_within(connection, order_id, invalid, self._clock(), event)
        )

    async def record_start(self, instance_id: str) -> None:
        """Record that a workflow that is not an order's is about to be started under this id.

        No order can have the id until `forget_start`. Raises `IdOfOrder`.
        """
        await self._database.write(
            lambda connection: record_start_within(connection, instance_id, self._clock())
        )

    async def check_no_order(self, instance_id: str) -> None:
        """Raise `IdOfOrder` if an order has the id, apart from one that was refused it."""
        await self._database.read(lambda connection: check_no_order_within(connection, instance_id))

    async def started_until(self, until: datetime) -> list[str]:
        """Return the instances whose start was recorded until then, oldest first."""
        return await self._database.read(lambda connection: started_until(connection, until))

    async def forget_start(self, instance_id: str, until: datetime) -> None:
        """Free the id of an instance that is gone, unless it was started again after that time."""
        await self._database.write(
            lambda connection: forget_start_within(connection, instance_id, until)
        )

    async def record(
        self,
        order_id: str,
        run_id: str,
        status: OrderStatus,
        *,
        reason: str | None = None,
        detail: str | None = None,
        total_cents: int | None = None,
        along: Sequence[Message] = (),
    ) -> Record | None:
        """Record the order's new status, and promise to publish it and the messages along with it.

        Only the run that was recorded with the order may act for it, and nothing follows a final
        status: for any other run, or after a final status, nothing is recorded and the result is
        None. If the order was cancelled meanwhile, its run learns that, and its last status is
        taken to mean that it has compensated.
        """

        def work(connection: Connection) -> Record | None:
            values = (status, reason, detail, total_cents, self._clock())
            return record_within(connection, order_id, run_id, *values, along=along)

        return await self._database.write(work)

    async def promise_first(self, order_id: str) -> None:
        """Promise to publish the statuses up to `received` that an earlier version recorded."""
        if not await self._database.read(
            lambda connection: is_promised_within(connection, order_id)
        ):
            await self._database.write(
                lambda connection: promise_first_within(connection, order_id)
            )

    async def promise(self, order_id: str, run_id: str, message: Message) -> bool:
        """Promise to publish a message about an order; return False if another run owns it."""

        def work(connection: Connection) -> bool:
            row = connection.execute(SELECT_ORDER, {"order_id": order_id}).one_or_none()
            may_publish = row is not None and row.run_id in {None, run_id}
            if may_publish:
                add_within(connection, message)
            return may_publish

        return await self._database.write(work)

    async def may_belong_to(self, order_id: str, run_id: str) -> bool:
        """Whether this run owns the order, or none does yet."""
        row = await self._row(order_id)
        return row is not None and row.run_id in {None, run_id}

    async def standing(self, order_id: str, run_id: str) -> Standing:
        """Return whether this run may act for the order."""
        return standing_of(await self._row(order_id), run_id)

    async def request_cancel(self, order_id: str) -> Cancellation | None:
        """Record that an order is to be cancelled unless it has ended; None if it is unknown.

        If that is recorded before the charge, nothing will be charged.
        """
        return await self._database.write(
            lambda connection: request_cancel_within(connection, order_id, self._clock())
        )

    async def end_cancelled(self, order_id: str) -> StoredChange | None:
        """End an order that is cancelled before its charge, although it is not compensated yet.

        None if the order has ended, or its charge was sent meanwhile.
        """
        return await self._database.write(
            lambda connection: end_cancelled_within(connection, order_id, self._clock())
        )

    async def start_charge(self, order_id: str, run_id: str) -> ChargeStart:
        """Record that a charge is sent, if the run may act; otherwise it must not charge.

        From here on, a cancellation waits until the outcome is known.
        """
        return await self._database.write(
            lambda connection: start_charge_within(connection, order_id, run_id, self._clock())
        )

    async def nothing_charged(
        self, order_id: str, run_id: str, sent_at: datetime | None = None
    ) -> tuple[Standing, StoredChange | None]:
        """Record that a charge that was sent took no money; the order ends here if cancelled.

        With a time, nothing is recorded if the charge was sent again since.
        """
        return await self._database.write(
            lambda connection: nothing_charged_within(
                connection, order_id, run_id, sent_at, self._clock()
            )
        )

    async def waits_for_cancel(self, order_id: str) -> bool:
        """Whether the order's run may be waiting although cancellation was requested."""
        query = select(literal(1)).where(ORDERS.c.order_id == order_id, _MAY_WAIT_FOR_CANCEL)
        return bool(await self._database.read(lambda connection: connection.scalar(query)))

    async def name(self, event: NamingEvent) -> str:
        """Return the id that the order of an event has, or would have."""
        return await self._database.read(lambda connection: name_within(connection, event))

    async def order(self, order_id: str) -> Order | None:
        """Return an order with its history, or None."""

        def work(connection: Connection) -> Order | None:
            key = {"order_id": order_id}
            row = connection.execute(SELECT_ORDER, key).one_or_none()
            if row is None:
                return None
            return order_of(row, connection.execute(_SELECT_HISTORY, key).all())

        return await self._database.read(work)

    async def orders(
        self, status: OrderStatus | None, limit: int, before: int | None
    ) -> list[tuple[int, Order]]:
        """Return orders with their histories, newest first, each with its number."""
        query = select(ORDERS).order_by(ORDERS.c.number.desc()).limit(limit)
        if status is not None:
            query = query.where(ORDERS.c.status == status)
        if before is not None:
            query = query.where(ORDERS.c.number < before)

        def work(connection: Connection) -> list[tuple[int, Order]]:
            rows = connection.execute(query).all()
            histories = _histories(connection, [row.order_id for row in rows])
            return [(row.number, order_of(row, histories[row.order_id])) for row in rows]

        return await self._database.read(work)

    async def unfinished(self) -> list[Pending]:
        """Return the unfinished orders, whose workflow may have to be started or restarted.

        Orders of a batch are left out, because the batch starts them. Cancelled orders that still
        have to be compensated are included.
        """
        is_unfinished = and_(ORDERS.c.status.in_(UNFINISHED), ~_is_run_by_batch(ORDERS.c.order_id))
        query = select(ORDERS).where(or_(is_unfinished, IS_OUTSTANDING)).order_by(ORDERS.c.number)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [pending(row) for row in rows]

    async def is_run_by_batch(self, order_id: str) -> bool:
        """Whether a batch that has not ended runs this order."""
        query = select(_is_run_by_batch(literal(order_id)))
        return bool(await self._database.read(lambda connection: connection.scalar(query)))

    async def hand_to_undo(self, order_id: str) -> str | None:
        """Transfer an order from its run to a run that rolls it back, and return that run's id.

        The former run can record nothing more. Returns None for an order that is unknown or has
        ended, unless it was cancelled and still has to be compensated.
        """
        return await self._database.write(
            lambda connection: hand_to_undo_within(connection, order_id)
        )

    async def begin_again(
        self, order_id: str, former: str | None, run_id: str, replaced: Replaced
    ) -> bool:
        """Transfer an unfinished order from one run to a new one, and save the first one's history.

        Returns False, without any effect, if the former run does not own the order any more.
        """

        def work(connection: Connection) -> bool:
            return begin_again_within(connection, order_id, former, run_id, replaced, self._clock())

        return await self._database.write(work)

    async def pending(self, order_id: str) -> Pending | None:
        """Return an unfinished order and the run that owns it; None if it has ended."""
        row = await self._row(order_id)
        return None if row is None or OrderStatus(row.status).is_final else pending(row)

    async def unchanged(self, since: datetime, after: int, limit: int) -> list[tuple[int, Pending]]:
        """Return unfinished orders without a change since a time, each with its number."""
        query = (
            select(ORDERS)
            .where(
                ORDERS.c.status.in_(UNFINISHED),
                ORDERS.c.updated_at < since,
                ORDERS.c.number > after,
            )
            .order_by(ORDERS.c.number)
            .limit(limit)
        )
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [(row.number, pending(row)) for row in rows]

    async def cancels_to_hand_over(self, since: datetime | None = None) -> list[str]:
        """Return the orders whose run may be waiting although cancellation was requested.

        With a time, only those whose cancellation was requested since then.
        """
        query = select(ORDERS.c.order_id).where(_MAY_WAIT_FOR_CANCEL)
        if since is not None:
            query = query.where(ORDERS.c.cancel_requested_at >= since)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [row.order_id for row in rows]

    async def cancels_to_end(self) -> list[str]:
        """Return the orders that are cancelled before their charge and have not ended."""
        query = select(ORDERS.c.order_id).where(
            ORDERS.c.status.in_([status.value for status in BEFORE_CHARGE]),
            ORDERS.c.cancel_requested_at.is_not(None),
            ORDERS.c.charge_sent_at.is_(None),
        )
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [row.order_id for row in rows]

    async def _row(self, order_id: str) -> Row[Any] | None:
        return await self._database.read(
            lambda connection: connection.execute(
                SELECT_ORDER, {"order_id": order_id}
            ).one_or_none()
        )

    async def changes(self, after: int, most: int) -> list[StoredChange]:
        """Return the status changes of all orders after a position, oldest first."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                _SELECT_CHANGES, {"after": after, "most": most}
            ).all()
        )
        return [stored_change(row) for row in rows]

    async def last_position(self) -> int:
        """Return the position of the newest status change, 0 if there is none."""
        query = select(func.max(STATUSES.c.position))
        position = await self._database.read(lambda connection: connection.scalar(query))
        return position or 0

    async def stored_positions(self) -> StoredPositions:
        """Return where a reader of the status changes can start."""
        row = await self._database.read(
            lambda connection: connection.execute(_SELECT_POSITIONS).one()
        )
        return StoredPositions((row.oldest or 1) - 1, row.newest or 0)


def _is_run_by_batch(order_id: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(is_entry_of_open_batch(order_id))


_MAY_WAIT_FOR_CANCEL = or_(
    IS_OUTSTANDING,
    and_(
        ORDERS.c.status.in_([status.value for status in WAITING]),
        ORDERS.c.cancel_requested_at.is_not(None),
    ),
)


# Built once: SQLAlchemy spends more time on building a statement than on running it.


_SELECT_HISTORY = (
    select(STATUSES)
    .where(STATUSES.c.order_id == bindparam("order_id"))
    .order_by(STATUSES.c.sequence)
)


_SELECT_POSITIONS = select(
    select(func.min(STATUSES.c.position)).scalar_subquery().label("oldest"),
    select(func.max(STATUSES.c.position)).scalar_subquery().label("newest"),
)
"""One query each, because SQLite reads the whole table for both in one."""


_SELECT_CHANGES = (
    select(STATUSES)
    .where(STATUSES.c.position > bindparam("after"))
    .order_by(STATUSES.c.position)
    .limit(bindparam("most"))
)


def _histories(connection: Connection, order_ids: list[str]) -> defaultdict[str, list[Row[Any]]]:
    query = (
        select(STATUSES)
        .where(STATUSES.c.order_id.in_(order_ids))
        .order_by(STATUSES.c.order_id, STATUSES.c.sequence)
    )
    histories: defaultdict[str, list[Row[Any]]] = defaultdict(list)
    for entry in connection.execute(query):
        histories[entry.order_id].append(entry)
    return histories
