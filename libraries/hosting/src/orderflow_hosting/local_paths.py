"""Paths on this site, which are safe to redirect to."""

import re
from typing import Final
from urllib.parse import quote

from starlette.requests import Request

_LOCAL: Final = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")
_SIGNING: Final = re.compile(r"/sign-(?:in|out)(?![a-z-])")


def local_path(path: str | None) -> str:
    """Return the path if it is a page of this site; otherwise `/`, the home page."""
    if path is None or _LOCAL.fullmatch(path) is None or _SIGNING.match(path):
        return "/"
    return path


def quoted(path: str) -> str:
    """Return a path as it is written in a link."""
    return quote(path, safe="/~!$&'()*+,;=:@")


def path_of(request: Request) -> str:
    """Return the path and the query of a request as they are written in a link."""
    path = quoted(request.scope["path"])
    query = request.scope.get("query_string", b"").decode("latin-1")
    return f"{path}?{query}" if query else path
