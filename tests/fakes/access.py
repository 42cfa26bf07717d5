"""Access for tests of other things: open, as on loopback, with an audit trail in memory."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from orderflow_contracts.names import SERVICES
from orderflow_hosting.access import Access, Audit, Principal, reads
from orderflow_hosting.settings import ServiceSettings
from orderflow_hosting.web import Site

HOSTS = ",".join(SERVICES)
"""Tests call each service by its name."""


def settings(access_file: Path | None = None, **more: str) -> ServiceSettings:
    """Make the settings of a service that no test starts."""
    values: dict[str, Any] = {
        "http_port": 1,
        "grpc_port": 1,
        "DAPR_HTTP_PORT": 1,
        "DAPR_GRPC_PORT": 1,
        "APP_API_TOKEN": "only for tests, of no use",
        "ORDERFLOW_PUBLIC_HOSTS": HOSTS,
        **more,
    }
    if groups := values.get("ORDERFLOW_PROXY_GROUPS"):
        values["ORDERFLOW_PROXY_GROUPS"] = json.loads(groups)  # as from the environment
    return ServiceSettings(ORDERFLOW_ACCESS_FILE=access_file, **values)


class MemoryAudit(Audit):
    """Stores entries in a list."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, str, str, Mapping[str, Any]]] = []
        self.ended: list[tuple[int, str, str | None]] = []

    async def begin(
        self, principal: Principal, action: str, subject: str, details: Mapping[str, Any]
    ) -> int:
        self.begun.append((principal.name, action, subject, details))
        return len(self.begun)

    async def end(self, number: int, outcome: str, subject: str | None = None) -> None:
        self.ended.append((number, outcome, subject))


def opened(app: FastAPI) -> FastAPI:
    """Admit everyone, as a service on loopback does."""
    access = Access(settings(), "tests")
    access.audit = MemoryAudit()
    access.install(app)
    Site("Tests").install(app, [reads()])
    return app
