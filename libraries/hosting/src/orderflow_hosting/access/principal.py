"""The caller, and what they may do."""

from dataclasses import dataclass
from typing import Final, Literal

from orderflow_contracts.access import Role

Via = Literal["open", "session", "token", "proxy"]
"""How a caller is identified: not at all, by a session, by a token, or by a proxy."""


@dataclass(frozen=True)
class Principal:
    """A person or a program that sends a request."""

    name: str
    roles: frozenset[Role]
    via: Via

    def may(self, role: Role | str) -> bool:
        """Return whether they have this role; any role includes viewing."""
        return role in self.roles or (role == Role.VIEWER and bool(self.roles))


OPEN: Final = Principal("local", frozenset(Role), "open")
"""The anonymous caller of an open API: anyone on this machine."""
