"""Runs in Alembic, for all services: in the transaction of the connection that it is given."""

from alembic import context

from orderflow_hosting.migrations.comparing import is_comparable, rendered

_GIVEN = context.config.attributes

context.configure(
    connection=_GIVEN["connection"],
    target_metadata=_GIVEN.get("models"),
    include_object=is_comparable,
    render_item=rendered,
    render_as_batch=True,  # SQLite changes a table by making it again
)
with context.begin_transaction():
    context.run_migrations()
