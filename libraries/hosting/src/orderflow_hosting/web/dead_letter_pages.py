"""The pages of a service's dead letters: the list, and one with what was done with it."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from orderflow_contracts.numbers import TypedNumber
from orderflow_hosting.access import Audit, Role, page
from orderflow_hosting.dead_letters import DeadLetters, Outcomes, ParkedEvents
from orderflow_hosting.dead_letters.outcomes import is_correction
from orderflow_hosting.web.correcting import Editable
from orderflow_hosting.web.dead_letter_filter import SHOWN, Filter
from orderflow_hosting.web.resending import Done
from orderflow_hosting.web.site import Site

LETTERS_ON_A_PAGE: Final = 20
PARKED_ON_A_PAGE: Final = 20
MAX_COUNTED: Final = 1000
MAX_AT_ONCE: Final = 100

LetterId = Annotated[TypedNumber, Path(ge=1, le=2**31 - 1)]
Number = Annotated[TypedNumber, Query(ge=0)]
DoneNow = Literal["resent", "corrected", "discarded"]


@dataclass(frozen=True)
class Subjects:
    """What events are about: its label on the page, and the path of the pages that show it."""

    label: str
    path: str


@dataclass(frozen=True)
class DeadLetterPages:
    """The pages of a service's dead letters, which also list its parked events.

    `path` is where they are on its site. `topics` can be chosen to filter the list. `records` has
    the path of the page that shows what a resent event is about, by kind, with a place for its id.
    """

    site: Site
    letters: DeadLetters
    parked: ParkedEvents
    audit: Audit
    outcomes: Outcomes
    path: str
    subjects: Subjects
    reader: Role = Role.VIEWER
    topics: Sequence[str] = ()
    records: Mapping[str, str] = field(default_factory=dict)

    def router(self) -> APIRouter:
        """Serve the pages to people with the reader's role."""
        router = APIRouter(include_in_schema=False)

        @router.get(self.path, dependencies=[page(self.reader)])
        async def dead_letters(
            request: Request, after: str | None = None, sent: Number = 0, discarded: Number = 0
        ) -> Response:
            done = Done("resent" if sent else "discarded")
            done.letters = [0] * min(sent or discarded, MAX_AT_ONCE)
            shown = Filter.of(request, f"{self.path}/resend")
            return await self.list(request, shown, after, done)

        @router.get(f"{self.path}/{{letter_id:int}}", dependencies=[page(self.reader)])
        async def dead_letter(
            request: Request, letter_id: LetterId, done: DoneNow | None = None
        ) -> Response:
            return await self._letter(request, letter_id, done)

        @router.get(f"{self.path}/{{letter_id:int}}/payload", dependencies=[page(self.reader)])
        async def payload(letter_id: LetterId) -> Response:
            letter = await self.letters.letter(letter_id)
            headers = {"content-disposition": f"attachment; filename=dead-letter-{letter_id}"}
            data = base64.b64decode(letter.data_base64)
            return Response(data, headers=headers, media_type="application/octet-stream")

        return router

    async def _letter(self, request: Request, letter_id: int, done: DoneNow | None) -> Response:
        letter = await self.letters.letter(letter_id)
        outcome = await self.outcomes.of(letter_id)
        record = self.records.get(outcome.kind or "") if outcome is not None else None
        entries = await self.outcomes.actions(letter_id)
        return self.site.page(
            request,
            "dead-letter.html",
            where=self.path,
            subjects=self.subjects,
            letter=letter,
            outcome=outcome,
            record_url=record and outcome and record.format(id=outcome.id),
            actions=[(entry, is_correction(entry)) for entry in entries],
            editable=Editable.of(letter),
            done=done,
        )

    async def list(
        self,
        request: Request,
        shown: Filter,
        after: str | None,
        done: Done,
        *,
        nothing_chosen: bool = False,
    ) -> Response:
        """Show the list, with the outcome of an action."""
        found = await self.letters.page(LETTERS_ON_A_PAGE, after, shown.wanted)
        shows_parked = shown.show == "waiting" and after is None and not shown.is_filtered
        context: dict[str, Any] = {
            "where": self.path,
            "subjects": self.subjects,
            "topics": self.topics,
            "shown": shown,
            "states": SHOWN,
            "letters": found.items,
            "parked": (await self.parked.page(PARKED_ON_A_PAGE)) if shows_parked else None,
            "next": found.next,
            "after": after,
            "waiting": await self.letters.waiting(MAX_COUNTED),
            "most": MAX_COUNTED,
            "outcome": done,
            "nothing_chosen": nothing_chosen,
        }
        status = 422 if nothing_chosen or shown.errors else done.status
        return self.site.page(request, "dead-letters.html", status, **context)
