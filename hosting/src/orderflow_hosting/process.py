"""One service process: people's HTTP and Dapr's gRPC side by side, until a signal ends both."""

import asyncio

import structlog
import uvicorn
from fastapi import FastAPI

from orderflow_hosting.dapr_app import DaprApp
from orderflow_hosting.settings import ServiceSettings

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

HTTP_GRACE_SECONDS = 3


async def serve(settings: ServiceSettings, http: FastAPI, dapr: DaprApp) -> None:
    """Serve until SIGTERM or SIGINT; then finish what is in hand and return.

    Raises what stopped one of the two edges if it was not a signal, such as a port in use.
    """
    server = uvicorn.Server(
        uvicorn.Config(
            http,
            host=settings.http_host,
            port=settings.http_port,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=HTTP_GRACE_SECONDS,
        )
    )
    dapr.start()
    log.info("serving", http_port=settings.http_port, grpc_port=settings.grpc_port)
    http_edge = asyncio.create_task(server.serve())
    dapr_edge = asyncio.create_task(dapr.wait())
    done, _ = await asyncio.wait({http_edge, dapr_edge}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    log.info("stopping")
    await dapr.stop()
    await http_edge
    for edge in done:
        edge.result()
