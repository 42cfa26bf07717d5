"""Liveness and readiness of a service."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, Response
from pydantic import BaseModel

CHECK_SECONDS = 2.0

Check = Callable[[], Awaitable[None]]
"""Raises an error with a message for people if what it checks is not ready."""


class Alive(BaseModel):
    """The process answers."""

    status: str = "alive"


class Readiness(BaseModel):
    """Whether the service is ready, and for each check `ok` or what is wrong."""

    ready: bool
    checks: dict[str, str]


def health_router(checks: Mapping[str, Check]) -> APIRouter:
    """Serve `/healthz` and `/readyz`, the latter by running all checks at once."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz", summary="Check that the process is alive")
    async def healthz() -> Alive:
        return Alive()

    @router.get(
        "/readyz",
        summary="Check that the service is ready",
        responses={503: {"model": Readiness, "description": "Something is not ready"}},
    )
    async def readyz(response: Response) -> Readiness:
        results = await asyncio.gather(*(_outcome(check) for check in checks.values()))
        ready = all(result == "ok" for result in results)
        response.status_code = 200 if ready else 503
        return Readiness(ready=ready, checks=dict(zip(checks, results, strict=True)))

    return router


async def _outcome(check: Check) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check()
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS:g} s"
    except Exception as error:  # noqa: BLE001 # any error is the result of the check
        return str(error) or type(error).__name__
    return "ok"
