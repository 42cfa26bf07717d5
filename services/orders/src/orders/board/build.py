"""Builds the board: all web pages of orders."""

from collections.abc import Iterable
from functools import partial

from fastapi import APIRouter

from orderflow_contracts.names import ORDERS, SUBSCRIPTIONS
from orderflow_hosting.access import Access, Audit
from orderflow_hosting.background import retry_until_success
from orderflow_hosting.dead_letters import Outcomes
from orderflow_hosting.spellings import backfill_repeatedly
from orderflow_hosting.web import Site
from orderflow_hosting.web.audit_pages import audit_pages
from orderflow_hosting.web.dead_letter_forms import DeadLetterForms
from orderflow_hosting.web.dead_letter_pages import DeadLetterPages, Subjects
from orders.attention.build import AttentionPart
from orders.batches.build import BatchPart
from orders.board.change_feed import ChangeFeed
from orders.board.pages.attention_pages import attention_pages
from orders.board.pages.batch_pages import batch_pages
from orders.board.pages.board_pages import board_router
from orders.board.pages.new_order_pages import new_order_router
from orders.board.pages.order_pages import OrderPages
from orders.board.pages.stock_levels import Stocks
from orders.board.pages.stock_pages import stock_router
from orders.board.pages.task_pages import task_pages
from orders.board.pages.workflow_pages import workflow_pages
from orders.board.store import BoardStore
from orders.board.tables import SOURCES
from orders.management.build import ManagementPart
from orders.ordering.build import Ordering
from orders.parts import Base, Part
from orders.payments.build import PaymentPart
from orders.tables import ACCESS
from orders.tasks.build import TaskPart


def build(
    base: Base,
    site: Site,
    access: Access,
    outcomes: Outcomes,
    *,
    ordering: Ordering,
    payments: PaymentPart,
    tasks: TaskPart,
    attention: AttentionPart,
    batches: BatchPart,
    management: ManagementPart,
) -> Part:
    """Wire the pages."""
    board, stocks = BoardStore(base.database), Stocks(base.inventory)
    audit = Audit(base.database, ACCESS, base.clock)

    def routers() -> Iterable[APIRouter]:
        yield board_router(site, board, ChangeFeed(ordering.feed), access.session_is_current)
        yield OrderPages(
            site=site,
            store=ordering.store,
            board=board,
            payments=payments.store,
            tasks=tasks.store,
            intake=ordering.intake,
            histories=base.engine,
            attention=attention.attention,
            inbox_url=base.settings.inbox_url,
        ).router()
        yield new_order_router(site, ordering.intake, stocks)
        yield stock_router(site, board, stocks)
        yield attention_pages(attention.attention)
        yield batch_pages(site, batches.store)
        yield task_pages(site, tasks.tasks)
        yield workflow_pages(site, management.management)
        letters = DeadLetterPages(
            site,
            base.dead_letters,
            base.parked,
            audit,
            outcomes,
            "/board/dead-letters",
            Subjects("Order", "/board/orders"),
            topics=SUBSCRIPTIONS[ORDERS],
            records={
                "order": "/board/orders/{id}",
                "batch": "/board/batches/{id}",
                "task": "/board/tasks?show=all",
            },
        )
        yield letters.router()
        yield DeadLetterForms(letters).router()
        yield audit_pages(site, audit, "/board/audit")

    return Part(
        routers=tuple(routers()),
        jobs=(
            partial(retry_until_success, board.fill, "board_fill_delayed"),
            partial(backfill_repeatedly, base.database, SOURCES),
        ),
    )
