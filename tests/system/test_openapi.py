"""The services' OpenAPI descriptions are complete, and every input they allow is handled."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orderflow_contracts.names import SERVICES
from orderflow_tools.platform import Platform
from system.shop import Shop
from system.stores import Isolated

VERBS = {"get", "post", "put", "patch", "delete"}
LEFT_OUT = (
    "/orders/stream",  # the response never ends
    "/workflows/{instance_id}/wait",  # a timeout is a 504, and takes its full time
)


def operations(shop: Shop, app: str) -> list[tuple[str, dict[str, Any]]]:
    document = shop.http.get(shop.url(app, "/openapi.json")).json()
    return [
        (f"{verb.upper()} {path}", operation)
        for path, item in document["paths"].items()
        for verb, operation in item.items()
        if verb in VERBS
    ]


@pytest.mark.parametrize("app", SERVICES)
def test_every_path_has_a_summary_and_describes_its_errors(shop: Shop, app: str) -> None:
    """Each path that takes input describes its errors as problem documents."""
    for name, operation in operations(shop, app):
        assert operation.get("summary"), name
        assert operation.get("operationId"), name
        in_path = [entry for entry in operation.get("parameters", ()) if entry["in"] == "path"]
        assert all("example" in str(entry) for entry in in_path), name
        if operation.get("parameters") or "requestBody" in operation:
            refusals = {
                code: response for code, response in operation["responses"].items() if code >= "4"
            }
            assert refusals, name
            for code, response in refusals.items():
                assert "ProblemDocument" in str(response) or "Readiness" in str(response), (
                    name,
                    code,
                )


@pytest.mark.parametrize("app", SERVICES)
def test_no_generated_request_causes_a_server_error(
    app: str, tmp_path: Path, isolated: Isolated
) -> None:
    """Generated requests, valid and invalid, are never answered with a 5xx."""
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
