"""Checks an application's routes: each must have exactly one guard, or be public."""

from collections.abc import Iterator

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.routing import Mount

from orderflow_hosting.access.guards import Guard
from orderflow_hosting.access.middleware import is_public

READING = frozenset({"GET", "HEAD"})


class Unguarded(Exception):
    """Some routes have no guard, several guards, or one that does not fit their methods."""


def routes_of(app: FastAPI) -> dict[str, Guard | None]:
    """Return each route's guard by method and path; None if there is none, or more than one."""
    found: dict[str, Guard | None] = {}
    for route in iter_route_contexts(app.routes):
        guards = _guards(route)
        for method in sorted(route.methods or {"ANY"}):
            found[f"{method} {route.path}"] = guards[0] if len(guards) == 1 else None
    return found


def must_be_guarded(app: FastAPI) -> None:
    """Raise `Unguarded`, naming each route whose guard is missing or does not fit."""
    wrong = [str(route.path) for route in iter_route_contexts(app.routes) if not _is_right(route)]
    if wrong:
        routes = ", ".join(sorted(wrong))
        raise Unguarded(f"these routes need exactly one guard that fits their methods: {routes}")


def _is_right(route: RouteContext) -> bool:
    if isinstance(route.original_route, Mount):
        return is_public(f"{route.path}/")
    guards = _guards(route)
    if route.path is not None and is_public(route.path):
        return not guards
    return len(guards) == 1 and _fits(guards[0], route.methods or set())


def _fits(guard: Guard, methods: set[str]) -> bool:
    """Return whether a route that only reads has a reading guard, and any other a changing one."""
    only_reads = bool(methods) and READING.issuperset(methods)
    return only_reads == (guard.kind in {"reads", "page"})


def _guards(route: RouteContext) -> list[Guard]:
    if not isinstance(route.original_route, APIRoute):
        return []
    return list(_within(route.dependant))


def _within(dependant: Dependant) -> Iterator[Guard]:
    for dependency in dependant.dependencies:
        if isinstance(dependency.call, Guard):
            yield dependency.call
        yield from _within(dependency)
