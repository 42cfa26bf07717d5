"""The forms by which operators resend, correct and discard dead letters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import StringConstraints

from orderflow_contracts.fields import Text
from orderflow_contracts.numbers import TypedNumber
from orderflow_hosting.access import Principal, Role, form, page
from orderflow_hosting.dead_letters.outcomes import DISCARD, RESEND
from orderflow_hosting.pages import read_number
from orderflow_hosting.refused_forms import refused_form
from orderflow_hosting.web.correcting import Editable
from orderflow_hosting.web.dead_letter_filter import Filter
from orderflow_hosting.web.dead_letter_pages import MAX_AT_ONCE, DeadLetterPages, LetterId
from orderflow_hosting.web.resending import Acting, Done

_FormNumber = Annotated[TypedNumber, Form(ge=1, le=2**31 - 1)]
_QueryNumber = Annotated[TypedNumber, Query(ge=1, le=2**31 - 1)]
OnlyId = Annotated[TypedNumber | None, Form(ge=1, le=2**31 - 1)]
LetterIds = Annotated[list[_FormNumber], Form(default_factory=list, max_length=MAX_AT_ONCE)]
ChosenIds = Annotated[list[_QueryNumber], Query(default_factory=list, max_length=MAX_AT_ONCE)]
Reason = Annotated[
    Text, StringConstraints(strip_whitespace=True, min_length=1), Form(max_length=2000)
]
Operator = Annotated[Principal, form(Role.OPERATOR, None)]


@dataclass(frozen=True)
class DeadLetterForms:
    """The forms on the pages of dead letters, and the pages that ask for confirmation."""

    pages: DeadLetterPages

    def router(self) -> APIRouter:
        """Serve the forms to operators."""
        router = APIRouter(prefix=self.pages.path, include_in_schema=False)
        self._add_many(router)
        self._add_one(router)
        return router

    def _add_many(self, router: APIRouter) -> None:
        """Act on those that are selected."""

        @router.get("/preview", dependencies=[page(Role.OPERATOR)])
        async def preview(
            request: Request, letter: ChosenIds, match: Literal["all"] | None = None
        ) -> Response:
            shown = Filter.read(request.query_params)
            if match is None:
                return await self._confirm(request, "resend", shown, letter)
            if shown.errors:
                return await self.pages.list(request, shown, None, Done("resent"))
            found = await self.pages.letters.page(MAX_AT_ONCE, None, shown.wanted)
            chosen = [each.id for each in found.items]
            return await self._confirm(
                request, "resend", shown, chosen, are_all=True, has_more=found.next is not None
            )

        @router.post("/resend")
        async def resend(
            request: Request,
            operator: Operator,
            letter: LetterIds,
            only: OnlyId = None,
        ) -> Response:
            chosen = [only] if only is not None else list(dict.fromkeys(letter))
            done = await self._acting(operator).resend(chosen)
            return await self._after(request, done, "sent", chosen)

        @router.get("/discard", dependencies=[page(Role.OPERATOR)])
        async def confirm_discard(request: Request, letter: ChosenIds) -> Response:
            action = f"{self.pages.path}/discard"
            sent = refused_form(request).values(action, "letter")[:MAX_AT_ONCE]
            chosen = letter or [number for each in sent if (number := read_number(each))]
            shown = Filter.of(request, action)
            return await self._confirm(request, "discard", shown, chosen)

        @router.post("/discard")
        async def discard(
            request: Request, operator: Operator, discard_reason: Reason, letter: LetterIds
        ) -> Response:
            chosen = list(dict.fromkeys(letter))
            done = await self._acting(operator).discard(chosen, discard_reason)
            return await self._after(request, done, "discarded", chosen)

    def _add_one(self, router: APIRouter) -> None:
        """Act on the one whose page has the form."""
        letters = self.pages.letters

        @router.post("/{letter_id:int}/resend", dependencies=[form(Role.OPERATOR, RESEND)])
        async def resend_one(letter_id: LetterId) -> Response:
            await letters.resend(letter_id)
            return self._back_to(letter_id, "resent")

        @router.post("/{letter_id:int}/correct", dependencies=[form(Role.OPERATOR, RESEND)])
        async def correct(letter_id: LetterId, payload: Annotated[str, Form()] = "") -> Response:
            editable = Editable.of(await letters.letter(letter_id))
            await letters.resend(letter_id, editable.read(payload))
            return self._back_to(letter_id, "corrected")

        @router.post("/{letter_id:int}/discard", dependencies=[form(Role.OPERATOR, DISCARD)])
        async def discard_one(letter_id: LetterId, discard_reason: Reason) -> Response:
            await letters.discard(letter_id, discard_reason)
            return self._back_to(letter_id, "discarded")

    def _acting(self, operator: Principal) -> Acting:
        return Acting(self.pages.letters, self.pages.audit, operator)

    def _back_to(self, letter_id: int, done: str) -> Response:
        return RedirectResponse(f"{self.pages.path}/{letter_id}?done={done}", status_code=303)

    async def _after(
        self, request: Request, done: Done, field: str, chosen: Sequence[int]
    ) -> Response:
        """Return to the list: after a failure, with what was not done and why."""
        sent = await request.form()
        shown = Filter.read({key: text for key, text in sent.items() if isinstance(text, str)})
        if not chosen or done.failed:
            return await self.pages.list(request, shown, None, done, nothing_chosen=not chosen)
        url = shown.url(self.pages.path, **{field: len(done.letters)})
        return RedirectResponse(url, status_code=303)

    async def _confirm(
        self,
        request: Request,
        action: Literal["resend", "discard"],
        shown: Filter,
        chosen: Sequence[int],
        *,
        are_all: bool = False,
        has_more: bool = False,
    ) -> Response:
        """Show which dead letters an action will be about, and ask."""
        if not chosen and not are_all:
            return await self.pages.list(request, shown, None, Done(""), nothing_chosen=True)
        return self.pages.site.page(
            request,
            "dead-letters-chosen.html",
            where=self.pages.path,
            subjects=self.pages.subjects,
            action=action,
            shown=shown,
            previews=await self.pages.letters.previews(chosen),
            has_more=has_more,
        )
