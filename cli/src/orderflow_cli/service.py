"""A service over HTTP; every failure becomes an error with a readable message."""

import json
from collections.abc import Mapping
from typing import Final, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from orderflow_cli.connection_errors import explain
from orderflow_cli.credentials import FILE_VARIABLE, VARIABLE, Credential
from orderflow_cli.errors import OrderflowError, RequestRejected

Model = TypeVar("Model", bound=BaseModel)

TIMEOUT_SECONDS: Final = 15.0
CONNECT_SECONDS: Final = 5.0
STRUCTURED_EVENT: Final = "application/cloudevents+json"
UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403


class Service:
    """A service with its name and base URL. Thread-safe."""

    def __init__(
        self, name: str, url: str, http: httpx.Client, credential: Credential | None = None
    ) -> None:
        self.name = name
        self.url = url
        self._http = http
        self._credential = credential

    def without_credential(self) -> "Service":
        """Return a client of the same service that sends no credential."""
        return Service(self.name, self.url, self._http)

    def read(
        self,
        path: str,
        model: type[Model],
        *,
        timeout: float = TIMEOUT_SECONDS,
        **query: str | int | None,
    ) -> Model:
        """GET a document, waiting up to `timeout` seconds for it."""
        request = self._http.build_request(
            "GET",
            self._to(path),
            params=_query_parameters(query),
            timeout=httpx.Timeout(timeout, connect=CONNECT_SECONDS),
        )
        return self._parse(self._call(request), model)

    def do(self, path: str, body: object = None) -> httpx.Response:
        """POST a JSON body; return the response."""
        return self._call(self._http.build_request("POST", self._to(path), json=body))

    def ask(self, path: str, model: type[Model], body: object) -> Model:
        """POST a JSON body; return the document in the response."""
        return self._parse(self.do(path, body), model)

    def change(
        self,
        path: str,
        model: type[Model],
        content: bytes | None = None,
        *,
        timeout: float = TIMEOUT_SECONDS,
        **query: str | int | None,
    ) -> Model:
        """POST a query and optional JSON text; return the document in the response."""
        request = self._http.build_request(
            "POST",
            self._to(path),
            params=_query_parameters(query),
            content=content,
            headers={} if content is None else {"content-type": "application/json"},
            timeout=httpx.Timeout(timeout, connect=CONNECT_SECONDS),
        )
        return self._parse(self._call(request), model)

    def send(self, path: str, content: bytes, content_type: str) -> None:
        """POST bytes with a content type."""
        headers = {"content-type": content_type}
        self._call(
            self._http.build_request("POST", self._to(path), content=content, headers=headers)
        )

    def _to(self, path: str) -> str:
        return self.url + path

    def _call(self, request: httpx.Request) -> httpx.Response:
        request.headers.update(auth_headers(self._credential, self.url))
        try:
            response = self._http.send(request)
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise explain(self.name, self.url, error) from error
        if not response.is_success:
            raise error_from_response(self.name, self.url, response, self._credential)
        return response

    def _parse(self, response: httpx.Response, model: type[Model]) -> Model:
        try:
            return model.model_validate_json(response.content)
        except ValidationError as error:
            raise _unexpected_response(self.name, self.url, "an unexpected document") from error


def _query_parameters(query: Mapping[str, str | int | None]) -> dict[str, str | int]:
    given = {key: value for key, value in query.items() if value is not None}
    for key, value in given.items():
        if isinstance(value, str) and not _is_text(value):
            what = key.replace("_", " ")
            raise OrderflowError(f"{value!r} is not a valid {what}: it is not text")
    return given


def _is_text(value: str) -> bool:
    """Return whether it is free of bytes that the terminal's encoding could not decode."""
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def auth_headers(credential: Credential | None, url: str) -> dict[str, str]:
    """Return the headers that authenticate a request to the service at an address."""
    return {} if credential is None else credential.headers(url)


def error_from_response(
    name: str, url: str, response: httpx.Response, credential: Credential | None = None
) -> OrderflowError:
    """Convert a problem document or a sidecar error; suggest a remedy if a token would help."""
    try:
        document = json.loads(response.content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        if url.startswith("http:") and b"HTTPS" in response.content:
            return OrderflowError(f"{name} at {url} uses TLS: its address must begin with https://")
        return _unexpected_response(name, url, f"HTTP status {response.status_code}")
    if "detail" in document:
        return RequestRejected(
            name,
            response.status_code,
            str(document.get("code", "")),
            str(document["detail"]),
            _remedy(response.status_code, url, credential),
        )
    if "message" in document:
        code = str(document.get("errorCode", ""))
        return RequestRejected(
            name, response.status_code, code, _root_cause(str(document["message"]))
        )
    return _unexpected_response(name, url, f"HTTP status {response.status_code}")


def _remedy(status: int, url: str, credential: Credential | None) -> str:
    """Say how to authenticate; empty if authentication is not the problem."""
    create = "create one with `orderflow tokens add`"
    if credential is not None and auth_headers(credential, url):
        return {
            UNAUTHORIZED: f"the token from {credential.source} is not valid there; {create}",
            FORBIDDEN: f"the request used the token from {credential.source}",
        }.get(status, "")
    if status != UNAUTHORIZED:
        return ""
    place = f"in {VARIABLE} or {FILE_VARIABLE}"
    if credential is None:
        return f"provide a token {place}; {create}"
    return (
        f"the token in {credential.source} is only for services on this machine: provide one for "
        f"{url} {place}"
    )


def _root_cause(message: str) -> str:
    """Return the original message of a gRPC error, without the sidecar's wrapping."""
    return message.rpartition("desc = ")[2] or message


def _unexpected_response(name: str, url: str, what: str) -> OrderflowError:
    return OrderflowError(
        f"{name} at {url} answered with {what} - is another program or version listening there? "
        "Check it with `make status`"
    )
