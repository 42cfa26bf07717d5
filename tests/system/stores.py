"""In which store the platform of a test keeps its data."""

import secrets
from pathlib import Path
from typing import Protocol

from isolation import on_the_machine
from orderflow_lab.postgres_server import PostgresServer, find_postgres
from orderflow_tools.databases import Databases
from orderflow_tools.settings import Settings


class Isolated(Protocol):
    """Makes the settings of a platform beside all others."""

    def __call__(self, folder: Path, /, **environment: str) -> Settings:
        """Take a folder, and variables for the services."""
        ...


def on_files(folder: Path, /, **environment: str) -> Settings:
    """Keep what the services keep in SQLite files."""
    return Settings.isolated(folder, **environment)


def on_postgres(server: PostgresServer) -> Isolated:
    """Keep what the services keep in databases that each platform has for itself."""

    def isolated(folder: Path, /, **environment: str) -> Settings:
        databases = Databases(server.url, f"run_{secrets.token_hex(4)}")
        return Settings.isolated(folder, databases, **environment)

    return isolated


def postgres_programs() -> Path:
    """Return the folder of PostgreSQL's programs, which may have to be installed."""
    with on_the_machine():
        return find_postgres()
