"""What live pages have in common."""

from collections.abc import Awaitable, Callable

from fastapi import Request

IsCurrent = Callable[[Request], Awaitable[bool]]
"""Tells whether the session that asked still is one."""
