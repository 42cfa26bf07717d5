"""A run's databases on a PostgreSQL server, in place of SQLite files."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from orderflow_contracts.names import INVENTORY, INVENTORY_STORE, SERVICES
from orderflow_tools.errors import PlatformError

VARIABLE: Final = "ORDERFLOW_POSTGRES_URL"
INVENTORY_VARIABLE: Final = "ORDERFLOW_INVENTORY_STORE"
"""Passes the connection string to inventory's sidecar, so that no file holds the password."""
DEFAULT_PREFIX: Final = "orderflow"
MAINTENANCE: Final = "postgres"
CONNECT_SECONDS: Final = 5
WITH_TABLES: Final = tuple(app for app, service in SERVICES.items() if service.has_tables)
"""The services that have a database for tables of their own."""


@dataclass(frozen=True)
class Databases:
    """The databases of one run: `<prefix>_<app>` for each application with data."""

    server: str
    prefix: str

    @classmethod
    def at(cls, url: str) -> Self:
        """Read `postgresql://user:password@host:port/prefix`; without a prefix, `orderflow`."""
        try:
            parts = urlsplit(url)
            is_usable = (
                parts.scheme in {"postgresql", "postgres"}
                and bool(parts.hostname)
                and parts.port != 0
            )
        except ValueError:
            is_usable = False
        if not is_usable:
            raise PlatformError(
                f"{VARIABLE} must look like postgresql://user:password@host:5432/{DEFAULT_PREFIX}."
            )
        server = urlunsplit(parts._replace(scheme="postgresql", path=""))
        return cls(server, parts.path.strip("/") or DEFAULT_PREFIX)

    def url(self, app: str) -> str:
        """Return the URL of an application's database."""
        return _with_database(self.server, self.name(app))

    def name(self, app: str) -> str:
        """Return the name of an application's database."""
        return f"{self.prefix}_{app}"

    def environment(self) -> Mapping[str, str]:
        """Return the variables with the databases' addresses, for services and sidecars."""
        services = {
            f"{app.upper()}_DATABASE_URL": self.url(app).replace(
                "postgresql://", "postgresql+psycopg://", 1
            )
            for app in WITH_TABLES
        }
        return {**services, INVENTORY_VARIABLE: self.url(INVENTORY)}

    def create(self) -> None:
        """Create the databases that are missing. Raises PlatformError."""
        try:
            with connect(self.server) as connection:
                known = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
                for app in (*WITH_TABLES, INVENTORY):
                    if self.name(app) not in known:
                        name = sql.Identifier(self.name(app))
                        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        except psycopg.Error as error:
            raise PlatformError(f"The databases on PostgreSQL cannot be created: {error}") from None


def inventory_store() -> dict[str, Any]:
    """Return the component `inventory-store` on PostgreSQL, whose address is in a variable."""
    return {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": INVENTORY_STORE},
        "spec": {
            "type": "state.postgresql",
            "version": "v2",
            "metadata": [{"name": "connectionString", "envRef": INVENTORY_VARIABLE}],
        },
        "scopes": [INVENTORY],
    }


def server_answers(server: str) -> bool:
    """Return whether the server accepts connections of this user."""
    try:
        connect(server).close()
    except psycopg.Error:
        return False
    return True


def connect(server: str) -> "psycopg.Connection[tuple[Any, ...]]":
    """Connect to the server's maintenance database; each statement is a transaction."""
    url = _with_database(server, MAINTENANCE)
    return psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_SECONDS)


def _with_database(server: str, name: str) -> str:
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
