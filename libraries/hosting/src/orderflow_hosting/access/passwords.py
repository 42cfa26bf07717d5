"""Checks passwords, at the same cost whether or not the user exists."""

import asyncio
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

LONGEST_PASSWORD: Final = 1024
AT_ONCE: Final = 2
"""Each check takes about 64 MiB of memory and 50 ms of CPU time."""


class Passwords:
    """Compares passwords with the hashes in the access file."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._unknown: str | None = None
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def is_right(self, stored: str | None, password: str) -> bool:
        """Return whether the password matches the stored hash; takes as long if there is none."""
        async with self._slots:
            if self._unknown is None:
                self._unknown = await asyncio.to_thread(self._hasher.hash, "of nobody")
            matches = await asyncio.to_thread(self._matches, stored or self._unknown, password)
        return matches and stored is not None

    def _matches(self, stored: str, password: str) -> bool:
        if len(password) > LONGEST_PASSWORD:
            return False
        try:
            return self._hasher.verify(stored, password)
        except (Argon2Error, InvalidHashError):
            return False
