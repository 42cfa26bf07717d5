"""A database's own description of its schema, to compare two databases."""

from typing import Final

from sqlalchemy import Connection, select, text
from sqlalchemy import table as sql_table

_SQLITE: Final = """
SELECT 'column', t.name, c.name, c.type, c."notnull", c.dflt_value, c.pk
FROM sqlite_master t, pragma_table_xinfo(t.name) c WHERE t.type = 'table';

SELECT 'foreign key', t.name, k."from", k."table", k."to"
FROM sqlite_master t, pragma_foreign_key_list(t.name) k WHERE t.type = 'table';

SELECT 'unique', t.name, group_concat(c.name)
FROM sqlite_master t, pragma_index_list(t.name) i, pragma_index_info(i.name) c
WHERE t.type = 'table' AND i.origin = 'u' GROUP BY t.name, i.name;

SELECT 'table', name, wr, strict FROM pragma_table_list WHERE schema = 'main';

SELECT type, name, tbl_name, sql FROM sqlite_master
WHERE type IN ('index', 'trigger') AND sql IS NOT NULL
"""
_POSTGRESQL: Final = """
SELECT 'column', table_name, column_name, data_type, character_maximum_length, is_nullable,
       column_default
FROM information_schema.columns WHERE table_schema = 'public';

SELECT 'index', indexdef FROM pg_indexes WHERE schemaname = 'public';

SELECT 'constraint', CAST(CAST(conrelid AS regclass) AS text), pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = CAST('public' AS regnamespace);

SELECT 'trigger', pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal;

SELECT 'function', pg_get_functiondef(oid) FROM pg_proc
WHERE pronamespace = CAST('public' AS regnamespace)
"""
_OF_ALEMBIC: Final = "alembic_version"

Contents = dict[str, list[dict[str, object]]]
"""The rows of tables by name."""


def catalogue(connection: Connection) -> list[str]:
    """Describe all tables, indexes, constraints, triggers and functions except Alembic's.

    The order of columns is omitted, because an added column comes last.
    """
    queries = _SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL
    rows = (row for query in queries.split(";") for row in connection.execute(text(query)))
    lines = (" ".join(" | ".join(map(str, row)).split()) for row in rows)
    return sorted(line for line in lines if _OF_ALEMBIC not in line)


def contents(connection: Connection, tables: list[str]) -> Contents:
    """Return all rows of these tables."""
    everything = {table: select(text("*")).select_from(sql_table(table)) for table in tables}
    return {
        table: [dict(row) for row in connection.execute(query).mappings()]
        for table, query in everything.items()
    }


def assert_rows_kept(before: Contents, after: Contents) -> None:
    """Check that a migration left all rows unchanged; new columns may have been added."""
    assert sum(map(len, before.values())) > 2
    for table, rows in before.items():
        columns = rows[0].keys() if rows else ()
        assert [{key: row[key] for key in columns} for row in after[table]] == rows
