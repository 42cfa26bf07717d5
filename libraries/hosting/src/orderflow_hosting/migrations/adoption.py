"""Brings tables created before there were migrations to the schema of the first revision.

Services used to create their tables when they started, and to add the columns and indexes that an
earlier version lacked. A first revision does the same to whatever it finds, so that all databases,
whichever version created them, have the same schema from then on.
"""

from typing import Any

from sqlalchemy import Column, Connection, Dialect, MetaData, Table, inspect, text
from sqlalchemy.schema import CreateColumn


class ColumnMissing(Exception):
    """A table of an earlier version lacks a column that is required and has no default."""

    def __init__(self, column: Column[Any]) -> None:
        super().__init__(f"{column} is missing, and has no default for the existing rows")


def adopt(connection: Connection, tables: MetaData) -> set[str]:
    """Create the missing tables, columns and indexes; existing rows stay as they are.

    Returns the names of the tables that were created. Raises `ColumnMissing`.
    """
    known = set(inspect(connection).get_table_names())
    made = [table for table in tables.sorted_tables if table.name not in known]
    tables.create_all(connection, tables=made, checkfirst=False)
    for table in tables.sorted_tables:
        if table.name in known:
            _add_missing_columns(connection, table)
            _add_missing_indexes(connection, table)
    return {table.name for table in made}


def _add_missing_columns(connection: Connection, table: Table) -> None:
    found = {column["name"] for column in inspect(connection).get_columns(table.name)}
    for column in table.columns:
        if column.name not in found:
            if not column.nullable and column.server_default is None:
                raise ColumnMissing(column)
            connection.execute(text(addition(connection.dialect, table, column)))


def _add_missing_indexes(connection: Connection, table: Table) -> None:
    known = {index["name"] for index in inspect(connection).get_indexes(table.name)}
    for index in sorted(table.indexes, key=lambda index: str(index.name)):
        if index.name not in known:
            index.create(connection, checkfirst=True)


def addition(dialect: Dialect, table: Table, column: Column[Any]) -> str:
    """Return the statement that adds a column to a table."""
    name = dialect.identifier_preparer.format_table(table)
    return f"ALTER TABLE {name} ADD COLUMN {CreateColumn(column).compile(dialect=dialect)}"
