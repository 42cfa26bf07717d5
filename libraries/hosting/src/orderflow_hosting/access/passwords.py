"""Passwords: whether one is right, at the same cost whether or not there is such a user."""

import asyncio
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

LONGEST_PASSWORD: Final = 1024
AT_ONCE: Final = 2
"""Each check takes some 64 MiB of memory and a processor for some 50 ms."""


class Passwords:
    """Compares passwords with what the access file keeps of them."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._nobodys: str | None = None
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def is_right(self, kept: str | None, password: str) -> bool:
        """Tell whether this is the password; nothing kept costs as much, and is never right."""
        async with self._turns:
            if self._nobodys is None:
                self._nobodys = await asyncio.to_thread(self._hasher.hash, "of nobody")
            matches = await asyncio.to_thread(self._matches, kept or self._nobodys, password)
        return matches and kept is not None

    def _matches(self, kept: str, password: str) -> bool:
        if len(password) > LONGEST_PASSWORD:
            return False
        try:
            return self._hasher.verify(kept, password)
        except (Argon2Error, InvalidHashError):
            return False
