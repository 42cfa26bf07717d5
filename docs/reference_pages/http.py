"""The pages of the HTTP APIs, one for each service, from what it serves as OpenAPI."""

import asyncio
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NoReturn
from unittest.mock import patch

from orderflow_hosting.engines import open_engine
from orderflow_hosting.migrations.runner import migrate
from orderflow_hosting.process import run_and_close
from reference_pages.markdown import code, page, prose, table
from reference_pages.schemas import Schema, link_to, objects_of, text_of, type_of
from reference_pages.settings import SERVICES

COMMON: Final = frozenset({"401", "403", "421", "422", "503"})
"""The statuses that every path can answer with; the introduction explains them once."""

INTRODUCTION: Final = """\
The running service shows this API at <http://127.0.0.1:{port}/docs>, where you can try it.

Lists answer `{{"items": […], "next": cursor}}`; `limit` and `after` page through them. Errors are
problem documents (RFC 9457) with a stable [code](problem-codes.md). Every path can answer 401, 403,
421, 422 and 503. Where the APIs are closed, send a [token](../how-to/users-and-tokens.md):
`Authorization: Bearer …`."""


class _Built(Exception):  # not an error: it ends the start of a service once its API is complete
    """The application that a service was about to serve."""

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__()
        self.document = document


async def _instead_of_serving(_settings: object, http: Any, *_: object, **__: object) -> NoReturn:
    raise _Built(http.openapi())


def openapi(service: str) -> dict[str, Any]:
    """Return a service's OpenAPI document; the service is built, and stopped before it listens."""
    main = import_module(f"{service}.main")
    settings = SERVICES[service]
    with TemporaryDirectory() as folder, patch.object(main, "serve", _instead_of_serving):
        values = {"app_api_token": "only-for-the-reference"}
        if "database_url" in settings.model_fields:
            values["database_url"] = f"sqlite:///{Path(folder) / 'fresh.db'}"
            _create(service, values["database_url"])
        try:
            asyncio.run(run_and_close(main.run, settings.model_validate(values)))
        except _Built as built:
            return built.document
    raise RuntimeError(f"{service} ended before it served its API")


def _create(service: str, url: str) -> None:
    engine = open_engine(url)
    migrate(engine, import_module(f"{service}.tables").SCHEMA)
    engine.dispose()


def http_page(service: str) -> str:
    """Write the page of one service."""
    document = openapi(service)
    schemas = document.get("components", {}).get("schemas", {})
    port = SERVICES[service].model_fields["http_port"].default
    return page(
        f"HTTP API of {service}",
        INTRODUCTION.format(port=port),
        _overview(document),
        *_operations(document),
        "## Objects",
        *objects_of(schemas),
    )


def _each(document: Schema) -> Iterator[tuple[str, str, Schema]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def _overview(document: Schema) -> str:
    rows = (
        (code(f"{method} {path}"), operation.get("summary", ""))
        for method, path, operation in _each(document)
    )
    return table(("Request", "What it does"), rows)


def _operations(document: Schema) -> Iterator[str]:
    for method, path, operation in _each(document):
        yield f"## {method} {path}".replace("{", r"\{").replace("<", r"\<")
        yield f"{prose(operation.get('summary', ''))}."
        yield text_of(operation)
        parameters = [
            (
                code(each["name"]),
                each["in"],
                type_of(each["schema"], link_to),
                "yes" if each.get("required") else "no",
                each.get("description", ""),
            )
            for each in operation.get("parameters", ())
        ]
        if parameters:
            yield table(("Parameter", "In", "Value", "Required", "Meaning"), parameters)
        if body := _content(operation.get("requestBody", {})):
            yield f"Body: {body}."
        yield table(("Status", "Answer"), _answers(operation["responses"]))


def _answers(responses: Schema) -> Iterator[tuple[str, str]]:
    for status, response in sorted(responses.items()):
        if status not in COMMON:
            is_good = status.startswith("2")
            yield status, _content(response) if is_good else response["description"]


def _content(part: Schema) -> str:
    kinds = part.get("content", {})
    return ", ".join(type_of(kind.get("schema", {}), link_to) for kind in kinds.values())
