"""What of the models Alembic can compare with a database."""

from typing import Any

from sqlalchemy import Column, Index


def is_comparable(item: Any, _name: str | None, kind: str, *others: Any) -> bool:
    """Leave out indexes on expressions, of which Alembic does not see collations.

    Write such an index into a revision by hand; the tests compare it with the models.
    """
    indexes = [each for each in (item, *others) if kind == "index" and isinstance(each, Index)]
    return all(isinstance(part, Column) for index in indexes for part in index.expressions)
