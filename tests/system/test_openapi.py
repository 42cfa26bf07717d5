"""What the services say of themselves over OpenAPI, and whether they bear what it allows."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orderflow_tools.platform import Platform
from system.shop import Shop
from system.stores import Isolated

VERBS = {"get", "post", "put", "patch", "delete"}
LEFT_OUT = (
    "/orders/stream",  # it never ends
    "/workflows/{instance_id}/wait",  # its time running out is a 504, and takes that time
)


def operations(shop: Shop, app: str) -> list[tuple[str, dict[str, Any]]]:
    document = shop.http.get(shop.url(app, "/openapi.json")).json()
    return [
        (f"{verb.upper()} {path}", operation)
        for path, item in document["paths"].items()
        for verb, operation in item.items()
        if verb in VERBS
    ]


@pytest.mark.parametrize("app", ["orders", "inventory", "approvals"])
def test_every_path_says_what_it_does_and_how_it_refuses(shop: Shop, app: str) -> None:
    """Each has a summary, and each that takes something has its errors as problem documents."""
    for name, operation in operations(shop, app):
        assert operation.get("summary"), name
        assert operation.get("operationId"), name
        in_path = [entry for entry in operation.get("parameters", ()) if entry["in"] == "path"]
        assert all("example" in str(entry) for entry in in_path), name
        if operation.get("parameters") or "requestBody" in operation:
            refusals = {code: told for code, told in operation["responses"].items() if code >= "4"}
            assert refusals, name
            for code, told in refusals.items():
                assert "ProblemDocument" in str(told) or "Readiness" in str(told), (name, code)


@pytest.mark.parametrize("app", ["orders", "inventory", "approvals"])
def test_nothing_that_is_sent_breaks_a_service(
    app: str, tmp_path: Path, isolated: Isolated
) -> None:
    """Whatever the description allows, and much that it does not, is answered, never with a 5xx."""
    settings = isolated(tmp_path / "platform", ORDERS_HELLO_STEP_SECONDS="0")
    with Platform(settings) as platform:
        done = subprocess.run(
            [
                str(Path(sys.executable).parent / "schemathesis"),
                *("run", f"{platform.url(app)}/openapi.json"),
                *("--checks", "not_a_server_error", "--phases", "examples,coverage,fuzzing"),
                *("--max-examples", "10", "--seed", "1", "--generation-database", "none"),
                *("--request-timeout", "20", "--no-color"),
                *(part for path in LEFT_OUT for part in ("--exclude-path", path)),
            ],
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
            cwd=tmp_path,
        )
        _, _, troubles = done.stdout.partition("= ERRORS =")
        assert done.returncode == 0, troubles or done.stdout
        assert "passed" in done.stdout
        log = platform.log(app).read_text()
        assert "http_request_failed" not in log, log[-2000:]
