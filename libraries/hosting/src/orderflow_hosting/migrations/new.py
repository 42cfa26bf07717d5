"""Writes a new revision: `python -m orderflow_hosting.migrations.new SERVICE "add a column"`.

It compares the service's models with a fresh database of all revisions so far. The result is a
draft: Alembic sees a renamed column as one dropped and one added, and does not see triggers.
"""

import argparse
import sys
import tempfile
import warnings
from importlib import import_module
from pathlib import Path

from alembic import command
from sqlalchemy import MetaData

from orderflow_hosting.engines import open_engine
from orderflow_hosting.migrations.lock import exclusive
from orderflow_hosting.migrations.revisions import configuration
from orderflow_hosting.migrations.schema import HOUSEKEEPING, Schema


def write_revision(schema: Schema, models: list[MetaData], name: str) -> Path:
    """Write the revision that follows the newest one, or the first, and return its file."""
    _make_package(schema.versions.parent, f"The migrations of the database of {schema.service}.")
    _make_package(schema.versions, f"The revisions of the schema of {schema.service}.")
    number = f"{int(schema.needed) + 1:04}"
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "autogenerate skipping", UserWarning)
        engine = open_engine(f"sqlite:///{folder}/fresh.db")
        with exclusive(engine) as connection:
            config = configuration(connection, schema.versions)
            command.upgrade(config, "head")
            config.attributes["models"] = models
            command.revision(config, name, autogenerate=True, rev_id=number)
        engine.dispose()
    return next(schema.versions.glob(f"r{number}_*.py"))


def models_of(service: str) -> list[MetaData]:
    """Return the models with which the revisions of a service must agree.

    Its composition root imports every module that adds a table to those of the service.
    """
    import_module(f"{service}.main")
    return [import_module(f"{service}.tables").TABLES, HOUSEKEEPING]


def _make_package(folder: Path, purpose: str) -> None:
    folder.mkdir(exist_ok=True)
    file = folder / "__init__.py"
    if not file.exists():
        file.write_text(f'"""{purpose}"""\n', encoding="utf-8")


def main() -> None:
    """Write the revision that the command line describes, and print its path."""
    parser = argparse.ArgumentParser(prog="python -m orderflow_hosting.migrations.new")
    parser.add_argument("service", help="the package of the service")
    parser.add_argument("name", help='what changes, such as "add a delivery date"')
    given = parser.parse_args()
    schema: Schema = import_module(f"{given.service}.tables").SCHEMA
    file = write_revision(schema, models_of(given.service), given.name)
    sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    main()
