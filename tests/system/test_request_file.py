"""The request file at the root works when sent as an editor would send it."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from orderflow_tools.platform import Platform
from system.shop import Shop
from system.stores import Isolated

FILE = Path(__file__).parents[2] / "workflow-management.http"
VERBS = {"start", "status", "pause", "resume", "terminate", "raise_event", "purge", "wait"}


@dataclass
class Request:
    """One request of the file."""

    title: str
    expects: int
    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


def read(text: str, variables: dict[str, str]) -> list[Request]:
    """Read the requests of a file, replacing its variables; the given values take precedence."""
    known = {**dict(re.findall(r"^@(\w+) = (.+)$", text, re.MULTILINE)), **variables}
    for _ in range(2):  # a variable may name another
        text = re.sub(r"\{\{(\w+)\}\}", lambda match: known[match[1]], text)
    return [_request(part) for part in re.split(r"^### ", text, flags=re.MULTILINE)[1:]]


def _request(part: str) -> Request:
    title, *lines = part.splitlines()
    expects = next(int(line.split()[2]) for line in lines if line.startswith("# expects "))
    text = "\n".join(line for line in lines if not line.startswith("# "))
    head, _, body = text.strip().partition("\n\n")
    first, *headers = head.splitlines()
    method, url = first.split(" ", 1)
    pairs = (header.split(": ", 1) for header in headers)
    return Request(title, expects, method, url, dict(pairs), body.strip())


def test_each_request_gets_the_status_stated_in_the_file(
    tmp_path: Path, isolated: Isolated
) -> None:
    """The requests are sent in the order of the file."""
    settings = isolated(
        tmp_path / "platform",
        ORDERS_HELLO_STEP_SECONDS="0.1",
        ORDERS_COUNTER_PAUSE_SECONDS="0.2",
    )
    with Platform(settings) as platform:
        shop = Shop(platform)
        requests = read(FILE.read_text(), {"orders": platform.url("orders")})
        for request in requests:
            response = shop.http.request(
                request.method,
                request.url,
                headers=request.headers,
                content=request.body.encode(),
                timeout=70,
            )
            assert response.status_code == request.expects, (request, response.text)
        shop.close()


def test_the_file_has_every_path_of_workflow_management() -> None:
    """No operation of workflow management is missing."""
    urls = [request.url for request in read(FILE.read_text(), {})]
    for verb in (*VERBS, "history", "rerun", "purge?older_than", "start/"):
        assert any(f"/{verb}" in url for url in urls), verb
    assert any(url.endswith("/workflows?limit=50") for url in urls)
