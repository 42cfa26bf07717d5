"""Who is asking, and what they may do."""

from dataclasses import dataclass
from typing import Final, Literal

from orderflow_contracts.access import Role

Via = Literal["open", "session", "token", "proxy"]
"""How somebody is known: not at all, by signing in, by a token, or by a proxy's word."""


@dataclass(frozen=True)
class Principal:
    """Somebody who asks for something, or somebody's program."""

    name: str
    roles: frozenset[Role]
    via: Via

    def may(self, role: Role | str) -> bool:
        """Tell whether this role is theirs; whoever has any role may view."""
        return role in self.roles or (role == Role.VIEWER and bool(self.roles))


OPEN: Final = Principal("local", frozenset(Role), "open")
"""Whoever calls an open API: anybody on this machine, of whom nothing is known."""
