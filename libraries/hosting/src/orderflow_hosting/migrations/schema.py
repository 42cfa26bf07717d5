"""Which revision a database's schema has, and whether this version of a service can use it.

Revisions are numbered 0001, 0002, … without gaps, so that an older version, which does not know
the newest ones, can still compare. Nothing here needs Alembic: every service start runs this.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, inspect, select

HOUSEKEEPING: Final = MetaData()
"""Tables in every service's database that hosting uses, and no service directly."""

COMPATIBILITY: Final = Table(
    "schema_compatibility",
    HOUSEKEEPING,
    Column("number", Integer, primary_key=True),
    Column("least_revision", String(32), nullable=False),
)
"""One row: versions made for an older revision than this cannot use the schema."""

_APPLIED: Final = Table("alembic_version", MetaData(), Column("version_num", String(32)))


class UnsuitableSchema(Exception):
    """This version of the service cannot use the schema that the database has."""


@dataclass(frozen=True)
class Schema:
    """The schema that a service's code was written for: its newest revision.

    `service` is the name of the service's package, `versions` the folder of its revisions.
    """

    service: str
    versions: Path

    @property
    def needed(self) -> str:
        """The oldest revision that this version of the service can use."""
        revisions = (file.name[1:5] for file in self.versions.glob("r[0-9]*_*.py"))
        return max(revisions, default="0000")

    def check(self, connection: Connection) -> None:
        """Raise `UnsuitableSchema` if this version of the service cannot use the database.

        A newer schema is accepted unless a migration has excluded this version.
        """
        revision, needed = applied_revision(connection), self.needed
        if revision is None or revision < needed:
            raise UnsuitableSchema(
                f"the schema of the database is {_described(revision)}, and this version needs"
                f" revision {needed}: run `python -m {self.service} migrate` first"
            )
        least = least_revision(connection) if revision > needed else needed
        if least > needed:
            raise UnsuitableSchema(
                f"the schema of the database is at revision {revision}, which works only with"
                f" versions made for revision {least} or later, and this version was made for"
                f" {needed}: run a newer version of {self.service}"
            )


def applied_revision(connection: Connection) -> str | None:
    """Return the revision of the database's schema, None before the first migration."""
    if not inspect(connection).has_table(_APPLIED.name):
        return None
    revision: str | None = connection.scalar(select(_APPLIED.c.version_num))
    return revision


def least_revision(connection: Connection) -> str:
    """Return the oldest revision whose versions can still use the schema."""
    least: str | None = connection.scalar(select(COMPATIBILITY.c.least_revision))
    return least or ""


def exclude_versions_before(connection: Connection, revision: str) -> None:
    """Stop versions made for an older revision from starting; for contracting migrations."""
    connection.execute(COMPATIBILITY.delete())
    connection.execute(COMPATIBILITY.insert().values(number=1, least_revision=revision))


def _described(revision: str | None) -> str:
    return "not migrated yet" if revision is None else f"at revision {revision}"
