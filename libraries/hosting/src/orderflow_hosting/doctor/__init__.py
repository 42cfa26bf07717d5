"""Finds what disagrees between a service's records and everything else, and heals what is safe."""

from orderflow_hosting.doctor.api import doctor_router
from orderflow_hosting.doctor.checks import Check, Disagreement, Look
from orderflow_hosting.doctor.doctor import Doctor
from orderflow_hosting.doctor.events import UnhandledEvents, UnpublishedMessages
from orderflow_hosting.doctor.reconciler import Reconciler

__all__ = [
    "Check",
    "Disagreement",
    "Doctor",
    "Look",
    "Reconciler",
    "UnhandledEvents",
    "UnpublishedMessages",
    "doctor_router",
]
