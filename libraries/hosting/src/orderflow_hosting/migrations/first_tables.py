"""The tables of hosting as the first revision of every service creates them; they never change.

A revision is history: it must not import `access.tables`, `dead_letters` and the like, which
change. A change there reaches the databases through a later revision.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    collate,
    func,
)

NUMBER: Final = BigInteger().with_variant(Integer, "sqlite")
MOMENT: Final = DateTime(timezone=True)


def add_hosting_tables(tables: MetaData, subject: str) -> None:
    """Add the tables of hosting; `subject` is the name of the dead letters' subject column."""
    _add_access_tables(tables)
    Table(
        "dead_letters",
        tables,
        Column("id", Integer, primary_key=True),
        Column("topic", String(200), nullable=False),
        Column("event_id", String(300), nullable=False),
        Column("digest", String(64), nullable=False),
        Column(subject, String(64)),
        Column("reason", Text, nullable=False),
        Column("data", Text, nullable=False),
        Column("received_at", MOMENT, nullable=False),
        Column("resent_at", MOMENT),
        UniqueConstraint("topic", "event_id", "digest"),
        Index("dead_letters_by_resent", "resent_at", "id"),
    )
    Table(
        "spellings",
        tables,
        Column("kind", String(16), primary_key=True),
        Column("name", String(200), primary_key=True),
        Column("folded", String(200), nullable=False),
        Index("spellings_by_folded", "kind", "folded"),
    )
    Table(
        "write_probe",
        tables,
        Column("number", Integer, primary_key=True),
        Column("at", MOMENT, nullable=False),
    )
    Table(
        "schema_compatibility",
        tables,
        Column("number", Integer, primary_key=True),
        Column("least_revision", String(32), nullable=False),
    )


def _add_access_tables(tables: MetaData) -> None:
    Table(
        "sessions",
        tables,
        Column("digest", String(64), primary_key=True),
        Column("name", String(128), nullable=False),
        Column("csrf", String(64), nullable=False),
        Column("via", String(16), nullable=False),
        Column("created_at", MOMENT, nullable=False),
        Column("seen_at", MOMENT, nullable=False),
        Column("ended_at", MOMENT),
        Column("password", String(64)),
    )
    Table(
        "failed_sign_ins",
        tables,
        Column("number", NUMBER, primary_key=True),
        Column("name_digest", String(64), nullable=False, index=True),
        Column("address", String(64), nullable=False, index=True),
        Column("at", MOMENT, nullable=False),
    )
    Table(
        "audit",
        tables,
        Column("number", NUMBER, primary_key=True),
        Column("at", MOMENT, nullable=False),
        Column("actor", String(128), nullable=False),
        Column("via", String(16), nullable=False),
        Column("action", String(100), nullable=False),
        Column("subject", String(200), nullable=False),
        Column("details", Text, nullable=False),
        Index("audit_by_subject", "subject", "number"),
        sqlite_autoincrement=True,
    )
    Table(
        "audit_outcomes",
        tables,
        Column("number", NUMBER, ForeignKey("audit.number"), primary_key=True),
        Column("at", MOMENT, nullable=False),
        Column("outcome", String(100), nullable=False),
        Column("subject", String(200)),
    )


def index_any_case(name: str, ids: Column[str]) -> None:
    """Index a column of ids, which are ASCII, without regard to case."""
    Index(name, collate(ids, "NOCASE"), ids).ddl_if(dialect="sqlite")
    Index(name, collate(func.lower(ids), "C"), ids).ddl_if(dialect="postgresql")


def protect_audit(connection: Connection, made: set[str]) -> None:
    """Make the database itself refuse to change or delete rows of the audit trail.

    `made` are the tables that this revision created: the others have their triggers already.
    """
    dialect = connection.dialect.name
    for table in ("audit", "audit_outcomes"):
        if table in made:
            for statement in _TRIGGERS[dialect]:
                connection.exec_driver_sql(statement.format(table=table))


_REFUSED: Final = "'the audit trail cannot be changed'"
_RAISE: Final = f"SELECT RAISE(ABORT, {_REFUSED})"
_NEW: Final = "WHEN EXISTS (SELECT 1 FROM {table} WHERE number = NEW.number)"
_RAISES: Final = f"BEGIN RAISE EXCEPTION {_REFUSED}; END"
_FUNCTION: Final = f"RETURNS trigger LANGUAGE plpgsql AS $$ {_RAISES} $$"
_CALL: Final = "EXECUTE FUNCTION {table}_stays()"

_TRIGGERS: Final = {
    "sqlite": (
        f"CREATE TRIGGER {{table}}_keeps BEFORE UPDATE ON {{table}} BEGIN {_RAISE}; END",
        f"CREATE TRIGGER {{table}}_stays BEFORE DELETE ON {{table}} BEGIN {_RAISE}; END",
        # INSERT OR REPLACE deletes the old row without calling the trigger above.
        f"CREATE TRIGGER {{table}}_is_new BEFORE INSERT ON {{table}} {_NEW} BEGIN {_RAISE}; END",
    ),
    "postgresql": (
        f"CREATE OR REPLACE FUNCTION {{table}}_stays() {_FUNCTION}",
        f"CREATE TRIGGER {{table}}_stays BEFORE UPDATE OR DELETE ON {{table}} FOR EACH ROW {_CALL}",
        f"CREATE TRIGGER {{table}}_is_not_emptied BEFORE TRUNCATE ON {{table}} {_CALL}",
    ),
}
