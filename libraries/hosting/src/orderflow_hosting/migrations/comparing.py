"""Tells Alembic how to compare the models with a database, and how to write the difference."""

from typing import Any, Literal

from sqlalchemy import Column, Index, TypeDecorator


def is_comparable(item: Any, _name: str | None, kind: str, *others: Any) -> bool:
    """Leave out indexes on expressions, because Alembic does not see their collations.

    Write such an index into a revision by hand; the tests compare it with the models.
    """
    indexes = [each for each in (item, *others) if kind == "index" and isinstance(each, Index)]
    return all(isinstance(part, Column) for index in indexes for part in index.expressions)


def rendered(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write the database's own type instead of one of our types, which may change later."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl_instance!r}"
    return False
