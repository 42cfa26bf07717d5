"""The HTTP application of orders."""

from fastapi import APIRouter, FastAPI

from orderflow_hosting.application import http_application


def http_app(*routers: APIRouter) -> FastAPI:
    """Create the HTTP application."""
    return http_application("Orderflow orders", "Place, follow and cancel orders.", *routers)
