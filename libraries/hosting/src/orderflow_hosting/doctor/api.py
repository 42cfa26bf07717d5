"""The HTTP API of the doctor."""

from typing import Annotated, Final

from fastapi import APIRouter, Query

from orderflow_contracts.doctor import Diagnosis, Treatment
from orderflow_hosting.access import Role, changes, reads
from orderflow_hosting.doctor.doctor import Doctor

SUBJECT_PATTERN: Final = r"^[A-Za-z0-9_-]{1,64}$"


def doctor_router(doctor: Doctor, subject: str) -> APIRouter:
    """Serve the comparison, and healing; `subject` names the parameter that limits both."""
    router = APIRouter(prefix="/doctor", tags=["doctor"])
    about = Query(alias=subject, pattern=SUBJECT_PATTERN, description="Only what is about this ID")

    @router.get(
        "",
        summary="Compare what is recorded with everything else, and list what disagrees",
        description="A disagreement is listed if it was seen twice, some seconds apart.",
        dependencies=[reads()],
    )
    async def diagnose(only: Annotated[str | None, about] = None) -> Diagnosis:
        return await doctor.diagnose(only)

    @router.post(
        "/fix",
        summary="Heal what it is safe to heal, and list what is left",
        dependencies=[changes(Role.OPERATOR, "doctor.fix")],
    )
    async def fix(only: Annotated[str | None, about] = None) -> Treatment:
        return await doctor.fix(only)

    return router
