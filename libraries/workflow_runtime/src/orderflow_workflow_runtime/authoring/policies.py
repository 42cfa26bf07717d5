"""Retry policies for activities: growing pauses, until a timeout."""

from datetime import timedelta
from typing import Final

from dapr.ext.workflow import RetryPolicy

FIRST_PAUSE: Final = timedelta(milliseconds=500)
LONGEST_PAUSE: Final = timedelta(seconds=30)
MAX_ATTEMPTS: Final = 1000
"""The SDK requires a number, and raises the coefficient to its power, which must not overflow."""


def retry_for(timeout: timedelta) -> RetryPolicy:
    """Retry after half a second, doubling the pause up to half a minute, until the timeout."""
    return RetryPolicy(
        first_retry_interval=FIRST_PAUSE,
        max_number_of_attempts=MAX_ATTEMPTS,
        backoff_coefficient=2.0,
        max_retry_interval=LONGEST_PAUSE,
        retry_timeout=timeout,
    )


RETRY_FOR_A_DAY: Final = retry_for(timedelta(hours=24))
"""For activities that must succeed and that nobody waits for, such as publishing a status.

A thousand attempts are used up after eight hours; the rest of the day is for attempts that hang.
"""
