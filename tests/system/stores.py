"""Platform settings with isolated data, in SQLite files or on PostgreSQL, and a broker."""

import secrets
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import psycopg

from isolation import on_the_machine
from orderflow_lab.postgres_server import PostgresServer, find_postgres
from orderflow_tools.brokers.chosen import broker_of
from orderflow_tools.databases import Databases
from orderflow_tools.settings import Settings


class Isolated(Protocol):
    """Makes the settings of an isolated platform."""

    def __call__(self, folder: Path, /, **environment: str) -> Settings:
        """Make settings for a folder and environment variables of the services."""
        ...


def on_files(folder: Path, /, **environment: str) -> Settings:
    """Store the services' data in SQLite files."""
    return Settings.isolated(folder, **environment)


def on_postgres(server: PostgresServer) -> Isolated:
    """Store the services' data in PostgreSQL databases, one set for each platform."""

    def isolated(folder: Path, /, **environment: str) -> Settings:
        databases = Databases(server.url, f"run_{secrets.token_hex(4)}")
        return Settings.isolated(folder, databases, **environment)

    return isolated


def on_broker(broker: str, made: Isolated) -> Isolated:
    """Carry the events on another broker, which is installed if needed."""

    def isolated(folder: Path, /, **environment: str) -> Settings:
        settings = replace(made(folder, **environment), broker=broker)
        with on_the_machine():
            broker_of(settings).find()
        return settings

    return isolated


def postgres_programs() -> Path:
    """Return the folder of PostgreSQL's programs, installing them if needed."""
    with on_the_machine():
        return find_postgres()


def new_database(server: PostgresServer) -> str:
    """Create an empty database, and return its URL."""
    name = f"test_{secrets.token_hex(4)}"
    with psycopg.connect(f"{server.url}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return f"{server.url}/{name}"
