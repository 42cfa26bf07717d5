"""One service over HTTP: every failure becomes one clear sentence."""

import json
from collections.abc import Mapping
from typing import Final, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from orderflow_cli.connection_errors import explain
from orderflow_cli.credentials import FILE_VARIABLE, VARIABLE, Credential
from orderflow_cli.errors import OrderflowError, Refusal

Model = TypeVar("Model", bound=BaseModel)

TIMEOUT_SECONDS: Final = 15.0
CONNECT_SECONDS: Final = 5.0
STRUCTURED_EVENT: Final = "application/cloudevents+json"
UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403


class Service:
    """A service by its name and base URL. Its calls are safe to make from several threads."""

    def __init__(
        self, name: str, url: str, http: httpx.Client, credential: Credential | None = None
    ) -> None:
        self.name = name
        self.url = url
        self._http = http
        self._credential = credential

    def without_credential(self) -> "Service":
        """Return the same service, asked by nobody in particular."""
        return Service(self.name, self.url, self._http)

    def read(
        self,
        path: str,
        model: type[Model],
        *,
        patience: float = TIMEOUT_SECONDS,
        **query: str | int | None,
    ) -> Model:
        """GET a document, which may be so many seconds in coming."""
        request = self._http.build_request(
            "GET",
            self._to(path),
            params=_given(query),
            timeout=httpx.Timeout(patience, connect=CONNECT_SECONDS),
        )
        return self._parse(self._call(request), model)

    def do(self, path: str, body: object = None) -> httpx.Response:
        """POST a JSON body; return the answer unread."""
        return self._call(self._http.build_request("POST", self._to(path), json=body))

    def ask(self, path: str, model: type[Model], body: object) -> Model:
        """POST a JSON body; return the document that comes back."""
        return self._parse(self.do(path, body), model)

    def change(
        self,
        path: str,
        model: type[Model],
        content: bytes | None = None,
        *,
        patience: float = TIMEOUT_SECONDS,
        **query: str | int | None,
    ) -> Model:
        """POST a query, and JSON text where there is some; return the document that comes back."""
        request = self._http.build_request(
            "POST",
            self._to(path),
            params=_given(query),
            content=content,
            headers={} if content is None else {"content-type": "application/json"},
            timeout=httpx.Timeout(patience, connect=CONNECT_SECONDS),
        )
        return self._parse(self._call(request), model)

    def send(self, path: str, content: bytes, content_type: str) -> None:
        """POST bytes of some type."""
        headers = {"content-type": content_type}
        self._call(
            self._http.build_request("POST", self._to(path), content=content, headers=headers)
        )

    def _to(self, path: str) -> str:
        return self.url + path

    def _call(self, request: httpx.Request) -> httpx.Response:
        request.headers.update(shown(self._credential, self.url))
        try:
            response = self._http.send(request)
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise explain(self.name, self.url, error) from error
        if not response.is_success:
            raise refusal(self.name, self.url, response, self._credential)
        return response

    def _parse(self, response: httpx.Response, model: type[Model]) -> Model:
        try:
            return model.model_validate_json(response.content)
        except ValidationError as error:
            raise _stranger(self.name, self.url, "something unknown") from error


def _given(query: Mapping[str, str | int | None]) -> dict[str, str | int]:
    given = {key: value for key, value in query.items() if value is not None}
    for key, value in given.items():
        if isinstance(value, str) and not _is_text(value):
            what = key.replace("_", " ")
            raise OrderflowError(f"{value!r} cannot be the {what}: it is not text")
    return given


def _is_text(value: str) -> bool:
    """Tell whether there are no bytes in it that this terminal's encoding does not have."""
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def shown(credential: Credential | None, url: str) -> dict[str, str]:
    """Return the headers that show a credential to the service at an address."""
    return {} if credential is None else credential.headers(url)


def refusal(
    name: str, url: str, response: httpx.Response, credential: Credential | None = None
) -> OrderflowError:
    """Read a problem document, or an error of the sidecar; say what helps if a token would."""
    try:
        document = json.loads(response.content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        if url.startswith("http:") and b"HTTPS" in response.content:
            return OrderflowError(f"{name} at {url} speaks TLS: its address begins with https://")
        return _stranger(name, url, f"HTTP status {response.status_code}")
    if "detail" in document:
        return Refusal(
            name,
            response.status_code,
            str(document.get("code", "")),
            str(document["detail"]),
            _remedy(response.status_code, url, credential),
        )
    if "message" in document:
        code = str(document.get("errorCode", ""))
        return Refusal(name, response.status_code, code, _root(str(document["message"])))
    return _stranger(name, url, f"HTTP status {response.status_code}")


def _remedy(status: int, url: str, credential: Credential | None) -> str:
    """Say how to be let in; nothing where that is not what was wrong."""
    make = "`orderflow tokens add` makes one"
    if credential is not None and shown(credential, url):
        return {
            UNAUTHORIZED: f"the token from {credential.source} does not count there; {make}",
            FORBIDDEN: f"it was asked with the token from {credential.source}",
        }.get(status, "")
    if status != UNAUTHORIZED:
        return ""
    give = f"by {VARIABLE} or {FILE_VARIABLE}"
    if credential is None:
        return f"give a token {give}; {make}"
    return (
        f"the token in {credential.source} is for this machine's services alone: give one for "
        f"{url} {give}"
    )


def _root(message: str) -> str:
    """Leave out the sidecar's account of how a gRPC error came to it."""
    return message.rpartition("desc = ")[2] or message


def _stranger(name: str, url: str, what: str) -> OrderflowError:
    return OrderflowError(
        f"{name} at {url} answered with {what} - does another program listen there, or another "
        "version? `make status` tells"
    )
