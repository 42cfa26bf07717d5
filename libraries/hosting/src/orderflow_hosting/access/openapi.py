"""Describes in an API's OpenAPI document which paths need a token."""

from typing import Any, Final

from fastapi import FastAPI

from orderflow_hosting.access.middleware import is_public

SCHEME: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "A token from the access file, created with `orderflow tokens`",
}


def describe_access(app: FastAPI, *, apis_open: bool) -> None:
    """Add to the application's OpenAPI document that tokens are accepted, or required."""
    write = app.openapi

    def openapi() -> dict[str, Any]:
        document = write()
        document.setdefault("components", {})["securitySchemes"] = {"token": SCHEME}
        required: list[dict[str, list[str]]] = [{"token": []}, *([{}] if apis_open else [])]
        for path, item in document["paths"].items():
            for operation in item.values():
                operation["security"] = [] if is_public(path) else required
        return document

    app.openapi = openapi  # type: ignore[method-assign] # the framework's own way to extend it
