"""Lets Alembic find a service's revisions, and apply them."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def upgrade(connection: Connection, versions: Path) -> None:
    """Apply all revisions that the database lacks, in the transaction of the connection."""
    command.upgrade(configuration(connection, versions), "head")


def configuration(connection: Connection, versions: Path) -> Config:
    """Return Alembic's configuration for the revisions in a folder."""
    config = Config()
    config.attributes["connection"] = connection
    options = {
        "script_location": str(Path(__file__).parent),
        "version_locations": str(versions),
        "path_separator": "newline",
        "file_template": "r%(rev)s_%(slug)s",
    }
    for option, value in options.items():
        config.set_main_option(option, value.replace("%", "%%"))
    return config
