"""Whether a service is alive and ready, and whether its start must be given up."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import NoReturn

import structlog
from fastapi import APIRouter, Response
from pydantic import BaseModel

from orderflow_hosting.start_up import Patience

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

CHECK_SECONDS = 2.0
LOOK_AGAIN_SECONDS = 0.5

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
        faults = await asyncio.gather(*(fault_of(check) for check in checks.values()))
        ready = all(fault is None for fault in faults)
        response.status_code = 200 if ready else 503
        results = [fault or "ok" for fault in faults]
        return Readiness(ready=ready, checks=dict(zip(checks, results, strict=True)))

    return router


async def fault_of(check: Check) -> str | None:
    """Run a check; return what is wrong, or None."""
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check()
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS:g} s"
    except Exception as error:  # noqa: BLE001 # any error is the result of the check
        return str(error) or type(error).__name__
    return None


async def refuse_without(needs: Mapping[str, Check], seconds: float) -> NoReturn:
    """Wait until each check has succeeded once, and then for ever.

    Raises `NotStarted`, which names the first check that has not succeeded within the time.
    """
    patience = Patience(seconds)
    for what, check in needs.items():
        while (why := await fault_of(check)) is not None:
            patience.missing(what, why)
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
    log.info("start_completed")
    await asyncio.get_running_loop().create_future()
    raise AssertionError("nothing completes this future")
