"""The tables for access in a service's own database."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import (
    DDL,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    event,
)

from orderflow_hosting.database import Utc
from orderflow_hosting.spellings import spelling_table

_NUMBER: Final = BigInteger().with_variant(Integer, "sqlite")


@dataclass(frozen=True)
class AccessTables:
    """Sessions, wrong passwords and the audit trail, with the spellings of its subjects."""

    sessions: Table
    failed_sign_ins: Table
    audit: Table
    audit_outcomes: Table
    spellings: Table


def access_tables(tables: MetaData) -> AccessTables:
    """Add the tables of access to a service's own."""
    sessions = Table(
        "sessions",
        tables,
        Column("digest", String(64), primary_key=True),
        Column("name", String(128), nullable=False),
        Column("csrf", String(64), nullable=False),
        Column("via", String(16), nullable=False),
        Column("created_at", Utc, nullable=False),
        Column("seen_at", Utc, nullable=False),
        Column("ended_at", Utc),
        Column(
            "password", String(64)
        ),  # the digest of the password it began with; null behind a proxy
    )
    failed = Table(
        "failed_sign_ins",
        tables,
        Column("number", _NUMBER, primary_key=True),
        Column("name_digest", String(64), nullable=False, index=True),
        Column("address", String(64), nullable=False, index=True),
        Column("at", Utc, nullable=False),
    )
    return AccessTables(sessions, failed, *_audit_tables(tables), spelling_table(tables))


def _audit_tables(tables: MetaData) -> tuple[Table, Table]:
    audit = Table(
        "audit",
        tables,
        Column("number", _NUMBER, primary_key=True),
        Column("at", Utc, nullable=False),
        Column("actor", String(128), nullable=False),
        Column("via", String(16), nullable=False),
        Column("action", String(100), nullable=False),
        Column("subject", String(200), nullable=False),
        Column("details", Text, nullable=False),
        sqlite_autoincrement=True,
    )
    Index("audit_by_subject", audit.c.subject, audit.c.number)
    outcomes = Table(
        "audit_outcomes",
        tables,
        Column("number", _NUMBER, ForeignKey("audit.number"), primary_key=True),
        Column("at", Utc, nullable=False),
        Column("outcome", String(100), nullable=False),
        Column("subject", String(200)),
    )
    for table in (audit, outcomes):
        _make_append_only(table)
    return audit, outcomes


def _make_append_only(table: Table) -> None:
    """Make the database itself refuse to change or delete rows."""
    for statement in _SQLITE:
        sqlite = _ddl(statement, table)
        event.listen(table, "after_create", sqlite.execute_if(dialect="sqlite"))
    for statement in _POSTGRESQL:
        postgresql = _ddl(statement, table)
        event.listen(table, "after_create", postgresql.execute_if(dialect="postgresql"))


def _ddl(statement: str, table: Table) -> DDL:
    return DDL(statement.format(table=table.name))  # type: ignore[no-untyped-call]


_REFUSED: Final = "'the audit trail cannot be changed'"
_RAISE: Final = f"SELECT RAISE(ABORT, {_REFUSED})"
_WHEN_THERE: Final = "WHEN EXISTS (SELECT 1 FROM {table} WHERE number = NEW.number)"
_RAISES: Final = f"BEGIN RAISE EXCEPTION {_REFUSED}; END"
_FUNCTION: Final = f"RETURNS trigger LANGUAGE plpgsql AS $$ {_RAISES} $$"
_CALL: Final = "EXECUTE FUNCTION {table}_stays()"

_SQLITE: Final = (
    f"CREATE TRIGGER {{table}}_keeps BEFORE UPDATE ON {{table}} BEGIN {_RAISE}; END",
    f"CREATE TRIGGER {{table}}_stays BEFORE DELETE ON {{table}} BEGIN {_RAISE}; END",
    # INSERT OR REPLACE deletes the old row without calling the trigger above.
    f"CREATE TRIGGER {{table}}_is_new BEFORE INSERT ON {{table}} {_WHEN_THERE} BEGIN {_RAISE}; END",
)

_POSTGRESQL: Final = (
    f"CREATE OR REPLACE FUNCTION {{table}}_stays() {_FUNCTION}",
    f"CREATE TRIGGER {{table}}_stays BEFORE UPDATE OR DELETE ON {{table}} FOR EACH ROW {_CALL}",
    f"CREATE TRIGGER {{table}}_is_not_emptied BEFORE TRUNCATE ON {{table}} {_CALL}",
)
