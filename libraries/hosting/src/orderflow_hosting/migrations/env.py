"""Alembic's environment for all services: it migrates in the given connection's transaction."""

from alembic import context

from orderflow_hosting.migrations.comparing import is_comparable, rendered

_GIVEN = context.config.attributes

context.configure(
    connection=_GIVEN["connection"],
    target_metadata=_GIVEN.get("models"),
    include_object=is_comparable,
    render_item=rendered,
    render_as_batch=True,  # SQLite alters a table by recreating it
)
with context.begin_transaction():
    context.run_migrations()
