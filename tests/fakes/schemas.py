"""Schemas for tests: made from models where the schema is not the subject, or migrated."""

from sqlalchemy import Connection, MetaData

from orderflow_hosting.engines import open_engine
from orderflow_hosting.migrations.runner import migrate
from orderflow_hosting.migrations.schema import HOUSEKEEPING, Schema


class FromModels:
    """Makes the tables of models, which is quicker than to migrate.

    `test_schemas.py` proves that for a service both give the same.
    """

    def __init__(self, tables: MetaData) -> None:
        self._tables = tables

    def check(self, connection: Connection) -> None:
        """Make what is not there."""
        for tables in (self._tables, HOUSEKEEPING):
            tables.create_all(connection)
        connection.commit()


def migrated(url: str, schema: Schema) -> str:
    """Migrate a database as the service's command does, and return its URL."""
    engine = open_engine(url)
    try:
        migrate(engine, schema)
    finally:
        engine.dispose()
    return url
