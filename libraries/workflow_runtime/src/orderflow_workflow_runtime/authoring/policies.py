"""How often steps are tried again: with pauses that grow, for as long as it makes sense."""

from datetime import timedelta
from typing import Final

from dapr.ext.workflow import RetryPolicy

FIRST_RETRY: Final = timedelta(milliseconds=500)
LONGEST_PAUSE: Final = timedelta(seconds=30)
MOST_ATTEMPTS: Final = 1000


def retry_for(timeout: timedelta) -> RetryPolicy:
    """Try again after half a second, then ever later up to half a minute, until time is up."""
    return RetryPolicy(
        first_retry_interval=FIRST_RETRY,
        max_number_of_attempts=MOST_ATTEMPTS,
        backoff_coefficient=2.0,
        max_retry_interval=LONGEST_PAUSE,
        retry_timeout=timeout,
    )


TELLING_RETRY: Final = retry_for(timedelta(hours=24))
"""For telling a status: nothing comes after it, so it may take a day."""
