"""The pages of a service's dead letters: to inspect them, and to resend one or many."""

import base64
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.responses import RedirectResponse, Response

from orderflow_contracts.numbers import TypedNumber
from orderflow_hosting.access import Audit, Principal, Role, form, page
from orderflow_hosting.dead_letters import DeadLetters, ParkedEvents
from orderflow_hosting.dead_letters.store import Wanted
from orderflow_hosting.web.resending import Resent, resend
from orderflow_hosting.web.site import Site

LETTERS_ON_A_PAGE: Final = 20
PARKED_ON_A_PAGE: Final = 20
MAX_COUNTED: Final = 1000
MAX_AT_ONCE: Final = 100

Show = Literal["waiting", "resent", "discarded", "all"]
LetterId = Annotated[TypedNumber, Path(ge=1, le=2**31 - 1)]
LetterIds = Annotated[
    list[Annotated[TypedNumber, Form(ge=1, le=2**31 - 1)]], Form(max_length=MAX_AT_ONCE)
]


@dataclass(frozen=True)
class Subjects:
    """What events are about: its label on the page, and the path of the pages that show it."""

    label: str
    path: str


@dataclass(frozen=True)
class DeadLetterPages:
    """The pages of a service's dead letters, which also list its parked events.

    `path` is where they are on its site.
    """

    site: Site
    letters: DeadLetters
    parked: ParkedEvents
    audit: Audit
    path: str
    subjects: Subjects
    reader: Role = Role.VIEWER

    def router(self) -> APIRouter:
        """Serve the pages to people with the reader's role; operators can resend."""
        router = APIRouter(include_in_schema=False)

        @router.get(self.path, dependencies=[page(self.reader)])
        async def dead_letters(
            request: Request,
            show: Show = "waiting",
            after: str | None = None,
            sent: Annotated[TypedNumber, Query(ge=0)] = 0,
        ) -> Response:
            return await self._page(request, show, after, Resent(sent=[0] * min(sent, MAX_AT_ONCE)))

        @router.get(f"{self.path}/{{letter_id:int}}", dependencies=[page(self.reader)])
        async def dead_letter(request: Request, letter_id: LetterId) -> Response:
            letter = await self.letters.letter(letter_id)
            return self.site.page(
                request,
                "dead-letter.html",
                where=self.path,
                subjects=self.subjects,
                letter=letter,
            )

        @router.get(f"{self.path}/{{letter_id:int}}/payload", dependencies=[page(self.reader)])
        async def payload(letter_id: LetterId) -> Response:
            letter = await self.letters.letter(letter_id)
            headers = {"content-disposition": f"attachment; filename=dead-letter-{letter_id}"}
            data = base64.b64decode(letter.data_base64)
            return Response(data, headers=headers, media_type="application/octet-stream")

        @router.post(f"{self.path}/resend")
        async def resend_dead_letters(
            request: Request,
            principal: Annotated[Principal, form(Role.OPERATOR, None)],
            show: Annotated[Show, Form()] = "waiting",
            letter: LetterIds = [],  # noqa: B006 # the framework copies it
            only: Annotated[TypedNumber | None, Form(ge=1, le=2**31 - 1)] = None,
        ) -> Response:
            selected = [only] if only is not None else list(dict.fromkeys(letter))
            outcome = await resend(self.letters, self.audit, principal, selected)
            if not selected or outcome.failed:
                return await self._page(request, show, None, outcome, chosen=True)
            query = urlencode({"show": show, "sent": len(outcome.sent)})
            return RedirectResponse(f"{self.path}?{query}", status_code=303)

        return router

    async def _page(
        self,
        request: Request,
        show: Show,
        after: str | None,
        outcome: Resent,
        *,
        chosen: bool = False,
    ) -> Response:
        wanted = Wanted(state=None if show == "all" else show)
        found = await self.letters.page(LETTERS_ON_A_PAGE, after, wanted)
        shows_parked = show == "waiting" and after is None
        nothing_chosen = chosen and not outcome.sent and not outcome.failed
        context: dict[str, Any] = {
            "where": self.path,
            "subjects": self.subjects,
            "letters": found.items,
            "parked": (await self.parked.page(PARKED_ON_A_PAGE)) if shows_parked else None,
            "next": found.next,
            "after": after,
            "show": show,
            "waiting": await self.letters.waiting(MAX_COUNTED),
            "most": MAX_COUNTED,
            "outcome": outcome,
            "nothing_chosen": nothing_chosen,
        }
        status = 422 if nothing_chosen else outcome.status
        return self.site.page(request, "dead-letters.html", status, **context)
