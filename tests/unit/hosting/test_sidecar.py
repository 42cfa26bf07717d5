"""What the sidecar reports about itself, and what is published through it."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from orderflow_hosting.problems import Problem
from orderflow_hosting.settings import ServiceSettings
from orderflow_hosting.sidecar import Sidecar

TYPES = "dapr.internal.default.orders."


class Dapr:
    """The part of Dapr's HTTP API that is used."""

    def __init__(self) -> None:
        self.metadata: dict[str, Any] = {
            "scheduler": {"connected_addresses": ["127.0.0.1:50006"]},
            "actorRuntime": {
                "runtimeStatus": "RUNNING",
                "hostReady": True,
                "activeActors": [{"type": f"{TYPES}activity"}, {"type": f"{TYPES}workflow"}],
            },
        }
        self.called: list[str] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        self.called.append(f"{request.method} {request.url.path}")
        if request.url.path == "/v1.0/shutdown":
            return httpx.Response(204)
        return httpx.Response(200, json=self.metadata)


@pytest.fixture
def dapr() -> Dapr:
    return Dapr()


@pytest.fixture
async def sidecar(dapr: Dapr) -> AsyncIterator[Sidecar]:
    settings = ServiceSettings.model_construct(
        dapr_host="127.0.0.1", dapr_grpc_port=1, dapr_http_port=1
    )
    sidecar = Sidecar("orders", settings)
    await sidecar._http.aclose()
    transport = httpx.MockTransport(dapr.answer)
    sidecar._http = httpx.AsyncClient(base_url="http://sidecar", transport=transport)
    yield sidecar
    await sidecar.close()


async def test_a_sidecar_that_hosts_workflows_is_ready(sidecar: Sidecar) -> None:
    """Scheduler and placement are connected, and workflows can run."""
    await sidecar.check_workflows()
    assert not await sidecar.is_stalled()


@pytest.mark.parametrize(
    ("part", "change", "why"),
    [
        ("scheduler", {"connected_addresses": []}, "has no scheduler"),
        ("actorRuntime", {"hostReady": False}, "have no placement"),
        ("actorRuntime", {"activeActors": [{"type": f"{TYPES}activity"}]}, "hosts no workflows"),
        ("actorRuntime", {"activeActors": []}, "hosts no workflows"),
    ],
)
async def test_causes_that_block_workflows_are_reported(
    sidecar: Sidecar, dapr: Dapr, part: str, change: dict[str, Any], why: str
) -> None:
    """The sidecar's own health check reports none of them."""
    dapr.metadata[part].update(change)
    with pytest.raises(Problem, match=why):
        await sidecar.check_workflows()


@pytest.mark.parametrize("actors", [[], [{"type": f"{TYPES}activity"}], [{"type": "Cart"}]])
async def test_a_sidecar_without_workflow_actors_has_stalled(
    sidecar: Sidecar, dapr: Dapr, actors: list[Any]
) -> None:
    """Its actors run, but those for workflows are missing."""
    dapr.metadata["actorRuntime"]["activeActors"] = actors
    assert await sidecar.is_stalled()


@pytest.mark.parametrize("runtime", [{}, {"runtimeStatus": "INITIALIZING"}])
async def test_a_starting_sidecar_has_not_stalled(
    sidecar: Sidecar, dapr: Dapr, runtime: dict[str, Any]
) -> None:
    """It waits for the application to become healthy."""
    dapr.metadata["actorRuntime"] = runtime
    assert not await sidecar.is_stalled()


async def test_a_sidecar_can_be_shut_down(sidecar: Sidecar, dapr: Dapr) -> None:
    """It is asked to shut itself down."""
    await sidecar.shut_down()
    assert dapr.called == ["POST /v1.0/shutdown"]


async def test_events_about_one_subject_stay_in_order(
    sidecar: Sidecar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker with partitions chooses one by their key, which is the subject."""
    published: list[Any] = []

    async def publish(_api: object, request: Any, **_: object) -> None:
        published.append(request)

    monkeypatch.setattr(sidecar, "_api", type("Api", (), {"BulkPublishEvent": publish})())

    await sidecar.publish_together("inventory.low-stock", [("paperclip", b"{}")], seconds=5)

    (entry,) = published[0].entries
    assert entry.metadata == {"partitionKey": "paperclip"}
