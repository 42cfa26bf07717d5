"""What live pages have in common."""

from collections.abc import Awaitable, Callable

from fastapi import Request

IsCurrent = Callable[[Request], Awaitable[bool]]
"""Returns whether the session of a request is still valid."""
