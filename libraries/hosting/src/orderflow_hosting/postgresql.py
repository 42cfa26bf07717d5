"""PostgreSQL: the connection, and how several processes write to it one at a time."""

from typing import Any, Final

import psycopg
from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event

CONNECTIONS: Final = 5
"""One for the writer and four for readers; the pool may open one more."""
RENEWED_AFTER_SECONDS: Final = 1800
WAIT_FOR_CONNECTION_SECONDS: Final = 10

CONNECT_OPTIONS: Final[dict[str, Any]] = {
    "connect_timeout": 5,
    # A server that has vanished silently is noticed within about 20 seconds.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 20_000,
    # Statements prepared on the server belong to one of its connections, and PgBouncer in
    # transaction mode may use another connection for each transaction.
    "prepare_threshold": None,
}

LIMIT_STATEMENTS: Final = "SELECT set_config('statement_timeout', '30s', false)"
"""Ends a statement that would otherwise keep a reader or the writer waiting for ever.

It is no option of the connection, because PgBouncer refuses those.
"""
WRITERS: Final = 0x6F72646572  # any number that no other program uses for a lock
BEGIN_WRITING: Final = (
    "SELECT set_config('lock_timeout', '15s', true),"
    " set_config('idle_in_transaction_session_timeout', '10s', true),"
    f" pg_advisory_xact_lock({WRITERS})"
)
"""Makes this transaction the only one that writes, until it ends.

This gives PostgreSQL the same guarantee as SQLite. Without it, a sequence number could become
visible after a higher one, and readers that follow the numbers would miss it; and two replicas that
read the same rows would both act on them. The server ends a writer that makes no progress before
the others give up waiting.
"""


def postgresql_engine(url: URL) -> Engine:
    """Create the engine; transactions with the option `writes` run one at a time."""
    if url.drivername in {"postgresql", "postgres"}:
        url = url.set(drivername="postgresql+psycopg")
    engine = create_engine(
        url,
        connect_args={key: value for key, value in CONNECT_OPTIONS.items() if key not in url.query},
        # Each statement sees what was committed before it, including the last writer's work.
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        pool_recycle=RENEWED_AFTER_SECONDS,
        pool_size=CONNECTIONS,
        max_overflow=1,
        pool_timeout=WAIT_FOR_CONNECTION_SECONDS,
    )

    @event.listens_for(engine, "connect")
    def _limit(connection: psycopg.Connection[Any], _: object) -> None:
        connection.execute(LIMIT_STATEMENTS)
        connection.commit()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if connection.get_execution_options().get("writes", False):
            connection.exec_driver_sql(BEGIN_WRITING)

    @event.listens_for(engine, "handle_error")
    def _leave_former_primary(context: ExceptionContext) -> None:
        """Reconnect after a failover: the former primary still answers, but refuses to write."""
        if isinstance(context.original_exception, psycopg.errors.ReadOnlySqlTransaction):
            context.is_disconnect = True

    return engine
