"""The pages of workflows: find an instance, read its history, and act on it."""

from collections.abc import Awaitable
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from orderflow_contracts.numbers import TypedNumber
from orderflow_hosting.access import Role, form, page
from orderflow_hosting.pages import decode_cursor, encode_cursor
from orderflow_hosting.problems import Problem
from orderflow_hosting.refused_forms import refused_form
from orderflow_hosting.web import Site
from orderflow_workflow_runtime.instances import Instance, RuntimeStatus
from orders.board.pages.workflow_steps import (
    EVENTS,
    MAX_PAYLOAD,
    RaiseForm,
    StepsOnAPage,
    force_of,
    possible,
    url_of,
)
from orders.management.problems import as_problems
from orders.management.records import InstanceFilter
from orders.management.service import Management
from orders.workflows import WORKFLOWS

INSTANCES_ON_A_PAGE: Final = 25

Outcome = Literal["paused", "resumed", "terminated", "raised", "purged"]
AsForm = Annotated[str, Form(max_length=MAX_PAYLOAD)]


def workflow_pages(site: Site, management: Management) -> APIRouter:
    """Serve the list of instances, the page of each, and its actions."""
    router = APIRouter(prefix="/board/workflows", include_in_schema=False)
    pages = _Pages(site, management)
    router.get("", dependencies=[page()])(pages.instances)
    router.get("/{instance_id}", dependencies=[page()])(pages.instance)
    operators = [page(Role.OPERATOR)]
    router.get("/{instance_id}/terminate", dependencies=operators)(pages.confirm_terminate)
    router.get("/{instance_id}/purge", dependencies=operators)(pages.confirm_purge)
    router.get("/{instance_id}/raise", dependencies=operators)(pages.raise_form)
    for verb in ("pause", "resume", "terminate", "purge", "raise"):
        guards = [form(Role.OPERATOR, f"workflow.{verb}")]
        handler = getattr(pages, f"{verb}_event" if verb == "raise" else verb)
        router.post(f"/{{instance_id}}/{verb}", dependencies=guards)(handler)
    nothing_is_done = [form(Role.OPERATOR, None)]
    router.post("/{instance_id}/raise/confirm", dependencies=nothing_is_done)(pages.confirm_raise)
    return router


class _Pages:
    """Each page and each action as a method."""

    def __init__(self, site: Site, management: Management) -> None:
        self._site = site
        self._management = management

    async def instances(
        self,
        request: Request,
        name: str = "",
        status: RuntimeStatus | Literal[""] = "",
        after: str | None = None,
        find: str = "",
        done: Outcome | None = None,
    ) -> Response:
        if find.strip():
            return RedirectResponse(url_of(find.strip()), status_code=303)
        known = decode_cursor(after) if after is not None else None
        wanted = InstanceFilter(status=RuntimeStatus(status) if status else None, name=name or None)
        with as_problems():
            found, last = await self._management.listing.page(
                wanted, INSTANCES_ON_A_PAGE, known, payloads=False
            )
        return self._site.page(
            request,
            "workflows.html",
            instances=found,
            next=encode_cursor(last) if last is not None else None,
            after=after,
            name=name,
            status=status,
            names=sorted(WORKFLOWS),
            statuses=list(RuntimeStatus),
            done=done,
            url_of=url_of,
        )

    async def instance(
        self,
        request: Request,
        instance_id: str,
        before: Annotated[TypedNumber | None, Query(ge=0)] = None,
        done: Outcome | None = None,
    ) -> Response:
        return await self._instance_page(request, instance_id, before=before, done=done)

    async def pause(self, request: Request, instance_id: str) -> Response:
        act = self._management.pause(instance_id)
        return await self._done(request, instance_id, act, "paused")

    async def resume(self, request: Request, instance_id: str) -> Response:
        act = self._management.resume(instance_id)
        return await self._done(request, instance_id, act, "resumed")

    async def confirm_terminate(self, request: Request, instance_id: str) -> Response:
        instance = await self._known(instance_id)
        return self._confirm(request, "workflow-terminate.html", instance)

    async def terminate(self, request: Request, instance_id: str) -> Response:
        instance = await self._known(instance_id)
        act = self._management.terminate(instance_id, force=force_of(instance))
        return await self._done(request, instance_id, act, "terminated")

    async def confirm_purge(self, request: Request, instance_id: str) -> Response:
        instance = await self._known(instance_id)
        return self._confirm(request, "workflow-purge.html", instance)

    async def purge(self, request: Request, instance_id: str) -> Response:
        act = self._management.purge(instance_id)
        return await self._done(request, instance_id, act, "purged", to="/board/workflows")

    async def raise_form(self, request: Request, instance_id: str) -> Response:
        instance = await self._known(instance_id)
        typed = refused_form(request)
        if not typed.by_name:
            return self._raise_page(request, instance, RaiseForm())
        event, payload = (typed.value(typed.action, name) for name in ("event", "payload"))
        return self._raise_page(request, instance, RaiseForm(event, payload))

    async def confirm_raise(
        self, request: Request, instance_id: str, event: AsForm = "", payload: AsForm = ""
    ) -> Response:
        instance = await self._known(instance_id)
        typed = RaiseForm(event, payload)
        if typed.errors:
            return self._raise_page(request, instance, typed)
        return self._confirm(request, "workflow-raise-confirm.html", instance, typed=typed)

    async def raise_event(
        self, request: Request, instance_id: str, event: AsForm = "", payload: AsForm = ""
    ) -> Response:
        typed = RaiseForm(event, payload)
        if typed.errors:
            request.state.problem_code = "INVALID_INPUT"
            return self._raise_page(request, await self._known(instance_id), typed)
        act = self._management.raise_event(instance_id, typed.event, typed.value)
        return await self._done(request, instance_id, act, "raised")

    async def _known(self, instance_id: str) -> Instance:
        with as_problems():
            return await self._management.status(instance_id)

    async def _done(
        self,
        request: Request,
        instance_id: str,
        act: Awaitable[None],
        done: Outcome,
        to: str | None = None,
    ) -> Response:
        """Act, then redirect; a failure is shown on the instance's page."""
        try:
            with as_problems():
                await act
        except Problem as problem:
            if problem.status != 409:  # noqa: PLR2004 # shown as an error page: the instance's page may not exist
                raise
            request.state.problem_code = problem.code
            return await self._instance_page(request, instance_id, problem=problem)
        return RedirectResponse(f"{to or url_of(instance_id)}?done={done}", status_code=303)

    async def _instance_page(
        self,
        request: Request,
        instance_id: str,
        *,
        before: int | None = None,
        done: Outcome | None = None,
        problem: Problem | None = None,
    ) -> Response:
        instance = await self._known(instance_id)
        with as_problems():
            steps = StepsOnAPage.of(await self._management.history(instance_id), before)
        return self._show(
            request,
            "workflow.html",
            problem.status if problem is not None else 200,
            instance,
            steps=steps,
            done=done,
            problem=problem,
            possible=possible(instance),
        )

    def _raise_page(self, request: Request, instance: Instance, typed: RaiseForm) -> Response:
        status = 422 if typed.was_sent else 200
        events = EVENTS.get(instance.name, ())
        return self._show(
            request, "workflow-raise.html", status, instance, typed=typed, events=events
        )

    def _confirm(
        self, request: Request, template: str, instance: Instance, **context: Any
    ) -> Response:
        return self._show(request, template, 200, instance, **context)

    def _show(
        self, request: Request, template: str, status: int, instance: Instance, **context: Any
    ) -> Response:
        return self._site.page(
            request,
            template,
            status,
            instance=instance,
            url=url_of(instance.instance_id),
            is_forced=force_of(instance),
            **context,
        )
