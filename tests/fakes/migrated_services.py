"""The services that have migrations, and databases of the versions before there were any.

`first` is a database of the first version that ran on PostgreSQL, `latest` one of the last version
that made its tables itself. In both an order waits for an approval.
"""

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from sqlalchemy import MetaData

from orderflow_contracts.names import LOCAL_PORTS
from orderflow_hosting.migrations import new
from orderflow_hosting.migrations.schema import Schema

SERVICES: Final = tuple(name for name in LOCAL_PORTS if find_spec(f"{name}.migrations"))
EARLIER: Final = ("first", "latest")
WITH_EARLIER: Final = ("approvals", "orders")
"""The services that made their tables themselves before they had revisions."""
_DUMPS: Final = Path(__file__).parents[1] / "databases"


def schema_of(service: str) -> Schema:
    """Return the schema that a service needs."""
    schema: Schema = import_module(f"{service}.tables").SCHEMA
    return schema


def models_of(service: str) -> Sequence[MetaData]:
    """Return the models of a service."""
    return new.models_of(service)


def earlier_database(service: str, version: str, dialect: str) -> str:
    """Return the statements that make a database as an earlier version left it."""
    return (_DUMPS / f"{service}-{version}.{dialect}.sql").read_text(encoding="utf-8")
