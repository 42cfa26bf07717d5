"""The HTTP API of events that could not be handled."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query
from pydantic import AfterValidator, BaseModel, Field

from orderflow_contracts.dead_letters import DeadLetter, DeadLetterWithData, ParkedEvent
from orderflow_contracts.fields import Moment, Text
from orderflow_contracts.numbers import TypedNumber
from orderflow_hosting.access import Role, changes, reads
from orderflow_hosting.dead_letters.outcomes import DISCARD, RESEND, Outcomes
from orderflow_hosting.dead_letters.parked import ParkedEvents
from orderflow_hosting.dead_letters.store import DeadLetters
from orderflow_hosting.dead_letters.wanted import State, Wanted
from orderflow_hosting.pages import After, Limit, Page
from orderflow_hosting.problems import documented

LetterId = Annotated[TypedNumber, Path(ge=1, le=2**31 - 1, examples=[1])]
Part = Annotated[str | None, Query(min_length=1, max_length=200)]


def _sent_as_json(body: Any) -> Any:
    if isinstance(body, bytes):  # as the framework leaves a body of another content type
        raise ValueError("must be sent as application/json")  # noqa: TRY004 # pydantic expects it
    return body


Corrected = Annotated[Any, AfterValidator(_sent_as_json), Body()]


class Discarding(BaseModel):
    """Why a dead letter needs nothing more."""

    reason: Annotated[Text, Field(min_length=1)]


def dead_letter_router(letters: DeadLetters, outcomes: Outcomes) -> APIRouter:
    """Serve the dead letters over HTTP."""
    router = APIRouter(prefix="/dead-letters", tags=["dead letters"])
    missing = documented({404: "There is no such dead letter"})

    @router.get(
        "",
        summary="List events that could not be handled, newest first, without their payloads",
        dependencies=[reads()],
    )
    async def list_dead_letters(
        limit: Limit = 100,
        after: After = None,
        state: State | None = None,
        topic: Part = None,
        reason: Part = None,
        q: Part = None,
        received_from: Moment | None = None,
        received_before: Moment | None = None,
    ) -> Page[DeadLetter]:
        wanted = Wanted(
            state=state,
            topic=topic,
            reason=reason,
            text=q,
            received_from=received_from,
            received_before=received_before,
        )
        return await letters.page(limit, after, wanted)

    @router.get(
        "/{letter_id}",
        summary="Read an event that could not be handled, with its payload, and what became of it",
        responses=missing,
        dependencies=[reads()],
    )
    async def read_dead_letter(letter_id: LetterId) -> DeadLetterWithData:
        letter = await letters.letter(letter_id)
        return letter.model_copy(update={"outcome": await outcomes.of(letter_id)})

    @router.post(
        "/{letter_id}/resend",
        status_code=202,
        summary="Publish an event once more on its topic, as it was or corrected",
        description="Without a body the event is published as it was, under its own id. A body is "
        "the corrected event: a CloudEvent, or the data of one. It gets an id of its own.",
        responses=missing,
        dependencies=[changes(Role.OPERATOR, RESEND)],
    )
    async def resend_dead_letter(
        letter_id: LetterId, corrected: Corrected = None
    ) -> dict[str, str]:
        event_id = await letters.resend(letter_id, corrected)
        return {"message": f"dead letter {letter_id} was resent", "event_id": event_id}

    @router.post(
        "/{letter_id}/discard",
        status_code=202,
        summary="Record that an event needs nothing more, and why",
        responses=missing,
        dependencies=[changes(Role.OPERATOR, DISCARD)],
    )
    async def discard_dead_letter(letter_id: LetterId, body: Discarding) -> dict[str, str]:
        await letters.discard(letter_id, body.reason)
        return {"message": f"dead letter {letter_id} was discarded"}

    return router


def parked_event_router(parked: ParkedEvents) -> APIRouter:
    """Serve the parked events over HTTP, read-only."""
    router = APIRouter(prefix="/parked-events", tags=["dead letters"])

    @router.get(
        "",
        summary="List events that failed and will be tried again, newest first",
        dependencies=[reads()],
    )
    async def list_parked_events(limit: Limit = 100, after: After = None) -> Page[ParkedEvent]:
        return await parked.page(limit, after)

    return router
